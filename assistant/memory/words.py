"""Word search: a question as an FTS5 query, rarest words first, under a budget of postings."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from sqlite_utils import Database

from assistant.memory.language import stop_words
from assistant.memory.scan import Floats, Slots

POSTINGS = 20_000
"""Matches looked at for one question: bounds the slowest search at a million rows."""
WORDS_MOST = 32
RARE_ROWS = 3
"""A word in so few rows is rare, however few there are; else one in 200."""

_WORD = re.compile(r"\w+")


class Found(msgspec.Struct, frozen=True):
    """What words found: rows with BM25 (higher is better), and rows that share a rare word."""

    seqs: Slots
    scores: Floats
    rare: frozenset[int] = frozenset()
    named: frozenset[int] = frozenset()
    """Rows that have one of the names asked for in their text."""
    coverage: float = 1.0
    """Share of the question, by how telling its words are, that the best row has."""


NOTHING = Found(np.zeros(0, np.int64), np.zeros(0, np.float32))


def content_words(text: str, language: str) -> list[str]:
    """The words worth searching, in order, once each: stop words of the language are left out."""
    stop = stop_words(language)
    # "isn't" and "qu'elle" are one word to people and two to the index: both ways are left out.
    pieces = {piece for word in stop for piece in word.split("'")} | {
        "s",
        "t",
        "ll",
        "ve",
        "re",
        "qu",
    }
    words = (word for word in _WORD.findall(text.lower()) if word not in stop | pieces)
    return list(dict.fromkeys(words))[:WORDS_MOST]


def search(db: Database, words: Sequence[str], names: Iterable[str] = (), rows: int = 0) -> Found:
    """All rows with any of `words`, least common words first, until the budget is spent.

    `rows` is how many there are in all.
    """
    all_counts = [(_count(db, word), word) for word in words]
    counted = sorted((count, word) for count, word in all_counts if count)
    if not counted:
        return NOTHING
    chosen: list[str] = []
    spent = 0
    for count, word in counted:
        if chosen and spent + count > POSTINGS:
            break
        chosen.append(word)
        spent += count
    found = db.execute(
        "SELECT rowid, -rank FROM memories_fts WHERE memories_fts MATCH ?", [_any_of(chosen)]
    ).fetchall()
    best = max(found, key=lambda row: row[1], default=(0, 0.0))[0]
    rare_most = max(RARE_ROWS, rows // 200)
    rare = [word for count, word in counted if count <= rare_most]
    return Found(
        np.array([seq for seq, _ in found], np.int64),
        np.array([score for _, score in found], np.float32),
        _rows_with(db, rare),
        _rows_with(db, list(names)),
        _coverage(db, best, all_counts, rows),
    )


def _count(db: Database, word: str) -> int:
    sql = "SELECT count(*) FROM (SELECT 1 FROM memories_fts WHERE memories_fts MATCH ? LIMIT ?)"
    return int(db.execute(sql, [_any_of([word]), POSTINGS + 1]).fetchone()[0])


def _coverage(db: Database, seq: int, counts: Sequence[tuple[int, str]], rows: int) -> float:
    sql = "SELECT 1 FROM memories_fts WHERE rowid = ? AND memories_fts MATCH ?"
    had = whole = 0.0
    for count, word in counts:
        telling = math.log(1 + rows / (count + 1))
        whole += telling
        if count and db.execute(sql, [seq, _any_of([word])]).fetchone():
            had += telling
    return had / whole if whole else 1.0


def _rows_with(db: Database, words: Sequence[str]) -> frozenset[int]:
    if not words:
        return frozenset()
    sql = "SELECT rowid FROM memories_fts WHERE memories_fts MATCH ? LIMIT 1000"
    return frozenset(seq for (seq,) in db.execute(sql, [_any_of(words)]))


def _any_of(words: Sequence[str]) -> str:
    # Quoted, a word is never syntax.
    return " OR ".join('"' + word.replace('"', '""') + '"' for word in words)
