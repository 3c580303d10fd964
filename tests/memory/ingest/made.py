"""Small real files of each format, and hostile ones."""

from __future__ import annotations

import io
import zipfile

import docx


def pdf(*pages: str, extra: bytes = b"") -> bytes:
    """A PDF whose pages say this."""
    kids = " ".join(f"{10 + 2 * n} 0 R" for n in range(len(pages)))
    out = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    out += f"2 0 obj<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>endobj\n".encode()
    out += b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n"
    for n, text in enumerate(pages):
        lines = "".join(f"({line}) Tj 0 -14 Td " for line in text.split("\n"))
        body = f"BT /F 12 Tf 20 700 Td {lines}ET".encode("latin-1")
        out += (
            (
                f"{10 + 2 * n} 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents {11 + 2 * n} 0 R"
                f"/Resources<</Font<</F 5 0 R>>>>>>endobj\n{11 + 2 * n} 0 obj<</Length {len(body)}>>stream\n"
            ).encode()
            + body
            + b"\nendstream endobj\n"
        )
    return out + extra + b"trailer<</Root 1 0 R>>\n"


def word(*parts: tuple[int, str], table: list[list[str]] | None = None) -> bytes:
    """A Word document: (heading level or 0, text) …, then a table."""
    document = docx.Document()
    for level, text in parts:
        document.add_heading(text, level) if level else document.add_paragraph(text)
    if table:
        grid = document.add_table(len(table), len(table[0]))
        for row, cells in enumerate(table):
            for column, text in enumerate(cells):
                grid.cell(row, column).text = text
    made = io.BytesIO()
    document.save(made)
    return made.getvalue()


def letter(number: int, sender: str, subject: str, body: str, **heads: str) -> bytes:
    """An e-mail."""
    more = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in heads.items())
    return (
        f"From: {sender}\nTo: me@localhost\nSubject: {subject}\nMessage-ID: <m{number}@localhost>\n"
        f"Date: Mon, {number} Jun 2026 10:00:00 +0200\n{more}\n{body}\n"
    ).encode()


def mbox(*letters: bytes) -> bytes:
    """Letters in one mailbox."""
    return b"".join(b"From x@localhost Mon Jun  1 10:00:00 2026\n" + one + b"\n" for one in letters)


CALENDAR = "\r\n".join([
    "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//", "BEGIN:VEVENT", "UID:e1",
    "DTSTART;TZID=Europe/Paris:20260504T100000", "DTEND;TZID=Europe/Paris:20260504T110000",
    "SUMMARY:Dentist with Dr Molaire", "LOCATION:Rue Bleue 3", "END:VEVENT", "BEGIN:VTODO", "UID:t1",
    "DUE;VALUE=DATE:20260601", "SUMMARY:Renew the passport", "END:VTODO", "END:VCALENDAR", "",
]).encode()  # fmt: skip

CONTACTS = (
    b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ana Belgrano\r\nN:Belgrano;Ana;;;\r\nTEL;TYPE=CELL:+33 6 12 34\r\n"
    b"EMAIL:ana@localhost\r\nBDAY:1990-02-03\r\nEND:VCARD\r\nBEGIN:VCARD\r\nVERSION:2.1\r\n"
    b"FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen Gro=C3=9F\r\nTEL;HOME:+49 30 99\r\nEND:VCARD\r\n"
)


def zip_bomb(megabytes: int = 400) -> bytes:
    """A document whose main part unpacks to this much."""
    whole = word((0, "hello"))
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(whole)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made,
    ):
        for entry in source.infolist():
            if entry.filename == "word/document.xml":
                with made.open(entry.filename, "w", force_zip64=True) as part:
                    for _ in range(megabytes):
                        part.write(b" " * (1 << 20))
            else:
                made.writestr(entry, source.read(entry))
    return out.getvalue()


def entity_bomb() -> bytes:
    """A document of entities that double ten times ten."""
    whole = word((0, "hello"))
    out = io.BytesIO()
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = (
        f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e0 "ha">{entities}<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r>'
        "<w:t>&e9;&x;</w:t></w:r></w:p></w:body></w:document>"
    )
    with zipfile.ZipFile(io.BytesIO(whole)) as source, zipfile.ZipFile(out, "w") as made:
        for entry in source.infolist():
            text = bomb if entry.filename == "word/document.xml" else source.read(entry)
            made.writestr(entry.filename, text)
    return out.getvalue()


def nested_mail(depth: int = 3000) -> bytes:
    """Multiparts inside each other."""
    head = b"From: a@localhost\nSubject: deep\n"
    body = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(depth)
    )
    return head + body + b"Content-Type: text/plain\n\nbottom\n"
