"""The SQL of imports: other programs' files, as sources of what came in with them."""

from __future__ import annotations

import msgspec
from sqlite_utils import Database

from assistant.memory.ingest.rows import Options
from assistant.types import Source


def begin(db: Database, source_id: str, program: str, title: str, moment: str) -> None:
    """Something may come in with this file; the same file is the same source."""
    options = msgspec.json.encode(Options(program=program)).decode()
    db.execute(
        "INSERT INTO sources (id, kind, path, options, created_at) VALUES (?, 'import', ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        [source_id, title, options, moment],
    )


def drop_empty(db: Database, source_id: str) -> None:
    """A source that nothing is left of, or that nothing came in with, is none."""
    nothing = " AND ".join(
        f"NOT EXISTS (SELECT 1 FROM {table} WHERE source_id = ?1)"  # noqa: S608
        for table in ("memories", "conversations", "turns")
    )
    db.execute(f"DELETE FROM sources WHERE id = ?1 AND {nothing}", [source_id])  # noqa: S608


def listed(db: Database) -> list[Source]:
    """Every import that something is left of, oldest first."""
    sql = """
        SELECT id, path, options, created_at,
               (SELECT count(*) FROM memories WHERE source_id = s.id AND valid_to IS NULL),
               (SELECT count(*) FROM conversations WHERE source_id = s.id)
        FROM sources s WHERE kind = 'import' AND parent_id IS NULL ORDER BY created_at, id"""
    return [
        Source(
            id=source_id,
            kind="import",
            path=title or "",
            state="ready",
            created_at=created_at,
            program=msgspec.json.decode(options, type=Options).program,
            chunks=notes,
            conversations=chats,
        )
        for source_id, title, options, created_at, notes, chats in db.execute(sql)
    ]


def drop(db: Database, source_id: str) -> None:
    """The source, and conversations of it that have no turns; what came with it must be gone before."""
    db.execute("DELETE FROM conversations WHERE source_id = ?", [source_id])
    db.execute("DELETE FROM sources WHERE id = ?", [source_id])
