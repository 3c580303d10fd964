"""Calendars (iCalendar, RFC 5545): a passage for each event, task and journal entry."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import icalendar

from assistant.memory.ingest.faults import DAMAGED, EMPTY, Unreadable
from assistant.memory.ingest.passages import Block, Place
from assistant.types import timestamp

_NAMES = {"VEVENT": "Event", "VTODO": "Task", "VJOURNAL": "Journal"}
_GUESTS = 20


def blocks(data: bytes) -> Iterator[Block]:
    """A block an entry. Raises Unreadable."""
    try:
        calendars = icalendar.Calendar.from_ical(data, multiple=True)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as exc:
        raise Unreadable(DAMAGED) from exc
    found = False
    for calendar in calendars:
        for entry in calendar.walk():
            if entry.name in _NAMES:
                found = True
                yield _block(entry)
    if not found:
        raise Unreadable(EMPTY)


def _block(entry: Any) -> Block:
    start, end = _when(entry, "DTSTART"), _when(entry, "DTEND") or _when(entry, "DUE")
    begins = start or end
    lines = [f"{_NAMES[entry.name]}: {_text(entry, 'SUMMARY') or 'without a title'}"]
    for name, value in (
        ("When", _span(start, end)),
        ("Where", _text(entry, "LOCATION")),
        ("Repeats", _repeats(entry)),
        ("With", _guests(entry)),
        ("Status", _text(entry, "STATUS").lower()),
        ("Notes", _text(entry, "DESCRIPTION")),
    ):
        if value:
            lines.append(f"{name}: {value}")
    place = Place(event=_iso(begins), uid=_text(entry, "UID")[:200])
    return Block("\n".join(lines), place, _moment(begins), apart=True)


def _text(entry: Any, name: str) -> str:
    value = entry.get(name)
    if isinstance(value, list):
        value = value[0] if value else None
    return str(value).strip() if value is not None else ""


def _when(entry: Any, name: str) -> date | None:
    try:
        value = entry.decoded(name)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError):
        return None
    return value if isinstance(value, date) else None


def _iso(moment: date | None) -> str:
    if moment is None:
        return ""
    return (
        moment.isoformat(timespec="minutes") if isinstance(moment, datetime) else moment.isoformat()
    )


def _span(start: date | None, end: date | None) -> str:
    return " to ".join(_iso(moment).replace("T", " ") for moment in (start, end) if moment)


def _moment(moment: date | None) -> str:
    """When it was or will be, for questions that name a time."""
    if moment is None:
        return ""
    try:
        if isinstance(moment, datetime):
            return timestamp(moment)
        return timestamp(datetime(moment.year, moment.month, moment.day, 12))  # noqa: DTZ001 - noon
    except (ValueError, OverflowError):
        return ""


def _repeats(entry: Any) -> str:
    rule = entry.get("RRULE")
    if rule is None or isinstance(rule, list):
        return ""
    try:
        return str(rule.to_ical().decode("utf-8", "replace"))
    except (ValueError, AttributeError):
        return ""


def _guests(entry: Any) -> str:
    guests = entry.get("ATTENDEE") or []
    guests = guests if isinstance(guests, list) else [guests]
    names = [_guest(guest) for guest in guests[:_GUESTS]]
    return ", ".join(name for name in names if name)


def _guest(guest: Any) -> str:
    named = getattr(guest, "params", {}).get("CN")
    return str(named or guest).removeprefix("mailto:").removeprefix("MAILTO:")
