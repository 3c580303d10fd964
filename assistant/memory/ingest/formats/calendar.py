"""Calendars (iCalendar, RFC 5545): a passage for each event, task and journal entry."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import icalendar

from assistant.memory.ingest.faults import DAMAGED, EMPTY, Unreadable
from assistant.memory.ingest.formats import repeating
from assistant.memory.ingest.formats.decode import decode
from assistant.memory.ingest.formats.pieces import pieces
from assistant.memory.ingest.passages import Block, Place, cleaned
from assistant.types import timestamp

_NAMES = {"VEVENT": "Event", "VTODO": "Task", "VJOURNAL": "Journal"}
_READ = frozenset({"DTSTART", "DTEND", "DUE", "DURATION", "SUMMARY", "LOCATION", "RRULE", "RDATE", "EXDATE",
                   "RECURRENCE-ID", "ATTENDEE", "STATUS", "DESCRIPTION", "UID", None})  # fmt: skip
"""What is told of an entry; None: a line that says nothing to anybody."""
_BEGINS = re.compile(rf"^BEGIN:(?:{'|'.join(_NAMES)})[ \t]*$", re.IGNORECASE | re.MULTILINE)
_FAILS = (ValueError, KeyError, IndexError, TypeError, AttributeError)
_GUESTS, _DATES = 20, 20


def blocks(data: bytes, today: date | None = None) -> Iterator[Block]:
    """A block an entry. Raises Unreadable, also after the last where some could not be read whole."""
    entries, bad = _entries(cleaned(decode(data)))
    bad += sum(any(name in _READ for name, _ in entry.errors) for entry in entries)
    changed: dict[str, list[date]] = {}
    for entry in entries:
        changed.setdefault(_text(entry, "UID"), []).extend(_dates(entry, "RECURRENCE-ID"))
    empty = True
    for entry in entries:
        instead_of = sorted(changed[_text(entry, "UID")], key=_iso)
        if block := _block(entry, instead_of, today or datetime.now(UTC).date()):
            empty = False
            yield block
    if bad:
        raise Unreadable(f"{bad} of its entries could not be read whole.")
    if empty:
        raise Unreadable(EMPTY)


def _entries(text: str) -> tuple[list[Any], int]:
    """Every entry, and how many could not be read whole. Raises Unreadable where nothing looks like one."""
    damaged = False
    try:
        found = _within(text)
    except _FAILS:
        found, damaged = [], True
    if not damaged and len(found) >= len(_BEGINS.findall(text)):
        return found, 0
    found, bad = [], 0
    for piece, whole in pieces(text, frozenset(_NAMES)):
        read: list[Any] = []
        with contextlib.suppress(*_FAILS):
            read = _within(piece)[:1]
        found += read
        bad += not (read and whole)
    if damaged and not found:
        raise Unreadable(DAMAGED)
    return found, bad


def _within(text: str) -> list[Any]:
    calendars = icalendar.Calendar.from_ical(text, multiple=True)
    return [entry for one in calendars for entry in one.walk() if entry.name in _NAMES]


def _block(entry: Any, changed: Sequence[date], today: date) -> Block | None:
    """None: nothing is said in it."""
    start, end = _when(entry, "DTSTART"), _end(entry)
    begins = start or end
    instead, rules = _dates(entry, "RECURRENCE-ID"), _rules(entry)
    repeats = rules and not instead
    title = _text(entry, "SUMMARY")
    lines = [f"{_NAMES[entry.name]}: {title or 'without a title'}"]
    for name, value in (
        ("When", _span(start, end)),
        ("Instead of", _listed(instead) + _range(entry)),
        ("Where", _text(entry, "LOCATION")),
        ("Repeats", "; ".join(repeating.words(rule, start) for rule in rules)),
        (f"Next from {today} on", _listed(_next(entry, changed, today)) if repeats else ""),
        ("Also", _listed(_dates(entry, "RDATE"))),
        ("Except", _listed(_dates(entry, "EXDATE"))),
        ("Changed", _listed(changed) if repeats else ""),
        ("With", _guests(entry)),
        ("Status", _text(entry, "STATUS").lower()),
        ("Notes", _text(entry, "DESCRIPTION")),
    ):
        if value:
            lines.append(f"{name}: {value}")
    if len(lines) == 1 and not title:
        return None
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


def _end(entry: Any) -> date | None:
    """When it is over or due; the last day of one that has no time, where the calendar has the day after."""
    start, end = _when(entry, "DTSTART"), _when(entry, "DTEND")
    end = end or (_after(start, entry) if start else None)
    if end is None:
        return _when(entry, "DUE")
    if not isinstance(end, datetime):
        end = max(end, date.min + timedelta(days=1)) - timedelta(days=1)
        first = start.date() if isinstance(start, datetime) else start
        return end if first is None or end > first else None
    return end if end != start else None


def _after(start: date, entry: Any) -> date | None:
    """Where it ends by its duration: days by the calendar, hours by the clock."""
    try:
        lasts = entry.decoded("DURATION")
        if not isinstance(lasts, timedelta) or lasts <= timedelta(0):
            return None
        if not isinstance(start, datetime):
            return start + max(lasts, timedelta(days=1))
        later, rest = start + timedelta(days=lasts.days), timedelta(seconds=lasts.seconds)
        if later.tzinfo is None or not rest:
            return later + rest
        return (later.astimezone(UTC) + rest).astimezone(start.tzinfo)
    except (*_FAILS, OverflowError):
        return None


def _dates(entry: Any, name: str) -> list[date]:
    """Every date of properties of this name, in order; of a period, when it begins."""
    found = []
    for one in _held(entry, name):
        for value in getattr(one, "dts", [one]):
            moment = getattr(value, "dt", None)
            moment = moment[0] if isinstance(moment, tuple) else moment
            found += [moment] if isinstance(moment, date) else []
    return sorted(found, key=_iso)


def _held(entry: Any, name: str) -> list[Any]:
    """Properties of this name that could be read: the others are text, and fail where they are asked."""
    held = entry.get(name)
    return [one for one in (held if isinstance(held, list) else [held]) if not isinstance(one, str)]


def _listed(moments: Sequence[date]) -> str:
    """In order; of many the latest."""
    more = f" and {len(moments) - _DATES} earlier" if len(moments) > _DATES else ""
    return ", ".join(_iso(one).replace("T", " ") for one in moments[-_DATES:]) + more


def _range(entry: Any) -> str:
    later = (getattr(one, "params", {}).get("RANGE") for one in _held(entry, "RECURRENCE-ID"))
    return " and all later ones" if "THISANDFUTURE" in later else ""


def _rules(entry: Any) -> list[repeating.Rule]:
    held = (one for one in _held(entry, "RRULE") if isinstance(one, Mapping))
    return [{key.upper(): one[key] for key in one} for one in held]


def _next(entry: Any, changed: Sequence[date], today: date) -> list[date]:
    """When it takes place next by its rule, where it is certain."""
    start, rules = _when(entry, "DTSTART"), _rules(entry)
    if start is None or len(rules) != 1 or _text(entry, "STATUS").upper() == "CANCELLED":
        return []
    without = {repeating.wall(one, start) for one in (*_dates(entry, "EXDATE"), *changed)}
    found = repeating.following(rules[0], start, without, today)
    zone = start.tzinfo if isinstance(start, datetime) else None
    return [one.replace(tzinfo=zone) if isinstance(one, datetime) else one for one in found]


def _guests(entry: Any) -> str:
    guests = entry.get("ATTENDEE") or []
    guests = guests if isinstance(guests, list) else [guests]
    names = [_guest(guest) for guest in guests[:_GUESTS]]
    return ", ".join(name for name in names if name)


def _guest(guest: Any) -> str:
    named = getattr(guest, "params", {}).get("CN")
    return str(named or guest).removeprefix("mailto:").removeprefix("MAILTO:")
