"""The SQL of sources and their files, and of the passages that come from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlite_utils import Database

from assistant.memory import rows as memory_rows
from assistant.memory import tables
from assistant.memory.ingest import jobs
from assistant.memory.ingest.passages import Passage, data, label
from assistant.memory.ingest.plan import Chunk, Known
from assistant.memory.ingest.walk import Found
from assistant.memory.slots import Row
from assistant.types import Memory, NewMemory, Source, SourceFile, new_id

ROOTS = "parent_id IS NULL AND kind IN ('folder', 'file')"
_KNOWN = ", ".join(Known.__struct_fields__)


class Options(msgspec.Struct, frozen=True):
    """What is kept of a source besides its columns."""

    ignore: tuple[str, ...] = ()
    hidden: bool = False
    skipped: dict[str, int] = {}
    program: str = ""
    """Of an import: which program the file is of."""


class Stored(msgspec.Struct, frozen=True):
    """What a transaction changed, for whoever keeps derived data."""

    memories: list[Memory] = []
    added: list[Row] = []
    reused: list[tuple[int, bytes]] = []
    """Rows whose text had a vector already."""
    removed: tuple[tuple[int, str], ...] = ()
    """`seq` and id of rows that are gone."""
    closed: list[Row] = []


# --- sources -----------------------------------------------------------------------------------


def add_source(db: Database, kind: str, path: str, options: Options, moment: str) -> str:
    source_id = new_id("s")
    db.execute(
        "INSERT INTO sources (id, kind, path, state, options, created_at, updated_at) "
        "VALUES (?, ?, ?, 'indexing', ?, ?, ?)",
        [source_id, kind, path, _json(options), moment, moment],
    )
    return source_id


def sources(db: Database) -> list[Source]:
    """Every source the user allowed, oldest first."""
    columns = "id, kind, path, state, problem, options, created_at"
    found = db.execute(f"SELECT {columns} FROM sources WHERE {ROOTS} ORDER BY id").fetchall()  # noqa: S608
    counts = _counts(db)
    latest = jobs.latest(db)
    return [_source(row, counts.get(row[0], (0, 0, 0)), latest.get(row[0])) for row in found]


def _source(row: Sequence[Any], counts: tuple[int, int, int], job: Any) -> Source:
    source_id, kind, path, state, problem, raw, created_at = row
    options = msgspec.json.decode(raw, type=Options)
    files, failed, chunks = counts
    return Source(
        id=source_id,
        kind=kind,
        path=path or "",
        state=state,
        problem=problem,
        created_at=created_at,
        ignore=options.ignore,
        hidden=options.hidden,
        skipped=options.skipped,
        files=files,
        failed=failed,
        chunks=chunks,
        job=job,
    )


def _counts(db: Database) -> dict[str, tuple[int, int, int]]:
    sql = """
        SELECT f.parent_id, sum(f.state <> 'failed'), sum(f.state = 'failed'),
               sum((SELECT count(*) FROM memories m WHERE m.source_id = f.id AND m.valid_to IS NULL))
        FROM sources f WHERE f.parent_id IS NOT NULL GROUP BY f.parent_id"""
    return {row[0]: (row[1] or 0, row[2] or 0, row[3] or 0) for row in db.execute(sql)}


def set_source(db: Database, source_id: str, moment: str, **changes: Any) -> None:
    values = changes | {"updated_at": moment}
    names = ", ".join(f"{name} = ?" for name in values)
    db.execute(f"UPDATE sources SET {names} WHERE id = ?", [*values.values(), source_id])  # noqa: S608


def set_skipped(db: Database, source_id: str, skipped: dict[str, int]) -> None:
    (raw,) = db.execute("SELECT options FROM sources WHERE id = ?", [source_id]).fetchone()
    options = msgspec.structs.replace(msgspec.json.decode(raw, type=Options), skipped=skipped)
    db.execute("UPDATE sources SET options = ? WHERE id = ?", [_json(options), source_id])


def drop_source(db: Database, source_id: str) -> None:
    """The source, its files and its jobs; its passages must be gone before."""
    db.execute("DELETE FROM sources WHERE id = ?", [source_id])


# --- files -------------------------------------------------------------------------------------


def files(
    db: Database, source_id: str, *, after: str, limit: int, state: str | None
) -> list[SourceFile]:
    """Files of a source by path, from behind `after`."""
    sql = """
        SELECT id, path, state, problem, size, updated_at,
               (SELECT count(*) FROM memories m WHERE m.source_id = f.id AND m.valid_to IS NULL)
        FROM sources f WHERE parent_id = ? AND path > ? AND (? IS NULL OR state = ?)
        ORDER BY path LIMIT ?"""
    found = db.execute(sql, [source_id, after, state, state, limit])
    return [SourceFile(r[0], r[1], r[2], r[3], r[4], r[6], r[5]) for r in found]


def known(db: Database, source_id: str) -> dict[str, Known]:
    """Every file of a source that was read, by path."""
    sql = f"SELECT {_KNOWN} FROM sources WHERE parent_id = ?"  # noqa: S608
    found = (Known(*row) for row in db.execute(sql, [source_id]))
    return {one.path: one for one in found}


def known_at(db: Database, source_id: str, places: Sequence[str]) -> tuple[dict[str, Known], int]:
    """Every file at these places and below, by path, and how many are elsewhere.

    No place may lie below another.
    """
    # '0' is the character after '/'.
    sql = (
        f"SELECT {_KNOWN} FROM sources WHERE parent_id = ?1 AND path = ?2 "  # noqa: S608
        f"UNION ALL SELECT {_KNOWN} FROM sources WHERE parent_id = ?1 AND path > ?3 AND path < ?4"
    )
    found: dict[str, Known] = {}
    for place in places:
        here = db.execute(sql, [source_id, place, f"{place}/", f"{place}0"])
        found |= {one.path: one for one in (Known(*row) for row in here)}
    total = db.execute("SELECT count(*) FROM sources WHERE parent_id = ?", [source_id])
    return found, int(total.fetchone()[0]) - len(found)


def chunks(db: Database, file_id: str) -> list[Chunk]:
    """The live passages of a file, in order."""
    sql = "SELECT seq, content_hash FROM memories WHERE source_id = ? AND valid_to IS NULL ORDER BY seq"
    return [Chunk(seq, content_hash) for seq, content_hash in db.execute(sql, [file_id])]


def put_file(
    db: Database,
    file_id: str,
    parent_id: str,
    found: Found,
    moment: str,
    *,
    content_hash: bytes,
    state: str,
    problem: str,
    reader: int,
) -> None:
    """A file as it is now."""
    db.execute(
        """INSERT INTO sources (id, kind, parent_id, path, hash, size, changed_ns, device, inode, state,
               problem, reader, created_at, updated_at)
           VALUES (?, 'file', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, size = excluded.size,
               changed_ns = excluded.changed_ns, device = excluded.device, inode = excluded.inode,
               state = excluded.state, problem = excluded.problem, reader = excluded.reader,
               updated_at = excluded.updated_at""",
        [file_id, parent_id, found.path, content_hash, found.size, found.changed_ns, found.device,
         found.inode, state, problem, reader, moment, moment],
    )  # fmt: skip


def set_away(db: Database, file_ids: Sequence[str], problem: str) -> None:
    db.conn.executemany(
        "UPDATE sources SET state = 'unavailable', problem = ? WHERE id = ? AND state <> 'unavailable'",
        [(problem, one) for one in file_ids],
    )


# --- passages ----------------------------------------------------------------------------------


def fresh(
    passage: Passage, *, name: str, file_id: str, said_at: str, moment: str
) -> dict[str, Any]:
    """The columns of a new passage. Raises InvalidInput where it cannot be stored."""
    new = NewMemory(
        text=passage.text,
        kind="chunk",
        said_at=passage.said_at or said_at,
        source=label(name, passage.place),
        thread=file_id,
        trust="file",
    )
    row = memory_rows.fresh(new, moment)
    return row | {
        "valid_from": min(row["valid_from"], moment),
        "source_id": file_id,
        "place": json.dumps(data(passage.place), ensure_ascii=False),
    }


def insert(db: Database, new: Sequence[dict[str, Any]], model: str) -> Stored:
    memories, added, reused = tables.insert(db, new, model)
    return Stored(memories, added, reused)


def retire(db: Database, seqs: Sequence[int], root_id: str, moment: str) -> Stored:
    """Passages that are not in their file any more go.

    One that an answer has quoted is closed and kept with its source instead: when the source is removed,
    that answer has to be found and cleaned.
    """
    removed, closed = [], []
    for seq in seqs:
        (memory_id,) = db.execute("SELECT id FROM memories WHERE seq = ?", [seq]).fetchone()
        if db.execute("SELECT 1 FROM recalls WHERE memory_id = ?", [memory_id]).fetchone():
            db.execute(
                "UPDATE memories SET valid_to = max(?, valid_from), source_id = ? WHERE seq = ?",
                [moment, root_id, seq],
            )
            closed.append(memory_id)
        else:
            db.execute("DELETE FROM memories WHERE seq = ?", [seq])
            removed.append((seq, memory_id))
    return Stored(removed=tuple(removed), closed=tables.index_rows(db, closed))


def drop_file(db: Database, file_id: str, root_id: str, moment: str) -> Stored:
    """A file that is not there any more, with its passages."""
    stored = retire(db, [chunk.seq for chunk in chunks(db, file_id)], root_id, moment)
    db.execute("DELETE FROM sources WHERE id = ?", [file_id])
    return stored


def passages_of(db: Database, source_id: str, limit: int) -> list[str]:
    """Some ids of what is remembered from a source and its files, closed ones too; the newest first."""
    sql = """
        SELECT id FROM memories WHERE source_id = ?1
            OR source_id IN (SELECT id FROM sources WHERE parent_id = ?1)
        ORDER BY seq DESC LIMIT ?2"""
    return [one for (one,) in db.execute(sql, [source_id, limit])]


def count_passages(db: Database, source_id: str) -> int:
    sql = """
        SELECT count(*) FROM memories WHERE source_id = ?1
            OR source_id IN (SELECT id FROM sources WHERE parent_id = ?1)"""
    return int(db.execute(sql, [source_id]).fetchone()[0])


def _json(options: Options) -> str:
    return msgspec.json.encode(options).decode()
