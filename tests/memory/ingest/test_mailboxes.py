"""Where a message of a mailbox begins, and where a sentence does."""

from __future__ import annotations

import io

import pytest

from assistant.memory.ingest import opening
from assistant.memory.ingest.formats import mail

FIRST = "From a@b Mon May  4 10:00:00 2026\nFrom: a@b\nSubject: one\n\nHello.\n\n"


def messages(text):
    return [one.decode() for one in opening.messages(io.BytesIO(text.encode()))]


@pytest.mark.parametrize(
    "line",
    [
        "From here we go to Porto.",
        "From here",
        "From 2024 on I lived in Porto, and from 10:00 on 4 May 2026 in Nice.",
        "From Mon to Fri I work; since May 2026 from 9:00 to 17:00",
        "From Porto we left in 2024",
        "From Tom, Mon May 4 2026",
        "From me at tom@x.y you get 20",
        "From now on: Subject: nothing",
        "From " + "x" * 2000,
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_sentence_is_kept_in_its_mail(line, end):
    text = FIRST + f"{line}\nSecond line: x.\n\nThird.\n"
    (one,) = messages(text.replace("\n", end))
    assert line in one
    found = list(mail.blocks(one.encode()))
    assert {block.place.subject for block in found} == {"one"}
    assert found[2].text.startswith(line)


@pytest.mark.parametrize(
    "line",
    [
        "From a@b Mon May  4 10:00:00 2026",
        "From a@b Mon May  4 10:00:00 2026 +0200",
        "From a@b Mon May  4 10:00 2026",
        "From - Mon May 04 10:00:00 2026",
        "From 1234567890@xxx Mon May 04 10:00:00 +0000 2026",
        "From MAILER-DAEMON Mon May  4 10:00:00 CEST 2026",
        "From a at example.com  Mon May  4 10:00:00 2026",
        "From a@b Mon, 4 May 2026 10:00:00 +0200 (CEST)",
        "From a@b Mon May  4 10:00:00 2026 remote from host",
        "From ???@??? Mon May 04 10:00:00 2026",
        '"From" is below:\n\nFrom "Ana B." <a@b> Mon May  4 10:00:00 2026',
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_message_begins_with_sender_and_date(line, end):
    _, two = messages((FIRST + f"{line}\nJunk\n\nx\n").replace("\n", end))
    assert two == f"Junk{end}{end}x{end}"


@pytest.mark.parametrize(
    "line",
    ["From a@b", "From -", "From a@b lun. 4 mai 10:00:00 2026", "From a@b 2026-05-04T10:00:00Z"],
)
def test_less_will_do_where_a_head_follows(line):
    assert len(messages(FIRST + f"{line}\nReceived: x\nSubject: two\n\nx\n")) == 2
    assert len(messages(FIRST + f"{line}\nNo head.\n\nx\n")) == 1


def test_the_first_line_of_a_mailbox_is_no_text():
    assert messages("From whoever\nSubject: one\n\nx\n") == ["Subject: one\n\nx\n"]


def test_a_mark_before_a_line_is_taken_away():
    (one,) = messages(FIRST + ">From a@b Mon May  4 10:00:00 2026\n>>From here\n")
    assert one.endswith("From a@b Mon May  4 10:00:00 2026\n>From here\n")


@pytest.mark.parametrize(
    "line", ["From " + "Mon Jan " * 36, "From " + " " * 290, "From " + "Mon " * 70]
)
def test_many_lines_that_may_begin_a_mail_are_read_in_one_pass(line):
    assert messages(FIRST + f"{line}\n\n" * 2000)
