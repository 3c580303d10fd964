"""The words that an FTS5 index holds, deleted ones too, read from its own tables.

A query shows what the index answers with; a word of a deleted row may still stand in a segment until
segments are merged. Format: SQLite's fts5_index.c, "leaf pages".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from sqlite_utils import Database

_HEIGHT_BITS, _PAGE_BITS = 5, 31
_FIRST_SEGMENT = 1 << (_HEIGHT_BITS + _PAGE_BITS + 1)
"""Rows below hold the structure and the averages."""


def indexes(db: Database) -> list[str]:
    """Every full-text index of the database."""
    sql = "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
    return [name for name, made in db.execute(sql) if re.search(r"USING\s+fts5\s*\(", made, re.I)]


def holds(db: Database, index: str, terms: Collection[str]) -> set[str]:
    """Which of these terms stand in a segment of the index."""
    wanted = {term.encode(): term for term in terms}
    endings = {term[-3:] for term in wanted}
    found: set[str] = set()
    sql = f"SELECT block FROM [{index}_data] WHERE id >= ?"  # noqa: S608
    for (block,) in db.execute(sql, [_FIRST_SEGMENT]):
        # Terms share their beginnings with the one before; the last letters are always there.
        if any(ending in block for ending in endings):
            found |= {wanted[term] for term in _terms(block) if term in wanted}
    return found


def _terms(block: bytes) -> Iterator[bytes]:
    """The terms of a leaf; none of a page that is no leaf or has none."""
    if len(block) < 4:
        return
    footer = int.from_bytes(block[2:4], "big")
    at, place, term = footer, 0, b""
    first = True
    while at < len(block):
        step, at = _varint(block, at)
        place += step
        if not 4 <= place < footer:
            return
        here, kept = place, 0
        if not first:
            kept, here = _varint(block, here)
        size, here = _varint(block, here)
        if kept > len(term) or here + size > footer:
            return
        term = term[:kept] + block[here : here + size]
        first = False
        yield term[1:]  # the first byte tells the index of whole words from those of prefixes


def _varint(block: bytes, at: int) -> tuple[int, int]:
    value = 0
    for _ in range(9):
        if at >= len(block):
            return value, at
        byte = block[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value, at
