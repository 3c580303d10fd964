"""Times told by an event: "before the trip" is before the day that a memory of the trip names.

Where it names none, before the day it was told. In English, French, German and Spanish; a soft sign, like
all times of a question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec
from sqlite_utils import Database

from assistant.memory import tables, when, words
from assistant.memory.dates import plain
from assistant.memory.postings import Postings
from assistant.memory.question import Question
from assistant.memory.slots import Filter, Focus, View
from assistant.memory.words import content_words

AROUND: Final = timedelta(days=60)
"""How far before or after an event counts."""
READ: Final = 12
"""Rows that may tell of it, the best first."""
WORDS_MOST: Final = 4

_WHOSE: Final = (
    r"(?:(?:the|my|our|his|her|their|le|la|les|mon|ma|mes|notre|nos|son|sa|der|die|das|dem|den|"
    r"meine[mnr]?|mein|unsere[mnr]?|el|los|las|mi|mis|nuestr[oa]s?|su)\s+|l'|\w+'s\s+)"
)
_TIMED: Final = re.compile(
    r"\b(?:(?P<before>before|avant|vor|antes del?)|after|since|apres|depuis|nach|seit|despues del?|desde)"
    rf"(?:\s+{_WHOSE}|(?<=\bdel)\s+)(?P<event>[^\W\d][^?.!,;:]*)"
)


class _Told(NamedTuple):
    """A row that speaks of an event."""

    dated: bool
    """Whether its text says when."""
    stated: bool
    """Whether it is no question."""
    said_at: str
    start: int
    end: int


def dated(
    db: Database, question: Question, which: Filter, view: View, postings: Postings
) -> Question:
    """The question with the time before or after what it names, where a memory tells of that."""
    found = _TIMED.search(plain(question.text)) if not question.spans else None
    if found is None:
        return question
    event = content_words(found["event"], question.language)[:WORDS_MOST]
    hits = words.search(db, event, (), view, READ, postings) if event else None
    if hits is None or not len(hits.seqs):
        return question
    whole = hits.seqs[hits.shares >= 1 - 1e-6].tolist()
    told = max(_told(db, whole, which), default=None)
    if told is None:
        return question
    reach = int(AROUND.total_seconds())
    span = (
        when.Span(told.start - reach, told.start)
        if found["before"]
        else when.Span(told.end, told.end + reach)
    )
    focus = Focus(question.focus.speakers, ((span.start, span.end),))
    return msgspec.structs.replace(question, spans=(span,), focus=focus)


def _told(db: Database, seqs: Sequence[int], which: Filter) -> Iterable[_Told]:
    for make in tables.recalled_rows(db, seqs, which).values():
        row = make(0.0)
        said = datetime.fromisoformat(row.said_at)
        spans = [span for span in when.told(row.text, said) if span.end]
        moment = int(said.timestamp())
        start = min((span.start for span in spans), default=moment)
        end = max((span.end for span in spans), default=moment)
        yield _Told(bool(spans), not row.text.rstrip().endswith("?"), row.said_at, start, end)
