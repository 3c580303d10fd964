"""A tiny document of each format."""

from __future__ import annotations

import io

import docx

_MAIL = b"""\
From: =?utf-8?q?Ana?= <ana@localhost>
To: me@localhost
Subject: =?iso-8859-1?q?caf=e9?=
Date: Mon, 4 May 2026 10:00:00 +0200
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: multipart/alternative; boundary=c

--c
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<p>Hello</p>
--c--
--b
Content-Type: application/pdf; name="a.pdf"
Content-Disposition: attachment; filename="a.pdf"
Content-Transfer-Encoding: base64

AAAA
--b--
"""
_CALENDAR = b"""\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//nestor//
BEGIN:VTIMEZONE
TZID:Somewhere
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:1
DTSTART;TZID=Somewhere:20260504T100000
DTEND;TZID=Europe/Paris:20260504T110000
RRULE:FREQ=DAILY;COUNT=3
ATTENDEE;CN=Ana:mailto:ana@localhost
SUMMARY:Tea
END:VEVENT
END:VCALENDAR
"""
_CONTACTS = b"""\
BEGIN:VCARD
VERSION:2.1
FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller
N:M;A
ADR;HOME:;;Street 1;Town;;;
END:VCARD
BEGIN:VCARD
VERSION:4.0
FN:Ana
BDAY:19900101
ORG:One;Two
END:VCARD
"""
_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]"
    b"/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n"
    b"4 0 obj<</Length 35>>stream\nBT /F 12 Tf 10 10 Td (Hello) Tj ET \nendstream endobj\n"
    b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R>>\n"
)


def samples() -> dict[str, bytes]:
    """Bytes of a whole document, by format."""
    return {
        "text": "Olá, café\n".encode("cp1252"),
        "markdown": b"# A\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
        "html": b"<h1>A</h1><p>b</p>",
        "pdf": _PDF,
        "docx": _docx(),
        "mail": _MAIL,
        "calendar": _CALENDAR.replace(b"\n", b"\r\n"),
        "contacts": _CONTACTS,
        "code": b"def f():\n    pass\n",
    }


def _docx() -> bytes:
    document = docx.Document()
    document.add_heading("A")
    document.add_paragraph("b")
    document.add_table(1, 1).cell(0, 0).text = "c"
    made = io.BytesIO()
    document.save(made)
    return made.getvalue()
