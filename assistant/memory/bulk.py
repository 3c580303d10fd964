"""Many rows in one go that claim nothing: as few statements as the table allows, and nothing read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from assistant.memory import rows, trust
from assistant.memory.slots import Row

_ASKED_FOR = 500
"""Texts whose vectors are looked for in one statement."""


def insert(
    db: Database,
    fresh: Sequence[dict[str, Any]],
    episodes: Sequence[str],
    model: str,
    reused: list[tuple[int, bytes]],
) -> list[Row]:
    """Insert rows and where each was said; those that have a vector already are noted in `reused`.

    Raises Untrusted if one would be taken for the user's words and is not.
    """
    for row in fresh:
        trust.check(row["kind"], row["trust"])
    known = _known(db, model, [row["content_hash"] for row in fresh])
    first = _next(db)
    names = ("seq", *fresh[0], "embed_model")
    marks = ", ".join("?" * len(names))
    sql = f"INSERT INTO memories ({', '.join(names)}) VALUES ({marks})"  # noqa: S608
    values = [
        (first + n, *row.values(), model if row["content_hash"] in known else None)
        for n, row in enumerate(fresh)
    ]
    db.conn.executemany(sql, values)
    db.conn.executemany(
        "INSERT OR IGNORE INTO episodes (memory_id, episode, said_at) VALUES (?, ?, ?)",
        [
            (row["id"], episode or row["id"], row["said_at"])
            for row, episode in zip(fresh, episodes, strict=True)
        ],
    )
    for n, row in enumerate(fresh):
        if (vector := known.get(row["content_hash"])) is not None:
            reused.append((first + n, vector))
    return [rows.indexed_fresh(first + n, row) for n, row in enumerate(fresh)]


def keep_vectors(db: Database, model: str, given: Mapping[bytes, bytes]) -> None:
    """Store vectors by the hash of their text. Those whose text is not stored after all must go."""
    db.conn.executemany(
        "INSERT OR IGNORE INTO vectors (content_hash, model, dim, vector) VALUES (?, ?, ?, ?)",
        [(one, model, len(row) // 2, row) for one, row in given.items()],
    )


def drop_vectors(db: Database, hashes: Sequence[bytes]) -> None:
    """Remove vectors of these texts, where no row has the text."""
    sql = """DELETE FROM vectors WHERE content_hash = ?
             AND NOT EXISTS (SELECT 1 FROM memories m WHERE m.content_hash = vectors.content_hash)"""
    db.conn.executemany(sql, [(one,) for one in hashes])


def _next(db: Database) -> int:
    """The number that AUTOINCREMENT would give: no number ever comes twice."""
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'memories'").fetchone()
    return int(row[0]) + 1 if row else 1


def _known(db: Database, model: str, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for at in range(0, len(hashes), _ASKED_FOR):
        part = hashes[at : at + _ASKED_FOR]
        marks = ", ".join("?" * len(part))
        sql = f"SELECT content_hash, vector FROM vectors WHERE content_hash IN ({marks}) AND model = ?"  # noqa: S608
        found.update(db.execute(sql, [*part, model]).fetchall())
    return found
