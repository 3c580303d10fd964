"""Calendars: days that end, what repeats and what does not then, and files that are damaged."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta

import pytest

from assistant.memory.ingest.faults import Unreadable
from assistant.memory.ingest.formats import calendar, repeating

TODAY = date(2026, 11, 27)
PARIS = ";TZID=Europe/Paris"


def event(*lines, name="VEVENT", uid="1"):
    return "\n".join([f"BEGIN:{name}", f"UID:{uid}", "SUMMARY:Tea", *lines, f"END:{name}", ""])


def whole(*parts):
    return "BEGIN:VCALENDAR\nVERSION:2.0\n" + "".join(parts) + "END:VCALENDAR\n"


def read(text):
    """(texts, problem)."""
    data = text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode()
    found = []
    try:
        for block in calendar.blocks(data, TODAY):
            found.append(block.text)
    except Unreadable as exc:
        return found, exc.reason
    return found, ""


def told(*lines, name="VEVENT"):
    """What is said of an event besides its title, by what it is."""
    ((text,), problem) = read(whole(event(*lines, name=name)))
    assert problem == ""
    return dict(line.split(": ", 1) for line in text.split("\n")[1:])


@pytest.mark.parametrize(
    ("lines", "when"),
    [
        (("DTSTART;VALUE=DATE:20260504", "DTEND;VALUE=DATE:20260505"), "2026-05-04"),
        (("DTSTART;VALUE=DATE:20260504", "DTEND;VALUE=DATE:20260508"), "2026-05-04 to 2026-05-07"),
        (("DTSTART;VALUE=DATE:20260504", "DTEND;VALUE=DATE:20260504"), "2026-05-04"),
        (("DTSTART;VALUE=DATE:20260504",), "2026-05-04"),
        (("DTSTART;VALUE=DATE:20260504", "DURATION:P3D"), "2026-05-04 to 2026-05-06"),
        (("DTSTART;VALUE=DATE:20260504", "DURATION:P1D"), "2026-05-04"),
        (("DTSTART;VALUE=DATE:20260504", "DURATION:P1W"), "2026-05-04 to 2026-05-10"),
        (("DTSTART:20260504T100000Z", "DURATION:PT2H"), "2026-05-04 10:00+00:00 to 2026-05-04 12:00+00:00"),
        (("DTSTART:20260504T100000", "DURATION:P1DT2H"), "2026-05-04 10:00 to 2026-05-05 12:00"),
        # The clock was put forward that night: hours are hours, days are days.
        ((f"DTSTART{PARIS}:20260328T230000", "DURATION:PT8H"),
         "2026-03-28 23:00+01:00 to 2026-03-29 08:00+02:00"),
        ((f"DTSTART{PARIS}:20260328T120000", "DURATION:P1D"),
         "2026-03-28 12:00+01:00 to 2026-03-29 12:00+02:00"),
        (("DTSTART:20260504T100000Z", "DURATION:-PT2H"), "2026-05-04 10:00+00:00"),
        (("DTSTART:20260504T100000Z", "DTEND:20260504T100000Z"), "2026-05-04 10:00+00:00"),
        (("DTSTART:20260504T100000Z", "DTEND:20260504T113000Z"),
         "2026-05-04 10:00+00:00 to 2026-05-04 11:30+00:00"),
        (("DTSTART;VALUE=DATE:00010101", "DTEND;VALUE=DATE:00010101"), "0001-01-01"),
        (("DTSTART:99991231T100000Z", "DURATION:P900D"), "9999-12-31 10:00+00:00"),
    ],
)  # fmt: skip
def test_when_it_begins_and_ends(lines, when):
    assert told(*lines) == {"When": when}


def test_a_task_is_due_on_its_day():
    assert told("DUE;VALUE=DATE:20260601", name="VTODO") == {"When": "2026-06-01"}
    assert told("DTSTART:20260504T100000Z", "DURATION:PT2H", name="VTODO")["When"].endswith(
        "12:00+00:00"
    )


@pytest.mark.parametrize(
    ("rule", "words", "next_"),
    [
        ("FREQ=WEEKLY;BYDAY=TU", "every week on Tuesday", "12-01 12-08 12-15"),
        ("FREQ=WEEKLY", "every week", "12-01 12-08 12-15"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,FR;WKST=SU", "every 2 weeks on Tuesday and Friday",
         "12-01 12-04 12-15"),
        ("FREQ=DAILY;INTERVAL=10", "every 10 days", "11-27 12-07 12-17"),
        ("FREQ=DAILY;UNTIL=20261128T225959Z", "every day, until 2026-11-28", "11-27 11-28"),
        ("FREQ=DAILY;UNTIL=20241128", "every day, until 2024-11-28", ""),
        ("FREQ=WEEKLY;COUNT=3", "every week, 3 times in all", ""),
        ("FREQ=WEEKLY;COUNT=153", "every week, 153 times in all", "12-01"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "every month on the last Friday", "11-27 12-25 2027-01-29"),
        ("FREQ=MONTHLY;BYDAY=TU;BYSETPOS=2", "every month on the second Tuesday",
         "12-08 2027-01-12 2027-02-09"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
         "every month on the last of Monday, Tuesday, Wednesday, Thursday or Friday",
         "11-30 12-31 2027-01-29"),
        ("FREQ=MONTHLY;BYMONTHDAY=15,-1", "every month on day 15 and the last day of the month",
         "11-30 12-15 12-31"),
        ("FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=2", "every year on day 2 of the month in January",
         "2027-01-02 2028-01-02 2029-01-02"),
        ("FREQ=YEARLY", "every year", "2027-01-02 2028-01-02 2029-01-02"),
        # What there are no words for stays, and what is not understood promises nothing.
        ("FREQ=YEARLY;BYWEEKNO=20", "every year (BYWEEKNO=20)", ""),
        ("FREQ=MONTHLY;BYDAY=TU;BYHOUR=9,17", "every month on Tuesday (BYHOUR=9,17)", ""),
        ("FREQ=HOURLY", "every hour", ""),
        ("FREQ=MONTHLY;BYMONTHDAY=-3", "every month (BYMONTHDAY=-3)", "11-28 12-29 2027-01-29"),
        ("FREQ=WEEKLY;INTERVAL=0", "every 0 weeks", ""),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "every year on day 30 of the month in February", ""),
        ("FREQ=DAILY;COUNT=99999999", "every day, 99999999 times in all", "11-27 11-28 11-29"),
    ],
)  # fmt: skip
def test_a_rule_in_words_and_when_next(rule, words, next_):
    said = told(f"DTSTART{PARIS}:20240102T190000", f"RRULE:{rule}")
    days = [one if len(one) > 5 else f"2026-{one}" for one in next_.split()]
    expected = ", ".join(f"{day} 19:00+01:00" for day in days)
    assert said["Repeats"] == words
    assert said.get("Next from 2026-11-27 on", "") == expected
    assert said["When"] == "2024-01-02 19:00+01:00"


def test_the_clock_on_the_wall_holds_in_summer_and_winter():
    said = told(f"DTSTART{PARIS}:20260702T190000", "RRULE:FREQ=MONTHLY;INTERVAL=5")
    assert said["Next from 2026-11-27 on"] == (
        "2026-12-02 19:00+01:00, 2027-05-02 19:00+02:00, 2027-10-02 19:00+02:00"
    )


def test_a_day_that_repeats_has_no_time():
    said = told("DTSTART;VALUE=DATE:19900203", "DTEND;VALUE=DATE:19900204", "RRULE:FREQ=YEARLY")
    assert said == {
        "When": "1990-02-03", "Repeats": "every year",
        "Next from 2026-11-27 on": "2027-02-03, 2028-02-03, 2029-02-03",
    }  # fmt: skip


def test_exceptions_and_more_dates():
    said = told(
        f"DTSTART{PARIS}:20240102T190000", "RRULE:FREQ=WEEKLY",
        f"EXDATE{PARIS}:20261208T190000,20240109T190000",
        "EXDATE;VALUE=DATE:20261201", "EXDATE:20261215T180000Z", f"RDATE{PARIS}:20261203T190000",
        "RDATE;VALUE=PERIOD:20240109T190000Z/PT2H",
    )  # fmt: skip
    assert said["Except"] == (
        "2024-01-09 19:00+01:00, 2026-12-01, 2026-12-08 19:00+01:00, 2026-12-15 18:00+00:00"
    )
    assert said["Also"] == "2024-01-09 19:00+00:00, 2026-12-03 19:00+01:00"
    assert said["Next from 2026-11-27 on"].startswith("2026-12-22 19:00")


def test_of_many_exceptions_the_latest_are_told():
    many = ",".join(f"202401{day:02}" for day in range(1, 31))
    said = told("DTSTART;VALUE=DATE:20240101", "RRULE:FREQ=DAILY", f"EXDATE;VALUE=DATE:{many}")
    assert said["Except"].startswith("2024-01-11, ")
    assert said["Except"].endswith(", 2024-01-30 and 10 earlier")


def test_an_instance_that_was_moved_says_instead_of_which():
    series = event(f"DTSTART{PARIS}:20240102T190000", "RRULE:FREQ=WEEKLY")
    moved = event(f"RECURRENCE-ID{PARIS}:20261201T190000", f"DTSTART{PARIS}:20261202T190000")
    later = event(
        f"RECURRENCE-ID;RANGE=THISANDFUTURE{PARIS}:20270105T190000", "DTSTART:20270106T190000Z"
    )
    other = event("DTSTART:20240102T190000Z", "RRULE:FREQ=WEEKLY", uid="2")
    (one, two, three, four), problem = read(whole(series, moved, later, other))
    assert problem == ""
    assert "Next from 2026-11-27 on: 2026-12-08 19:00+01:00" in one
    assert one.endswith("\nChanged: 2026-12-01 19:00+01:00, 2027-01-05 19:00+01:00")
    assert two == "Event: Tea\nWhen: 2026-12-02 19:00+01:00\nInstead of: 2026-12-01 19:00+01:00"
    assert three.endswith("\nInstead of: 2027-01-05 19:00+01:00 and all later ones")
    assert "Changed" not in four
    assert "2026-12-01" in four


def test_what_is_cancelled_does_not_take_place_next():
    said = told("DTSTART:20240102T190000Z", "RRULE:FREQ=WEEKLY", "STATUS:CANCELLED")
    assert said["Status"] == "cancelled"
    assert not any(key.startswith("Next") for key in said)


def test_charsets():
    text = whole(event("LOCATION:Réunion à Nîmes"))
    for encoding in ("utf-8", "utf-8-sig", "cp1252", "utf-16"):
        assert read(text.encode(encoding)) == (["Event: Tea\nWhere: Réunion à Nîmes"], ""), encoding


ZONE = (
    "BEGIN:VTIMEZONE\nTZID:My Own\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0300\n"
    "TZOFFSETTO:+0300\nEND:STANDARD\nEND:VTIMEZONE\n"
)
FIRST = event("DTSTART:20260504T100000Z")
SECOND = event(
    "DTSTART;TZID=My Own:20260505T100000", "BEGIN:VALARM", "ACTION:DISPLAY", "END:VALARM"
)
READ = ["Event: Tea\nWhen: 2026-05-04 10:00+00:00", "Event: Tea\nWhen: 2026-05-05 10:00+03:00"]


@pytest.mark.parametrize(
    "text",
    [
        whole(ZONE, "X-WR-CALNAME:Mine\nBROKEN LINE\n", FIRST, SECOND),
        whole(ZONE, FIRST, SECOND).replace("END:VCALENDAR\n", ""),
        whole(ZONE, FIRST, SECOND).replace("END:VCALENDAR\n", "END:VCAL"),
        whole(ZONE, FIRST) + whole(ZONE, SECOND).replace("END:VCALENDAR\n", ""),
        ZONE + FIRST + SECOND,
        whole(ZONE, "BEGIN:X-JUNK\n", FIRST, SECOND),
        whole(ZONE, FIRST, SECOND.replace("END:VALARM\n", "")),
    ],
)
def test_a_damaged_frame_costs_no_entry(text):
    assert read(text) == (READ, "")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (whole(ZONE, FIRST, SECOND)[:-25], READ),
        (whole(ZONE, FIRST.replace("END:VEVENT\n", ""), SECOND), READ),
        (whole(ZONE, FIRST, event("DTSTART:garbage"), SECOND), [READ[0], "Event: Tea", READ[1]]),
        (whole(ZONE, FIRST.replace("UID:1", "UID:1\nthis line is bad"), SECOND), READ),
        (whole(ZONE, FIRST, SECOND, "BEGIN:VEVENT\n"), READ),
        (whole(ZONE, FIRST, SECOND) + "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:cut o", READ),
    ],
)
def test_what_could_not_be_read_whole_is_said(text, found):
    assert read(text) == (found, "1 of its entries could not be read whole.")


@pytest.mark.parametrize("name", ["RRULE", "EXDATE", "RDATE", "RECURRENCE-ID", "DURATION", "DTEND"])
def test_a_property_that_cannot_be_read_costs_itself(name):
    bad = event("DTSTART:20260504T100000Z", f"{name}:FREQ=2PERIOD")
    found, problem = read(whole(FIRST, bad, FIRST))
    assert found == [READ[0]] * 3
    assert problem == "1 of its entries could not be read whole."


def test_no_entry_is_no_text():
    assert read(whole(ZONE)) == ([], "There is no text in it.")
    assert read("junk")[1]


def rules(chance):
    """Rules of every kind that is understood, mostly."""
    freq = chance.choice(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
    rule = {"FREQ": [freq], "INTERVAL": [chance.choice([1, 1, 1, 2, 3, 7])]}
    if chance.random() < 0.5:
        days = chance.sample(["MO", "TU", "WE", "TH", "FR", "SA", "SU"], chance.randint(1, 3))
        numbers = ["", "1", "+2", "-1", "5"] if freq in ("MONTHLY", "YEARLY") else [""]
        rule["BYDAY"] = [chance.choice(numbers) + day for day in days]
    if chance.random() < 0.3:
        rule["BYMONTH"] = chance.sample(range(1, 13), chance.randint(1, 4))
    if chance.random() < 0.2:
        rule["BYMONTHDAY"] = chance.sample([1, 13, 29, 31, -1, -30], 2)
    if chance.random() < 0.2:
        rule["BYSETPOS"] = [chance.choice([1, 2, -1, 7])]
    if chance.random() < 0.3:
        rule["WKST"] = [chance.choice(["MO", "SU"])]
    if chance.random() < 0.2:
        rule["COUNT"] = [chance.randint(1, 400)]
    return rule


@pytest.mark.parametrize("seed", range(1, 5))
def test_when_next_is_as_another_library_says(seed):
    rrule = pytest.importorskip("dateutil.rrule")
    chance, today = random.Random(seed), datetime.fromisoformat("2026-11-27")
    for _ in range(40):
        start = today + timedelta(hours=19) - timedelta(days=chance.randint(-40, 1200))
        rule = rules(chance)
        found = repeating.following(rule, start, frozenset(), TODAY)
        if not found:
            continue  # not understood, or not soon
        text = ";".join(f"{key}={','.join(map(str, values))}" for key, values in rule.items())
        known = rrule.rrulestr(text, dtstart=start).xafter(today, count=3, inc=True)
        for ours, theirs in zip(found, known, strict=False):
            assert ours == theirs, (rule, start)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"FREQ": ["DAILY"]}, ["2026-11-27", "2026-11-28", "2026-11-29"]),
        ({"FREQ": ["WEEKLY"], "BYDAY": ["MO", "TU"]}, ["2026-11-30", "2026-12-01", "2026-12-07"]),
        ({"FREQ": ["YEARLY"]}, ["2027-01-01", "2028-01-01", "2029-01-01"]),
        ({"FREQ": ["YEARLY"], "BYMONTH": [2], "BYMONTHDAY": [30]}, []),
        ({"FREQ": ["DAILY"], "BYMONTH": [2], "BYMONTHDAY": [30]}, []),
        ({"FREQ": ["DAILY"], "INTERVAL": [7], "BYDAY": ["TU"], "COUNT": [9]}, []),
        ({"FREQ": ["DAILY"], "INTERVAL": [7], "BYDAY": ["TU"]}, []),
        ({"FREQ": ["MONTHLY"], "BYDAY": ["MO", "TU", "WE"], "BYSETPOS": [99]}, []),
        ({"FREQ": ["WEEKLY"], "COUNT": [99_999]}, []),
    ],
)
def test_a_rule_that_began_long_ago_or_never_comes_has_an_end(rule, expected):
    """Were it looked for to the end of time, this would not end within the test's."""
    for _ in range(200):
        found = repeating.following(rule, date(1990, 1, 1), frozenset(), TODAY)
    assert [one.isoformat() for one in found] == expected
