"""The database as rows of an export, of one moment and a few at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlite_utils import Database

from assistant import __version__
from assistant.memory.transfer import format as form
from assistant.memory.transfer.layout import (
    OWN_SETTINGS,
    Layout,
    Table,
    layout,
    of_conversation,
    unfollowed,
)

FETCHED = 500


def export(db: Database, moment: str, *, vectors: bool = True) -> Iterator[bytes]:
    """The lines of an export; `db` must stay in one read transaction until the last was taken."""
    parts = layout(db)
    shapes = {one.name: form.Shape(one.columns, _count(db, one)) for one in parts}
    schema = [name for (name,) in db.execute("SELECT name FROM migrations ORDER BY name")]
    header = form.Header("export", form.FORMAT, moment, __version__, tuple(schema), shapes)
    return form.written(header, _rows(db, parts, vectors))


def _rows(db: Database, parts: Layout, vectors: bool) -> Iterator[form.Row]:
    for table in parts.before:
        with_vectors = vectors and table.name == "memories"
        yield from _with_vectors(db, table) if with_vectors else _plain(db, table)
    chats, *hanging = parts.group
    wanted = [(one, of_conversation(one, parts)) for one in hanging]
    for conversation in _plain(db, chats):
        yield conversation
        for one, condition in wanted:
            yield from _plain(db, one, condition, [conversation.row["id"]])
    for table in parts.after:
        yield from _plain(db, table)


def _plain(
    db: Database, table: Table, condition: str = "1", values: Sequence[Any] = ()
) -> Iterator[form.Row]:
    if table.name == "settings":
        condition = _SETTINGS
    order = table.order
    sql = f"SELECT {table.selected} FROM {table.name} t WHERE {condition} ORDER BY {order}"  # noqa: S608
    if table.parent:  # a row after the one it names
        sql = (
            f"WITH RECURSIVE tree(id, depth) AS (SELECT id, 0 FROM {table.name} "  # noqa: S608
            f"WHERE {table.parent} IS NULL UNION ALL SELECT c.id, depth + 1 FROM {table.name} c "
            f"JOIN tree ON c.{table.parent} = tree.id) SELECT {table.selected} FROM {table.name} t "
            f"JOIN tree USING (id) WHERE {condition} ORDER BY depth, {order}"
        )
    found = db.execute(sql, list(values))
    while batch := found.fetchmany(FETCHED):
        for row in batch:
            yield form.Row(table.name, unfollowed(table.name, _told(table.columns, row)))


def _with_vectors(db: Database, table: Table) -> Iterator[form.Row]:
    found = db.execute(
        f"SELECT {table.selected} FROM memories t ORDER BY t.seq"  # noqa: S608
    )
    at = table.columns.index("content_hash")
    while batch := found.fetchmany(FETCHED):
        known = _vectors(db, [row[at] for row in batch])
        for row in batch:
            yield form.Row("memories", _told(table.columns, row), known.get(row[at], ()))


def _vectors(db: Database, hashes: Sequence[bytes]) -> dict[bytes, tuple[form.Vector, ...]]:
    marks = ", ".join("?" * len(hashes))
    sql = (
        "SELECT content_hash, model, dim, vector FROM vectors "  # noqa: S608
        f"WHERE content_hash IN ({marks}) ORDER BY content_hash, model"
    )
    found: dict[bytes, tuple[form.Vector, ...]] = {}
    for content_hash, model, dim, vector in db.execute(sql, list(hashes)):
        found[content_hash] = (*found.get(content_hash, ()), form.Vector(model, dim, vector))
    return found


def _told(columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    return {name: form.told(stored) for name, stored in zip(columns, row, strict=True)}


def _count(db: Database, table: Table) -> int:
    condition = _SETTINGS if table.name == "settings" else "1"
    sql = f"SELECT count(*) FROM {table.name} t WHERE {condition}"  # noqa: S608
    return int(db.execute(sql).fetchone()[0])


_SETTINGS = " AND ".join(f"t.name NOT LIKE '{prefix}%'" for prefix in OWN_SETTINGS)
