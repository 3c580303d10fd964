"""Characters as they were meant, whatever a mail or page says of its charset."""

from __future__ import annotations

import base64

import pytest

from assistant.memory.ingest.faults import Unreadable
from assistant.memory.ingest.formats import html, mail
from assistant.memory.ingest.formats.decode import decode


@pytest.mark.parametrize(
    ("data", "declared", "text"),
    [
        (b"It costs \x80500 \x93net\x94", "iso-8859-1", "It costs €500 “net”"),
        (b"It costs \x80500 \x93net\x94", "ISO-8859-1", "It costs €500 “net”"),
        (b"It costs \x80500 \x93net\x94", "latin1", "It costs €500 “net”"),
        (b"It costs \x80500 \x93net\x94", "us-ascii", "It costs €500 “net”"),
        (b"It is 10 \x80 for you", "us-ascii", "It is 10 € for you"),
        (b"It costs \x80500 \x93net\x94", "windows-1252", "It costs €500 “net”"),
        (b"\xa420 \x96 caf\xe9", "iso-8859-15", "€20 – café"),
        (b"\x93\xddzmir\x94", "iso-8859-9", "“İzmir”"),
        (b"caf\xe9 \x81", "windows-1252", "café \x81"),
        ("café".encode(), "us-ascii", "café"),
        ("café".encode(), "nosuch", "café"),
        ("café".encode(), "utf-8", "café"),
        ("Привет, как дела у вас?".encode("koi8-r"), "koi8-r", "Привет, как дела у вас?"),
        ("Привет из Москвы, как дела у вас сегодня? Мы были на даче.".encode("cp1251"), "us-ascii",
         "Привет из Москвы, как дела у вас сегодня? Мы были на даче."),
        ("镕基".encode("gbk"), "gb2312", "镕基"),
        ("①".encode("cp932"), "shift_jis", "①"),
        ("똠방".encode("cp949"), "euc-kr", "똠방"),
        ("héllo".encode("utf-16-le"), "utf-16le", "héllo"),
        ("今日は".encode("utf-16-be"), "utf-16be", "今日は"),
        (b"plain", "utf-16", "plain"),
        ("déjà".encode(), "utf-16", "déjà"),
    ],
)  # fmt: skip
def test_a_declared_charset_is_read_as_it_is_used(data, declared, text):
    assert decode(data, declared) == text


@pytest.mark.parametrize("declared", ["", "utf-8", "iso-8859-1", "us-ascii", "nosuch", "hex"])
def test_bytes_stay_no_text(declared):
    with pytest.raises(Unreadable):
        decode(b"MZ\0\0binary", declared)


@pytest.mark.parametrize(
    ("head", "body", "subject", "text"),
    [
        (b"Subject: s\nContent-Type: text/plain; charset=iso-8859-1\n", b"\x93net\x94 \x80", "s", "“net” €"),
        (b"Subject: =?iso-8859-1?q?It=92s_=80500?=\n", b"x", "It’s €500", "x"),
        ("Subject: Réunion à Porto\n".encode("latin-1"), b"x", "Réunion à Porto", "x"),
        ("Subject: Réunion à Porto\n".encode(), b"x", "Réunion à Porto", "x"),
        ("Content-Type: text/plain; charset=koi8-r\nSubject: Привет\n".encode("koi8-r"),
         "дача".encode("koi8-r"), "Привет", "дача"),
        (b"Subject: s\nContent-Type: text/plain; charset=utf-16le\nContent-Transfer-Encoding: base64\n",
         base64.b64encode("déjà".encode("utf-16-le")), "s", "déjà"),
    ],
)  # fmt: skip
def test_mail(head, body, subject, text):
    first, *rest = mail.blocks(b"From: J <a@b>\n" + head + b"\n" + body + b"\n")
    assert first.place.subject == subject
    assert [one.text for one in rest] == [text]


@pytest.mark.parametrize(
    "page",
    [
        b'<head><meta charset="iso-8859-1"></head><p>costs \x80500 \x93x\x94</p>',
        b'<head><meta charset="utf-8"></head><p>costs &#128;500 &#147;x&#148;</p>',
        '<?xml version="1.0" encoding="utf-16"?><p>costs €500 “x”</p>'.encode(),
    ],
)
def test_html(page):
    assert [one.text for one in html.blocks(page)] == ["costs €500 “x”"]
