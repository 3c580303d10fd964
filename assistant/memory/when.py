"""Time words of a question, in English, French, German and Spanish, as spans of time."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

import msgspec
import numpy as np

from assistant.memory.dates import (
    DAYS,
    HOLIDAYS,
    MONTHS,
    NAMES,
    NUMBER,
    SEASONS,
    UNIT,
    VAGUE,
    days_of,
    number_of,
    plain,
)  # fmt: skip
from assistant.memory.language import UNKNOWN
from assistant.memory.scan import Floats, Slots

__all__ = ["NAMES", "Span", "spans", "told"]

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_DAY = "|".join(DAYS)
_SEASON = "|".join(SEASONS)
_HOLIDAY = "|".join(sorted(HOLIDAYS, key=len, reverse=True))
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_DAY_MONTH = re.compile(
    rf"\b(?:(\d{{1,2}})(?:st|nd|rd|th|er|\.)?\s+(?:of\s+|de\s+)?({_MONTH})"
    rf"|({_MONTH})\s+(\d{{1,2}})(?:st|nd|rd|th)?)\b(?:,?\s+(?:del?\s+)?(\d{{4}}))?"
)
_MONTH_YEAR = re.compile(rf"\b({_MONTH})\b,?\s+(?:of\s+|del?\s+)?(\d{{4}})\b")
# "may" and "mars" are also other words: a bare month counts only after a preposition.
_IN_MONTH = re.compile(
    rf"\b(?:in|last|since|during|en|depuis|de|im|seit|letzten|vergangenen|desde)\s+({_MONTH})\b"
)
# What is counted or paid in thousands is no year.
_YEAR = re.compile(
    r"(?<![$€£])(?<!\d[.,])\b(19[5-9]\d|20\d\d)\b(?![.,]\d)(?!\s*(?:[€$£%]|(?:euros?|eur|dollars?|usd|pounds?|"
    r"francs?|franken|chf|dolares|pesos|kr|km|kilomet\w+|met(?:er|re)s?|miles|millas|kg|kilos?|grams?|"
    r"gramm|people|personnes|personen|leute|personas|words?|pages?|mal|times|fois|veces)\b))"
)
_AGO = re.compile(rf"\b{NUMBER}\s+{UNIT}\s+ago\b|\b(?:il y a|vor|hace)\s+{NUMBER}\s+{UNIT}\b")
_WITHIN = tuple(
    re.compile(before + rf"(?:{NUMBER}\s+)?" + after + rf"\s*{UNIT}\b")
    for before, after in (
        (r"\b(?:in|over|during|within|for) (?:the )?(?:last|past)\s+", ""),
        (r"\b(?:ces|les|des)\s+", r"(?:derniers|dernieres)"),
        (r"\b(?:ces|les|des) (?:derniers|dernieres)\s+", ""),
        (r"\b(?:den|die|der) (?:letzten|vergangenen)\s+", ""),
        (r"\bl[oa]s ultim[oa]s\s+", ""),
    )
)
"""The number, if there is one, and the unit."""
_MANY = ("s", "n", "tage", "monate", "jahre")
_LAST_DAY = re.compile(rf"\b(?:last|on|this)\s+({_DAY})\b|\b({_DAY})(?:\s+dernier)?\b")
_GONE = r"last|past|letzte[nrms]?|vergangene[nrms]?|vorige[nrms]?"
_GONE_AFTER = r"derniere?s?|dernier|passee?s?|passe|pasad[oa]s?"
_IN_SEASON = re.compile(
    rf"\b(?:({_GONE})|this|in|during|over|l'|le|cet|au|en|im|diese[nrm]?|el|la|est[ae])\s*(?:the\s+)?"
    rf"({_SEASON})\b(?:\s+({_GONE_AFTER}))?(?:\s+(?:of\s+|del?\s+)?(\d{{4}}))?"
)
_AT_HOLIDAY = re.compile(
    rf"\b(?:at|over|during|this|a|au|zu|an|en|{_GONE})\s+({_HOLIDAY})\b"
    r"(?:\s+(?:of\s+|del?\s+)?(\d{4}))?"
)
_RELATIVE = (
    (r"\b(?:the day before yesterday|avant-hier|vorgestern|anteayer|antes de ayer)\b", "day", 2),
    (r"\b(?:yesterday|last night|hier|gestern|ayer|anoche)\b", "day", 1),
    (
        r"\b(?:today|tonight|this morning|aujourd'hui|ce matin|ce soir|heute|hoy|esta manana|esta noche)\b",
        "day", 0,
    ),
    (
        rf"\b(?:(?:{_GONE}) (?:weekend|wochenende)|(?:week-?end|fin de semana) (?:{_GONE_AFTER}))\b",
        "weekend", 1,
    ),
    (r"\b(?:this weekend|ce week-?end|dieses wochenende|este fin de semana)\b", "weekend", 0),
    (
        rf"\b(?:last week|(?:semaine|semana) (?:{_GONE_AFTER})|(?:letzte|vorige|vergangene)[nr]? woche)\b",
        "week", 1,
    ),
    (r"\b(?:this week|cette semaine|diese[r]? woche|esta semana)\b", "week", 0),
    (
        rf"\b(?:last month|(?:mois|mes) (?:{_GONE_AFTER})|(?:letzten|vorigen|vergangenen) monat)\b",
        "month", 1,
    ),
    (r"\b(?:this month|ce mois-ci|diese[nm] monat|este mes)\b", "month", 0),
    (
        rf"\b(?:last year|(?:annee|l'an|ano) (?:{_GONE_AFTER})|(?:letzte|vorige|vergangene)[sn] jahr)\b",
        "year", 1,
    ),
    (r"\b(?:this year|cette annee|diese[sm] jahr|este ano)\b", "year", 0),
)  # fmt: skip
_HERE: Final = re.compile(r"\bhier\b")
"""German for "here", and French for "yesterday"."""


_SEASON_LASTS: Final = timedelta(days=91)


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


def spans(question: str, now: datetime, language: str = UNKNOWN) -> tuple[Span, ...]:
    """The times a question names, the most exact kind only; empty if it names none.

    Days begin at midnight in the zone of `now`.
    """
    text = plain(question)
    if language == "de":
        text = _HERE.sub("", text)
    for find in (_exact, _within, _relative, _ago, _holidays, _months, _seasons, _weekdays, _years):
        try:
            if found := find(text, now):
                return tuple(found)
        except (ValueError, OverflowError):  # "january 0000", "december 9999": no such time
            continue
    return ()


def told(statement: str, said: datetime) -> tuple[Span, ...]:
    """The times a statement names: of a day without a year, the nearest one, before or after."""
    exact = _exact(plain(statement), said + timedelta(days=182))
    return tuple(exact) or spans(statement, said)


def _exact(text: str, now: datetime) -> list[Span]:
    found = [_day(int(y), int(m), int(d), now) for y, m, d in _ISO.findall(text)]
    for day1, month1, month2, day2, year in _DAY_MONTH.findall(text):
        month, day = MONTHS[month1 or month2], int(day1 or day2)
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
        if unit in ("week", "weekend"):
            monday = today - timedelta(days=today.weekday() + 7 * back)
            saturday = monday + timedelta(days=5)
            weekend = _span(saturday, timedelta(days=2))
            return [weekend if unit == "weekend" else _span(monday, timedelta(days=7))]
        if unit == "month":
            month = today.year * 12 + today.month - 1 - back
            return [_month(month // 12, month % 12 + 1, now)]
        return [_years_span(today.year - back, now)]
    return []


def _within(text: str, now: datetime) -> list[Span]:
    found = []
    for words, unit in (groups for pattern in _WITHIN for groups in pattern.findall(text)):
        count = number_of(words) if words else VAGUE["a few"] if unit.endswith(_MANY) else 1
        length = timedelta(days=min(count * days_of(unit), 36_500))
        found.append(_span(now - length, length))
    return found


def _ago(text: str, now: datetime) -> list[Span]:
    found = []
    for number1, unit1, number2, unit2 in _AGO.findall(text):
        words, unit = number1 or number2, unit1 or unit2
        days = days_of(unit)
        far = min(number_of(words) * days, 36_500)
        about = far / 2 if words in VAGUE else min(far, days) / 2
        if far:
            found.append(_span(now - timedelta(days=far + about), timedelta(days=2 * about)))
    return found


def _holidays(text: str, now: datetime) -> list[Span]:
    found = []
    for name, year in _AT_HOLIDAY.findall(text):
        month, day, days = HOLIDAYS[name]
        begin = _midnight(int(year) if year else now.year, month, day, now)
        if begin > now and not year:
            begin = begin.replace(year=begin.year - 1)
        found.append(_span(begin, timedelta(days=days)))
    return found


def _months(text: str, now: datetime) -> list[Span]:
    if dated := _MONTH_YEAR.findall(text):
        return [_month(int(year), MONTHS[month], now) for month, year in dated]
    return [Span(month=MONTHS[month]) for month in _IN_MONTH.findall(text)]


def _seasons(text: str, now: datetime) -> list[Span]:
    found = []
    for before, season, after, year in _IN_SEASON.findall(text):
        begin = _midnight(int(year) if year else now.year, SEASONS[season], 1, now)
        # The last one is over.
        over = _SEASON_LASTS if before or after else timedelta(0)
        while begin + over > now and not year:
            begin = begin.replace(year=begin.year - 1)
        found.append(_span(begin, _SEASON_LASTS))
    return found


def _weekdays(text: str, now: datetime) -> list[Span]:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    for name1, name2 in _LAST_DAY.findall(text):
        back = (today.weekday() - DAYS[name1 or name2]) % 7 or 7
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
