"""Address books as phones and programs write them: every card for itself, and what is missing is said."""

from __future__ import annotations

import base64

import pytest

from assistant.memory.ingest import chunk
from assistant.memory.ingest.faults import Unreadable
from assistant.memory.ingest.formats import contacts

ONE = "BEGIN:VCARD\nVERSION:2.1\nFN:One\nN:One;;;;\nEND:VCARD\n"
THREE = "BEGIN:VCARD\nVERSION:3.0\nFN:Three\nN:Three;;;;\nEND:VCARD\n"
PHOTO = base64.b64encode(bytes(range(150))).decode()


def read(text):
    """(texts, problem)."""
    data = text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode()
    found = []
    try:
        for passage in chunk.passages(contacts.blocks(data)):
            found.append(passage.text)
    except Unreadable as exc:
        return found, exc.reason
    return found, ""


def card(*lines, version="2.1"):
    return "\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""])


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (
            ("N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=D0=98=D0=B2=D0=B0=D0=BD=D0=BE=D0=B2;=D0=90=D0=BD=D0=",
             "=B0;;;",
             "FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=D0=90=D0=BD=D0=B0=20=D0=",
             "=98=D0=B2=D0=B0=D0=BD=D0=BE=D0=B2=D0=B0", "TEL;CELL;PREF:+7 900"),
            "Contact: Ана Иванова\nPhone: +7 900 (cell)",
        ),
        (
            ("FN:B A", "NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:allergic to nuts=0D=0A=",
             "and =C3=A9clairs, say=", " he said", "TEL;HOME;VOICE:123"),
            "Contact: B A\nPhone: 123 (home)\nNote: allergic to nuts, and éclairs, say he said",
        ),
        (("FN:A", "NOTE;QUOTED-PRINTABLE:caf=C3=A9"), "Contact: A\nNote: café"),
        (("FN:A", "NOTE;ENCODING=8BIT:x"), "Contact: A\nNote: x"),
        (("FN:A", "NOTE;8BIT;CHARSET=UTF-8:é"), "Contact: A\nNote: é"),
        (
            ("FN:A", "NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=NOSUCH:caf=C3=A9"),
            "Contact: A\nNote: café",
        ),
        (("FN:A", "NOTE;ENCODING=BASE64:aGVsbG8="), "Contact: A\nNote: hello"),
        (("FN:A", f"PHOTO;ENCODING=BASE64;JPEG:{PHOTO}", "", "TEL:1"), "Contact: A\nPhone: 1"),
        (("FN:A", "PHOTO;ENCODING=BASE64;JPEG:/9j/", "AAAA", "BBBB==", "TEL:1"),
         "Contact: A\nPhone: 1"),
        (("FN:A", "PHOTO;ENCODING=b:/9j/4AA", "TEL:1"), "Contact: A\nPhone: 1"),
        (("FN:A", "BEGIN:X", "TEL:2", "END:Y", "END:X", "TEL:1"), "Contact: A\nPhone: 1"),
        (("FN:A", "AGENT:", "BEGIN:VCARD", "FN:Agent", "TEL:2", "END:VCARD", "TEL:1"),
         "Contact: A\nPhone: 1"),
        (("FN:A", "END:FOO", "X;;=:x", "TEL;TYPE=:1"), "Contact: A\nPhone: 1"),
        (("N:Belgrano;Ana;Maria;Dr;",), "Contact: Dr Ana Maria Belgrano"),
        ((r"FN:A", r"ORG:One\;a;Two", r"ADR;TYPE=HOME:;;1 Main\, 2;Town;Reg;12;FR", r"NOTE:a\\b\nc"),
         ("Contact: A\nOrganisation: One;a, Two\nAddress: 1 Main, 2, Town, Reg 12, FR (home)\n"
         "Note: a\\b, c")),
        (("FN:A", "item1.TEL;type=CELL;type=pref:+33 6", "item1.X-ABLabel:_$!<Mobile>!$_"),
         "Contact: A\nPhone: +33 6 (cell)"),
        (("FN:A", "BDAY;X-APPLE-OMIT-YEAR=1604:1604-05-04"), "Contact: A\nBirthday: --05-04"),
        (("FN:A", "NOTE:folded", " here", "\tand there"), "Contact: A\nNote: foldedhereand there"),
        (("FN:A", 'ADR;LABEL="1 Main: St":;;1 Main;Town;;;'), "Contact: A\nAddress: 1 Main, Town"),
    ],
)  # fmt: skip
def test_a_card_is_read_whole_between_its_neighbours(lines, text):
    found, problem = read(ONE + card(*lines) + THREE)
    assert (found, problem) == (["Contact: One", text, "Contact: Three"], "")


@pytest.mark.parametrize(
    ("middle", "text"),
    [
        (card("FN:Two", "this is no line"), "Contact: Two"),
        (card("FN:Two", "NOTE;ENCODING=BASE64:a", "TEL:1"), "Contact: Two\nPhone: 1"),
        (card("FN:Two", "NOTE:first", "second line"), "Contact: Two\nNote: first"),
        # Without its end: whole lines, but nobody knows what is missing.
        ("BEGIN:VCARD\nFN:Two\nTEL:1\n", "Contact: Two\nPhone: 1"),
        (card("FN:Two", "NOTE;QUOTED-PRINTABLE:x=").replace("END:VCARD\n", ""),
         "Contact: Two\nNote: x"),
    ],
)  # fmt: skip
def test_what_could_not_be_read_is_said_and_costs_itself(middle, text):
    found, problem = read(ONE + middle + THREE)
    assert found == ["Contact: One", text, "Contact: Three"]
    assert problem == "1 of its cards could not be read whole."


def test_the_last_line_of_a_card_that_is_cut_off_is_not_taken_for_whole():
    found, problem = read(ONE + "BEGIN:VCARD\nFN:Two\nTEL:+33 6 1")
    assert found == ["Contact: One", "Contact: Two"]
    assert problem.startswith("1 of")


def test_no_card_is_no_text():
    assert read("junk") == ([], "There is no text in it.")
    assert read("BEGIN:VCARD\nVERSION:3.0\nEND:VCARD\n") == ([], "There is no text in it.")


@pytest.mark.parametrize(
    "data",
    [
        card("FN:Big", "PHOTO;ENCODING=BASE64;JPEG:" + ("\n " + "A" * 74) * 60_000).encode(),
        card("FN:Big", "NOTE;QUOTED-PRINTABLE:" + "x=\n" * 200_000).encode(),
        card("FN:Big", "NOTE" + ';a="b"' * 100_000).encode(),
        card("FN:Big", "NOTE" + ';"' * 100_001).encode(),
        card("FN:Big", "ORG:" + "\\;" * 300_000).encode(),
    ],
)
def test_large_cards_are_read_in_one_pass(data):
    """Were it quadratic, this would not end within the test's time."""
    found, _ = read(data)
    assert any("Contact: Big" in one for one in found)
