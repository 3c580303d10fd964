"""mem0: its `history.db` (SQLite), or what `get_all` returns saved as JSON.

Taken from mem0ai/mem0, mem0/memory/storage.py (commit 04111ef3) and `Memory.get_all`. Table `history`:
`memory_id`, `old_memory`, `new_memory`, `event` (ADD, UPDATE, DELETE), `created_at`, `updated_at`,
`is_deleted`, to which rows are only ever added; what each memory says now is its last row. Releases
0.1.118 and 1.0.5 write a DELETE without its times, newer ones with them: times order nothing. JSON:
`{"results": [{"id", "memory", "created_at", "updated_at", "user_id"}]}`, or that list alone. A memory that
mem0 has changed since an earlier import supersedes what came in then. Its `messages` are a cache of the
last ten, and stay out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from assistant.memory.transfer import archive as files
from assistant.memory.transfer.fields import items, mapping, moment, text
from assistant.memory.transfer.jsonlist import Broken, elements
from assistant.memory.transfer.records import Note, Record, Skipped

LABEL = "mem0"
_COLUMNS = {"memory_id", "new_memory", "event"}


def reads(archive: files.Archive) -> bool:
    """Whether this is such a database or list."""
    for name in archive.names():
        if not name.endswith((".db", ".sqlite", ".sqlite3", ".json")):
            continue
        start = files.head(archive, name, 1 << 16)
        if start.startswith(files.SQLITE):
            with archive.database(name) as db:
                if files.tables(db).get("history", set()) >= _COLUMNS:
                    return True
        elif b'"memory"' in start and b'"id"' in start:
            return True
    return False


def read(archive: files.Archive) -> Iterator[Record]:
    """Its memories as they are now; of the database, deleted ones are told as left out."""
    for name in sorted(archive.names()):
        if files.head(archive, name, 16) == files.SQLITE:
            yield from _database(archive, name)
        elif name.endswith(".json"):
            with archive.open(name) as file:
                yield from _list(elements(file), files.base(name))


def _database(archive: files.Archive, name: str) -> Iterator[Record]:
    with archive.database(name) as db:
        deleted = 0
        for found in map(dict, db.execute(_newest(files.tables(db)["history"]))):
            words = text(found.get("new_memory")).strip()
            if found["gone"] or not words:
                deleted += 1
                continue
            times = (moment(found.get(name)) for name in ("updated_at", "created_at", "began"))
            at = next(filter(None, times), None)
            yield Note(text(found["memory_id"]), words, f"{files.base(name)}, history", "model", at)
        if deleted:
            yield Skipped(f"deleted memories: {deleted}", files.base(name), "mem0 has deleted them")


def _newest(columns: set[str]) -> str:
    """Each memory's last row, whether any of its rows deletes it, and when the first was written."""
    marked = " OR coalesce(is_deleted, 0) NOT IN (0, '0')" if "is_deleted" in columns else ""
    began = "min(created_at)" if "created_at" in columns else "min(NULL)"
    inner = (
        f"SELECT *, max(upper(event) = 'DELETE'{marked}) OVER same AS gone, {began} OVER same AS began, "  # noqa: S608
        "row_number() OVER (PARTITION BY memory_id ORDER BY rowid DESC) AS n "
        "FROM history WINDOW same AS (PARTITION BY memory_id)"
    )
    return f"SELECT * FROM ({inner}) WHERE n = 1 ORDER BY memory_id"  # noqa: S608


def _list(found: Iterator[Any], file: str) -> Iterator[Record]:
    number = 0
    for outer in found:
        if isinstance(outer, Broken):
            yield Skipped("memory", f"{file}, entry {number + 1}", outer.why)
            continue
        whole = mapping(outer)
        for one in map(mapping, items(whole.get("results")) if "results" in whole else [whole]):
            number += 1
            place = f"{file}, entry {number}"
            if words := text(one.get("memory")).strip():
                at = moment(one.get("updated_at")) or moment(one.get("created_at"))
                yield Note(text(one.get("id")) or f"text:{words}", words, place, "model", at)
            else:
                yield Skipped("memory", place, "it has no text")
        if "relations" in whole:
            yield Skipped("graph of relations", file, "only memories in words come in")
