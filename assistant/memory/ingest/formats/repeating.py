"""Pure: how often something takes place (RFC 5545, RRULE): in words, and when next.

dateutil reads more rules, but looks for one that never comes until the year 9999, whatever UNTIL says:
8 s for `FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30`, and a file may have thousands. It is the measure in the tests.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

import msgspec

Rule = Mapping[str, Sequence[Any]]

_UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year", "HOURLY": "hour",
          "MINUTELY": "minute", "SECONDLY": "second"}  # fmt: skip
_DAYS = {"MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday",
         "SA": "Saturday", "SU": "Sunday"}  # fmt: skip
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December")  # fmt: skip
_PLACES = {"1": "first", "2": "second", "3": "third", "4": "fourth", "5": "fifth", "-1": "last",
           "-2": "second to last"}  # fmt: skip
_WEEK = tuple(_DAYS)
_KNOWN = frozenset(
    {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYSETPOS", "WKST"}
)
_DAY, _AHEAD, _BACK = timedelta(days=1), timedelta(days=800), timedelta(days=1500)
"""How far ahead is looked, and how far back where it takes place so many times."""
_SHOWN = 3


class _Plan(msgspec.Struct, frozen=True):
    """A rule that is understood."""

    freq: str
    every: int
    count: int
    days: tuple[tuple[int, int], ...]
    """Which of them in the month, 0 every one, and weekday."""
    place: int
    """Which of the days in the month that fit."""
    month_days: frozenset[int]
    months: frozenset[int]
    week: int
    """The weekday with which weeks begin."""


def words(rule: Rule, start: date | None) -> str:
    """`every 2 weeks on Tuesday and Friday, until 2026-12-31`; what has no words stays as it is."""
    parts = {key.upper(): [str(one).upper() for one in values] for key, values in rule.items()}
    every, unit = _one(parts, "INTERVAL") or "1", _UNITS.get(_one(parts, "FREQ"), "")
    if not unit:
        return _raw(parts)
    said = f"every {unit}" if every == "1" else f"every {every} {unit}s"
    told = {"FREQ", "INTERVAL", "WKST"}
    for keys, phrase in (
        (("BYDAY", "BYSETPOS"), _days(parts)),
        (("BYMONTHDAY",), _month_days(parts)),
        (("BYMONTH",), _months(parts)),
        (("COUNT",), f", {_one(parts, 'COUNT')} times in all" if "COUNT" in parts else ""),
        (("UNTIL",), _until(rule, start)),
    ):
        if phrase:
            said += phrase
            told |= set(keys)
    rest = _raw({key: values for key, values in parts.items() if key not in told})
    return f"{said} ({rest})" if rest else said


def following(rule: Rule, start: date, without: Set[date], today: date) -> list[date]:
    """When next, from this day on, three times at most; empty where that is not certain.

    `without`: days and moments at which it does not take place, in the time of `start`.
    """
    try:
        plan = _plan(rule)
        last = wall(rule["UNTIL"][0], start) if "UNTIL" in rule else None
        if plan is None:
            return []
        found = (one for one in _moments(plan, start, last, today) if not _is_in(one, without))
        return list(islice(found, _SHOWN))
    except (ValueError, TypeError, OverflowError, KeyError, IndexError, AttributeError):
        return []


def _plan(rule: Rule) -> _Plan | None:
    """None: not all of it is understood. Raises ValueError where it is no rule."""
    parts = {key: [str(one).upper() for one in values] for key, values in rule.items()}
    freq = _one(parts, "FREQ")
    days = tuple((int(one[:-2] or 0), _WEEK.index(one[-2:])) for one in parts.get("BYDAY", ()))
    places = parts.get("BYSETPOS", ["0"])
    plan = _Plan(
        freq=freq,
        every=int(_one(parts, "INTERVAL") or 1),
        count=int(_one(parts, "COUNT") or 0),
        days=days,
        place=int(places[0]),
        month_days=frozenset(map(int, parts.get("BYMONTHDAY", ()))),
        months=frozenset(map(int, parts.get("BYMONTH", ()))),
        week=_WEEK.index(_one(parts, "WKST") or "MO"),
    )
    numbered = any(number for number, _ in days)
    understood = (
        rule.keys() <= _KNOWN
        and freq in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
        and plan.every > 0
        and not (plan.month_days and freq == "WEEKLY")
        and not (numbered and freq != "MONTHLY" and not (freq == "YEARLY" and plan.months))
        and not (len(places) > 1 or (plan.place and (freq != "MONTHLY" or numbered or not days)))
        and not (plan.place and (plan.month_days or abs(plan.place) > len(_PLACES)))
    )
    return plan if understood else None


def _moments(plan: _Plan, start: date, last: date | None, today: date) -> Iterator[date]:
    """In the time of `start`, from this day on, and not far ahead."""
    clock = start.time() if isinstance(start, datetime) else None
    first = date(start.year, start.month, start.day)
    if plan.count and today - first > _BACK:
        return
    day, end, count = first if plan.count else max(first, today), max(first, today) + _AHEAD, 0
    while day < end:
        if not _is_month(plan, first, day):
            day = day.replace(day=1) + timedelta(days=monthrange(day.year, day.month)[1])
            continue
        moment = datetime.combine(day, clock) if clock else day
        if last is not None and _is_after(moment, last):
            return
        if _falls(plan, first, day):
            count += 1
            if day >= today:
                yield moment
            if count == plan.count:
                return
        day += _DAY


def _is_month(plan: _Plan, first: date, day: date) -> bool:
    """Whether it may take place in the month of this day, when it began on `first`."""
    if plan.months and day.month not in plan.months:
        return False
    years, months = day.year - first.year, day.month - first.month
    if plan.freq == "YEARLY":
        named = plan.days or plan.month_days or plan.months
        return years % plan.every == 0 and (bool(named) or not months)
    return plan.freq != "MONTHLY" or (years * 12 + months) % plan.every == 0


def _falls(plan: _Plan, first: date, day: date) -> bool:
    """Whether it takes place on this day of a month in which it may."""
    if plan.days or plan.month_days:
        named = _fits(plan, day)
    elif plan.freq == "WEEKLY":
        named = day.weekday() == first.weekday()
    else:
        named = plan.freq == "DAILY" or day.day == first.day
    if plan.freq == "DAILY":
        return named and (day - first).days % plan.every == 0
    if plan.freq == "WEEKLY":
        weeks = [one.toordinal() - (one.weekday() - plan.week) % 7 for one in (first, day)]
        return named and (weeks[1] - weeks[0]) // 7 % plan.every == 0
    return named


def _fits(plan: _Plan, day: date) -> bool:
    """Whether it is one of the days that are named."""
    begins, length = monthrange(day.year, day.month)
    if plan.month_days and not plan.month_days & {day.day, day.day - length - 1}:
        return False
    numbers = (0, (day.day - 1) // 7 + 1, -((length - day.day) // 7 + 1))
    if plan.days and not any((number, day.weekday()) in plan.days for number in numbers):
        return False
    if not plan.place:
        return True
    named = {weekday for _, weekday in plan.days}
    fitting = [n for n in range(1, length + 1) if (begins + n - 1) % 7 in named]
    at = plan.place - 1 if plan.place > 0 else plan.place
    return -len(fitting) <= at < len(fitting) and fitting[at] == day.day


def _is_after(moment: date, last: date) -> bool:
    if isinstance(moment, datetime) and not isinstance(last, datetime):
        return moment.date() > last
    return moment > last


def _is_in(moment: date, without: Set[date]) -> bool:
    return moment in without or (isinstance(moment, datetime) and moment.date() in without)


def wall(moment: date, like: date) -> date:
    """What a clock shows then where `like` takes place; a day where that has no time."""
    if not isinstance(moment, datetime):
        return moment
    if not isinstance(like, datetime):
        return moment.date()
    if moment.tzinfo and like.tzinfo:
        moment = moment.astimezone(like.tzinfo)
    return moment.replace(tzinfo=None)


def _one(parts: Mapping[str, Sequence[str]], key: str) -> str:
    return parts[key][0] if parts.get(key) else ""


def _days(parts: Mapping[str, Sequence[str]]) -> str:
    """` on Tuesday`, ` on the last Friday`; empty where there are no words for it."""
    days, places = parts.get("BYDAY", ()), parts.get("BYSETPOS", ())
    named = [_day(one) for one in days]
    if not named or not all(named) or len(places) > 1:
        return ""
    if not places:
        return f" on {_and(named)}"
    place = _PLACES.get(places[0].lstrip("+"), "")
    return f" on the {place}{' of' if len(named) > 1 else ''} {_and(named, 'or')}" if place else ""


def _day(text: str) -> str:
    number, day = text[:-2].lstrip("+"), _DAYS.get(text[-2:], "")
    if not number or not day:
        return day
    return f"the {_PLACES[number]} {day}" if number in _PLACES else ""


def _month_days(parts: Mapping[str, Sequence[str]]) -> str:
    days = parts.get("BYMONTHDAY", ())
    named = ["the last day" if one == "-1" else one for one in days]
    if not named or not all(one.isdigit() or one == "the last day" for one in named):
        return ""
    return f" on {_and([one if one.startswith('the') else f'day {one}' for one in named])} of the month"


def _months(parts: Mapping[str, Sequence[str]]) -> str:
    months = parts.get("BYMONTH", ())
    if not months or not all(one.isdigit() and 0 < int(one) < 13 for one in months):
        return ""
    return f" in {_and([_MONTHS[int(one) - 1] for one in months])}"


def _until(rule: Rule, start: date | None) -> str:
    last = rule["UNTIL"][0] if rule.get("UNTIL") else None
    if not isinstance(last, date):
        return ""
    return f", until {wall(last, start or last).strftime('%Y-%m-%d')}"


def _and(names: Sequence[str], word: str = "and") -> str:
    return f" {word} ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _raw(parts: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{key}={','.join(values)}" for key, values in parts.items())
