"""Each format through the real reading process: text, places, dates."""

from __future__ import annotations

import pytest
from memory.ingest import made

from assistant.memory.ingest.documents import Document
from assistant.memory.ingest.reader import Reader


@pytest.fixture
async def reader():
    one = Reader()
    yield one
    await one.close()


async def read(reader, known, data):
    """(passages, problem) of one document."""
    passages, problem = [], ""
    async for _, part in reader.read([Document(known, data)]):
        passages += part.passages
        problem = part.problem or problem
    return passages, problem


async def test_pdf_by_page(reader):
    passages, problem = await read(reader, "pdf", made.pdf("First page\nof two", "Second page"))
    assert problem == ""
    assert [(p.text, p.place.page) for p in passages] == [
        ("First page\nof two", 1), ("Second page", 2)
    ]  # fmt: skip


async def test_a_scan_has_no_text(reader):
    passages, problem = await read(reader, "pdf", made.pdf(""))
    assert passages == []
    assert "scan" in problem


async def test_word_by_heading_and_with_tables(reader):
    data = made.word(
        (1, "Trip"), (0, "We go by train."), (2, "Food"), (0, "Francesinha."),
        table=[["City", "Nights"], ["Porto", "3"]],
    )  # fmt: skip
    passages, problem = await read(reader, "docx", data)
    assert problem == ""
    assert [(p.text, p.place.heading) for p in passages] == [
        ("Trip\n\nWe go by train.", "Trip"),
        ("Food\n\nFrancesinha.\n\nCity | Nights\n\nPorto | 3", "Trip › Food"),
    ]


async def test_html_as_it_is_seen(reader):
    data = (
        "<html><head><title>T</title><style>p{}</style><script>evil()</script></head><body><h1>Größe</h1>"
        "<p>One <b>bold</b><br>line</p><ul><li>first<li>second</ul><pre>a\n  b</pre>"
        "<table><tr><th>k<th>v<tr><td>1<td>2</table><template>no</template></body></html>"
    ).encode("utf-16")
    passages, problem = await read(reader, "html", data)
    (one,) = passages
    assert problem == ""
    assert one.place.heading == "Größe"
    assert one.text == "Größe\n\nOne bold\nline\n\n- first\n\n- second\n\na\n  b\n\nk | v\n\n1 | 2"


async def test_mail_with_its_head_charsets_and_attachments(reader):
    body = (
        "--b\nContent-Type: text/html; charset=iso-8859-15\nContent-Transfer-Encoding: quoted-printable\n\n"
        "<p>Prix : 20 =A4</p>\n--b\nContent-Type: application/pdf\n"
        'Content-Disposition: attachment; filename="plan.pdf"\n\nxx\n--b--'
    )
    data = made.letter(
        2, "=?utf-8?q?Ana_M=C3=BCller?= <ana@localhost>", "=?iso-8859-1?q?Caf=E9?=", body,
        Content_Type="multipart/mixed; boundary=b",
    )  # fmt: skip
    ((one,), problem) = await read(reader, "mail", data)
    assert problem == ""
    assert "Attachments: plan.pdf" in one.text
    assert one.text.endswith("Prix : 20 €")
    assert (one.place.sender, one.place.subject) == ("Ana Müller", "Café")
    assert one.place.message == "<m2@localhost>"
    assert one.said_at == "2026-06-02T08:00:00Z"
    assert one.place.words() == "mail “Café” from Ana Müller"


async def test_calendar_by_event(reader):
    passages, problem = await read(reader, "calendar", made.CALENDAR)
    assert problem == ""
    event, task = passages
    assert event.text.splitlines()[0] == "Event: Dentist with Dr Molaire"
    assert "Where: Rue Bleue 3" in event.text
    assert (event.place.event, event.said_at) == ("2026-05-04T10:00+02:00", "2026-05-04T08:00:00Z")
    assert (task.place.event, task.said_at) == ("2026-06-01", "2026-06-01T12:00:00Z")


async def test_what_repeats_is_read_where_no_file_can_be_opened(reader):
    data = made.CALENDAR.replace(
        b"SUMMARY:Dentist", b"RRULE:FREQ=YEARLY;UNTIL=21000101T000000Z\r\nSUMMARY:Dentist"
    )
    (event, _), problem = await read(reader, "calendar", data)
    assert problem == ""
    assert "Repeats: every year, until 2100-01-01\nNext from " in event.text


async def test_contacts_by_card_old_and_new(reader):
    passages, problem = await read(reader, "contacts", made.CONTACTS)
    assert problem == ""
    assert passages[0].text == (
        "Contact: Ana Belgrano\nPhone: +33 6 12 34 (cell)\nE-mail: ana@localhost\nBirthday: 1990-02-03"
    )
    assert passages[1].text.startswith("Contact: Jürgen Groß\nPhone: +49 30 99")
    assert passages[1].place.contact == "Jürgen Groß"


async def test_what_came_before_a_damaged_part_is_there_and_the_damage_is_said(reader):
    data = made.CONTACTS + b"BEGIN:VCARD\r\nFN:Half\r\nTEL:+33"
    passages, problem = await read(reader, "contacts", data)
    assert [p.place.contact for p in passages] == ["Ana Belgrano", "Jürgen Groß", "Half"]
    assert problem == "1 of its cards could not be read whole."


async def test_code_by_definition(reader):
    source = (
        "package x\n\n// Launch says so.\nfunc (r *Rocket) Launch(n int) error {\n\treturn nil\n}\n\n"
        "type Rocket struct {\n\tfuel int\n}\n"
    )
    passages, _ = await read(reader, "code", source.encode())
    assert [(p.place.heading, p.place.lines) for p in passages] == [
        ("", (1, 1)), ("Launch", (3, 6)), ("Rocket", (8, 10)),
    ]  # fmt: skip


async def test_markdown_keeps_code_that_looks_like_headings(reader):
    text = "Intro\n=====\n\ntext\n\n```sh\n# no heading\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    ((one,), _) = await read(reader, "markdown", text.encode())
    assert one.place.heading == "Intro"
    assert one.place.lines == (1, 12)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Grüße aus München, schöne Straßen", "utf-8"),
        ("Grüße aus München, schöne Straßen", "cp1252"),
        ("Grüße aus München, schöne Straßen", "utf-16"),
        ("Привет из Москвы, как дела у вас сегодня? Мы были на даче и ели пироги.", "cp1251"),
        ("今日はとても良い天気ですね。明日は東京へ行きます。", "shift_jis"),
        ("Où êtes-vous ? Déjà à l'hôtel près de l'église.", "cp1252"),
    ],
)
async def test_encodings(reader, text, encoding):
    ((one,), problem) = await read(reader, "text", text.encode(encoding))
    assert (one.text, problem) == (text, "")


async def test_it_can_open_no_file_and_no_connection():
    """The limits are the kernel's, so they hold for native code: asked of a process that took them."""
    import os
    import subprocess
    import sys

    if sys.platform == "win32":
        pytest.skip("no such limits")
    code = (
        "from assistant.memory.ingest import confinement, reading\nfrom assistant.worker import sandbox\n"
        "import ctypes, sys\nlibc = ctypes.CDLL(None)\nreaders = reading.load(); confinement.preload()\n"
        "reading.rehearse(readers); sandbox.enter(); confinement.confine()\n"
        "print(libc.open(b'/etc/passwd', 0), libc.socket(2, 1, 0), libc.socket(1, 1, 0))\n"
        "try:\n    import os; os.system('true')\nexcept PermissionError: print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        timeout=60,
    )
    assert done.stdout.split("\n")[:2] == ["-1 -1 -1", "refused"], done.stderr
