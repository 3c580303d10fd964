"""Which rows have a word, as FTS5 says; of common words it is remembered from one question to the next.

A row's text never changes: what is new has a higher number, and what is gone nobody may find. So only
the rows since the last time are asked for, and nothing where there are none.
"""

from __future__ import annotations

import threading
import unicodedata
from collections import OrderedDict

import numpy as np
from sqlite_utils import Database

from assistant.memory.scan import Slots

POSTINGS = 20_000
"""Matches looked at for one question: bounds the slowest search at a million rows."""
COMMON = 500
"""Rows from which on a word is remembered."""
COUNTS, LISTS = 20_000, 64
"""Words whose count is remembered, and words whose rows are: 10 MB at most."""

NONE = -1
NO_ROWS: Slots = np.zeros(0, np.int64)


class Postings:
    """Asked by the threads of all readers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, int]] = {}
        self._rows: OrderedDict[str, tuple[Slots, int]] = OrderedDict()
        """With the number up to which they are complete."""
        self._age = 0
        """Grows with each forgetting: what was asked for before one is not kept after it."""

    def count(self, db: Database, word: str, total: int) -> tuple[int, Slots | None]:
        """How many rows have it, of `total`, and which, where they are few.

        Of a common word it is as it was when the memory was smaller by a tenth, or larger.
        """
        count, then = self._counts.get(word, (0, -1))
        if then >= 0 and abs(total - then) <= total // 10:
            return count, None
        age = self._age
        few = _newest(db, word, NONE, COMMON)
        if len(few) < COMMON:
            return len(few), few
        count = _counted(db, word)
        with self._lock:
            if len(self._counts) >= COUNTS:
                self._counts.clear()
            if age == self._age:
                self._counts[word] = count, total
        return count, None

    def rows(self, db: Database, word: str, newest: int) -> Slots:
        """The newest rows with it, of closed ones too, and maybe of some that are gone.

        `newest` is the highest number there is; whoever asks learned it before this state of the database.
        """
        with self._lock:
            known, up_to = self._rows.get(word, (NO_ROWS, NONE))
            age = self._age
            if word in self._rows:
                self._rows.move_to_end(word)
        if up_to >= newest >= 0:
            return known
        since = _newest(db, word, int(known[-1]) if len(known) else NONE, POSTINGS + 1)
        rows = np.concatenate([known, since])[-POSTINGS - 1 :] if len(since) else known
        if len(rows) >= COMMON:
            self._keep(word, rows, newest, age)
        return rows

    def forget(self) -> None:
        """Drop all."""
        with self._lock:
            self._age += 1
            self._counts.clear()
            self._rows.clear()

    def _keep(self, word: str, rows: Slots, up_to: int, age: int) -> None:
        with self._lock:
            if age != self._age:
                return
            self._rows[word] = rows, up_to
            self._rows.move_to_end(word)
            while len(self._rows) > LISTS:
                self._rows.popitem(last=False)


def _counted(db: Database, word: str) -> int:
    sql = "SELECT count(*) FROM (SELECT 1 FROM memories_fts WHERE memories_fts MATCH ? LIMIT ?)"
    return int(db.execute(sql, [_quoted(word), POSTINGS + 1]).fetchone()[0])


def _newest(db: Database, word: str, after: int, most: int) -> Slots:
    """In rising order."""
    # One text in place of a row each: Python would take longer to fetch them than SQLite to find.
    sql = (
        "SELECT group_concat(rowid) FROM (SELECT rowid FROM memories_fts "
        "WHERE memories_fts MATCH ? AND rowid > ? ORDER BY rowid DESC LIMIT ?)"
    )
    joined = db.execute(sql, [_quoted(word), after, most]).fetchone()[0]
    return np.sort(np.fromstring(joined, np.int64, sep=",")) if joined else NO_ROWS


def _quoted(word: str) -> str:
    """The word for FTS5; quoted, it is never syntax."""
    whole, apart = unicodedata.normalize("NFC", word), unicodedata.normalize("NFD", word)
    # Texts are stored to the letter. FTS5 joins Latin accents itself, but no other signs.
    forms = {whole, apart} if any(one > "\u036f" for one in set(apart) - set(whole)) else {whole}
    return " OR ".join('"' + one.replace('"', '""') + '"' for one in sorted(forms))
