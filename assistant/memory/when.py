"""Time words of a question, English and French, as spans of time."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import msgspec
import numpy as np

from assistant.memory.scan import Floats, Slots

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan janvier", "february feb février fevrier", "march mar mars",
            "april apr avril", "may mai", "june jun juin", "july jul juillet",
            "august aug août aout", "september sep sept septembre", "october oct octobre",
            "november nov novembre", "december dec décembre decembre",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
_DAYS = {
    name: number
    for number, names in enumerate(
        ("monday lundi", "tuesday mardi", "wednesday mercredi", "thursday jeudi",
         "friday vendredi", "saturday samedi", "sunday dimanche")
    )
    for name in names.split()
}  # fmt: skip
_SEASONS = {
    "spring": 3, "printemps": 3, "summer": 6, "été": 6, "autumn": 9, "fall": 9, "automne": 9,
    "winter": 12, "hiver": 12,
}  # fmt: skip
_UNITS = {
    "day": 1, "jour": 1, "week": 7, "semaine": 7, "month": 30, "mois": 30, "year": 365, "an": 365,
    "année": 365,
}  # fmt: skip
_NUMBERS = {
    name: number
    for number, names in enumerate(
        ("a an one un une", "two deux", "three trois", "four quatre", "five cinq", "six",
         "seven sept", "eight huit", "nine neuf", "ten dix"), 1
    )
    for name in names.split()
}  # fmt: skip

NAMES = frozenset((*_MONTHS, *_DAYS))
"""Of months and days, in lower case."""

_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY = "|".join(_DAYS)
_SEASON = "|".join(_SEASONS)
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_DAY_MONTH = re.compile(
    rf"\b(?:(\d{{1,2}})(?:st|nd|rd|th|er)?\s+(?:of\s+)?({_MONTH})"
    rf"|({_MONTH})\s+(\d{{1,2}})(?:st|nd|rd|th)?)\b(?:,?\s+(\d{{4}}))?"
)
_MONTH_YEAR = re.compile(rf"\b({_MONTH})\b,?\s+(?:of\s+)?(\d{{4}})\b")
# "may" and "mars" are also other words: a bare month counts only after a preposition.
_IN_MONTH = re.compile(rf"\b(?:in|last|since|during|en|depuis|de)\s+({_MONTH})\b(?:\s+dernier)?")
_YEAR = re.compile(r"\b(19[5-9]\d|20\d\d)\b")
_AGO = re.compile(
    r"\b(\d{1,3}|[a-z]+)\s+(day|week|month|year)s?\s+ago\b"
    r"|\bil y a\s+(\d{1,3}|[a-z]+)\s+(jour|semaine|mois|an|année)s?\b"
)
_LAST_DAY = re.compile(rf"\b(?:last|on|this)\s+({_DAY})\b|\b({_DAY})(?:\s+dernier)?\b")
_LAST_SEASON = re.compile(
    rf"\b(?:last|this|in|during|l'|le|cet|au|en)\s*(?:the\s+)?({_SEASON})\b(?:\s+(?:of\s+)?(\d{{4}}))?"
)
_RELATIVE = (
    (r"\b(?:the day before yesterday|avant-hier)\b", "day", 2),
    (r"\b(?:yesterday|last night|hier)\b", "day", 1),
    (r"\b(?:today|tonight|this morning|aujourd'hui|ce matin|ce soir)\b", "day", 0),
    (r"\b(?:last week|la semaine dernière|la semaine passée)\b", "week", 1),
    (r"\b(?:this week|cette semaine)\b", "week", 0),
    (r"\b(?:last month|le mois dernier)\b", "month", 1),
    (r"\b(?:this month|ce mois-ci)\b", "month", 0),
    (r"\b(?:last year|l'année dernière|l'an dernier)\b", "year", 1),
    (r"\b(?:this year|cette année)\b", "year", 0),
)


class Span(msgspec.Struct, frozen=True):
    """From `start` up to `end`, seconds since 1970; or one month of every year."""

    start: int = 0
    end: int = 0
    month: int = 0

    def fits(self, moments: Slots) -> Floats:
        """1 inside, falling to 0 one length away: people say when only roughly. Of seconds since 1970."""
        if self.month:
            months = moments.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
            fitting: Floats = (months % 12 + 1 == self.month).astype(np.float32)
            return fitting
        slack = min(max(self.end - self.start, 2 * 86_400), 31 * 86_400)
        # At its end a span is over.
        away = np.maximum(self.start - moments, moments - self.end)
        inside = (self.start <= moments) & (moments < self.end)
        near = np.maximum(0.0, 0.5 * (1 - away / slack))
        return np.where(inside, 1.0, near).astype(np.float32)


def spans(question: str, now: datetime) -> tuple[Span, ...]:
    """The times a question names, the most exact kind only; empty if it names none.

    Days begin at midnight in the zone of `now`.
    """
    text = question.lower().replace("’", "'")  # noqa: RUF001
    for find in (_exact, _relative, _ago, _months, _seasons, _weekdays, _years):
        try:
            if found := find(text, now):
                return tuple(found)
        except (ValueError, OverflowError):  # "january 0000", "december 9999": no such time
            continue
    return ()


def _exact(text: str, now: datetime) -> list[Span]:
    found = [_day(int(y), int(m), int(d), now) for y, m, d in _ISO.findall(text)]
    for day1, month1, month2, day2, year in _DAY_MONTH.findall(text):
        month, day = _MONTHS[month1 or month2], int(day1 or day2)
        if year:
            found.append(_day(int(year), month, day, now))
        else:
            this = _day(now.year, month, day, now)
            late = this is not None and this.start > now.timestamp()
            found.append(_day(now.year - 1, month, day, now) if late else this)
    return [span for span in found if span is not None]


def _relative(text: str, now: datetime) -> list[Span]:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for pattern, unit, back in _RELATIVE:
        if not re.search(pattern, text):
            continue
        if unit == "day":
            return [_span(today - timedelta(days=back), timedelta(days=1))]
        if unit == "week":
            monday = today - timedelta(days=today.weekday() + 7 * back)
            return [_span(monday, timedelta(days=7))]
        if unit == "month":
            month = today.year * 12 + today.month - 1 - back
            return [_month(month // 12, month % 12 + 1, now)]
        return [_years_span(today.year - back, now)]
    return []


def _ago(text: str, now: datetime) -> list[Span]:
    found = []
    for number1, unit1, number2, unit2 in _AGO.findall(text):
        word = number1 or number2
        count = int(word) if word.isdigit() else _NUMBERS.get(word, 0)
        days = _UNITS[unit1 or unit2]
        if count:
            middle = now - timedelta(days=min(count * days, 36_500))
            found.append(_span(middle - timedelta(days=days / 2), timedelta(days=days)))
    return found


def _months(text: str, now: datetime) -> list[Span]:
    if dated := _MONTH_YEAR.findall(text):
        return [_month(int(year), _MONTHS[month], now) for month, year in dated]
    return [Span(month=_MONTHS[month]) for month in _IN_MONTH.findall(text)]


def _seasons(text: str, now: datetime) -> list[Span]:
    found = []
    for season, year in _LAST_SEASON.findall(text):
        first = _SEASONS[season]
        begin = _midnight(int(year) if year else now.year, first, 1, now)
        if begin > now and not year:
            begin = begin.replace(year=begin.year - 1)
        found.append(_span(begin, timedelta(days=91)))
    return found


def _weekdays(text: str, now: datetime) -> list[Span]:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    for name1, name2 in _LAST_DAY.findall(text):
        back = (today.weekday() - _DAYS[name1 or name2]) % 7 or 7
        found.append(_span(today - timedelta(days=back), timedelta(days=1)))
    return found


def _years(text: str, now: datetime) -> list[Span]:
    return [_years_span(int(year), now) for year in _YEAR.findall(text)]


def _day(year: int, month: int, day: int, now: datetime) -> Span | None:
    try:
        return _span(_midnight(year, month, day, now), timedelta(days=1))
    except (ValueError, OverflowError):
        return None


def _month(year: int, month: int, now: datetime) -> Span:
    begin = _midnight(year, month, 1, now)
    return _span(begin, _midnight(year + month // 12, month % 12 + 1, 1, now) - begin)


def _years_span(year: int, now: datetime) -> Span:
    begin = _midnight(year, 1, 1, now)
    return _span(begin, _midnight(year + 1, 1, 1, now) - begin)


def _midnight(year: int, month: int, day: int, now: datetime) -> datetime:
    return datetime(year, month, day, tzinfo=now.tzinfo)


def _span(begin: datetime, length: timedelta) -> Span:
    return Span(int(begin.timestamp()), int((begin + length).timestamp()))
