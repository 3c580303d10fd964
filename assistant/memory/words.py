"""Word search: a question as FTS5 queries, rarest words first, under a budget of postings.

FTS5 says which rows have a word; what may be found at all, how telling each word is and BM25 are
worked out here from those lists, with every word counted once a row. So what is closed or out of
scope weighs nothing, and no row's length has to be read from the file.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec
import numpy as np
from sqlite_utils import Database

from assistant.memory.language import stop_words
from assistant.memory.postings import NO_ROWS, POSTINGS, Postings
from assistant.memory.scan import Floats, Mask, Slots

WORDS_MOST = 32
RARE_ROWS = 3
"""A word in so few rows is rare, however few there are; else one in 200."""
SATURATION, LENGTH_SHARE = 1.2, 0.75
"""BM25's k1 and b, as FTS5 has them."""

_WORD = re.compile(r"\w+")


class View(Protocol):
    """The rows that may be found, as the index sees them."""

    def __len__(self) -> int:
        """How many there are."""

    @property
    def newest(self) -> int:
        """The highest number among all rows; -1 where there are none."""

    def allowed(self, seqs: Slots) -> Mask:
        """Which of these may be found."""

    def lengths(self, seqs: Slots) -> Floats:
        """How long each of these rows is, as a share of the mean."""


class Found(msgspec.Struct, frozen=True):
    """What words found among the allowed rows."""

    seqs: Slots
    """The best first."""
    scores: Floats
    """BM25; higher is better."""
    shares: Floats
    """Share of the question, by how telling its words are, that each row has."""
    rare: Slots
    """Rows that have a rare word of the question, rising; not only those in `seqs`."""
    named: Slots
    """Rows that have one of the names asked for in their text, rising."""

    @property
    def coverage(self) -> float:
        """Share of the question that the best row has; 1 where nothing was found."""
        return float(self.shares[0]) if len(self.shares) else 1.0


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
    words = (word for word in words_in(text) if word not in stop | pieces)
    return list(dict.fromkeys(words))[:WORDS_MOST]


def words_in(text: str) -> list[str]:
    """The words of a text in lower case, accents composed; vowel signs belong to their word."""
    text = unicodedata.normalize("NFC", text.lower())
    if not text.isascii():
        text = "".join(one if _in_word(one) else " " for one in text)
        return [word for word in text.split() if _WORD.search(word)]
    return _WORD.findall(text)


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"


def search(
    db: Database,
    words: Sequence[str],
    names: Iterable[str],
    view: View,
    limit: int,
    postings: Postings,
) -> Found:
    """The best `limit` allowed rows with any of `words`, common words left out beyond the budget."""
    total = len(view)
    counted = {word: postings.count(db, word, total) for word in words}

    def found(word: str, few: Slots | None = None) -> Slots:
        rows = postings.rows(db, word, view.newest) if few is None else few
        return rows[view.allowed(rows)]

    lists = []
    spent = 0
    for word, (count, few) in sorted(counted.items(), key=lambda one: one[1][0]):
        if spent and spent + count > POSTINGS:
            break
        spent += count
        lists.append(found(word, few))
    rare_most = max(RARE_ROWS, total // 200)
    rare = [rows for rows in lists if len(rows) <= rare_most]
    named = [found(name) for name in names]
    seqs, scores, shares = _score(lists, view, total)
    best = np.argsort(-scores, kind="stable")[:limit]
    return Found(seqs[best], scores[best], shares[best], _union(rare), _union(named))


def _score(lists: Sequence[Slots], view: View, total: int) -> tuple[Slots, Floats, Floats]:
    """All rows of the lists with BM25 and the share of the question they have."""
    if not any(map(len, lists)):
        return NO_ROWS, np.zeros(0, np.float32), np.zeros(0, np.float32)
    seqs, at = np.unique(np.concatenate(lists), return_inverse=True)
    counts = [len(rows) for rows in lists]
    rarity = [max(1e-6, math.log((total - n + 0.5) / (n + 0.5))) for n in counts]
    telling = [math.log(1 + total / (n + 1)) for n in counts]
    scores = np.bincount(at, weights=np.repeat(rarity, counts))
    shares = np.bincount(at, weights=np.repeat(telling, counts)) / sum(telling)
    longer = 1 - LENGTH_SHARE + LENGTH_SHARE * view.lengths(seqs)
    scores = scores * (SATURATION + 1) / (1 + SATURATION * longer)
    return seqs, scores.astype(np.float32), shares.astype(np.float32)


def _union(lists: Sequence[Slots]) -> Slots:
    return np.unique(np.concatenate(lists)) if lists else NO_ROWS
