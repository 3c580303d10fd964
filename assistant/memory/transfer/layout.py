"""Which tables and columns an export has, and in which order; read from the database itself.

So a column or a table that is added later is exported without anyone thinking of it. What is left out
is left out by name, here, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlite_utils import Database

from assistant.memory.pump import SERVING

LEFT_OUT = {
    "migrations": "the file names its schema in its header",
    "vectors": "each memory's line carries its own",
    "tokens": "secrets open this machine, not the memory",
    "devices": "a device is paired with a machine",
    "tombstones": "what was forgotten is nobody's to carry about, and its key stays here",
    "jobs": "work that belongs to this machine",
}
DERIVED_COLUMNS = {"memories": ("embed_model",)}
OWN_SETTINGS = ("model of ", "prior of ", "tombstone_key:", SERVING)
"""Names of settings that belong to this machine, or to its key, begin so."""
OWN_COLUMNS = {"sources": {"state", "problem"}, "conversations": {"system"}}
"""Columns that tell how things stand on one machine: here they may differ, and are the same rows."""
BROUGHT = (
    "It came with an import, and is not followed here. Resuming it reads it on this machine: "
    "what was read from files that it does not have here goes then."
)
GROUP = "conversations"
"""Each of its rows is followed by all that hangs on it."""


class Reference(msgspec.Struct, frozen=True):
    """A column that names a row of another table."""

    column: str
    table: str
    target: str
    """The column it names; `seq` is exported as that row's `id`."""


class Table(msgspec.Struct, frozen=True):
    """A table as exported. `seq`, a row's place, is not: it is given anew."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    """What makes two rows the same one."""
    references: tuple[Reference, ...] = ()
    has_seq: bool = False
    types: tuple[type, ...] = ()
    """What the values of each column are, in Python; `object` where the table does not say."""
    required: tuple[str, ...] = ()
    """Columns that are never empty."""

    @property
    def selected(self) -> str:
        """The columns as SQL, of a row called `t`."""
        by_seq = {one.column: one.table for one in self.references if one.target == "seq"}
        return ", ".join(
            f"(SELECT id FROM {by_seq[name]} WHERE seq = t.{name})"  # noqa: S608
            if name in by_seq
            else f"t.{name}"
            for name in self.columns
        )

    def placeholder(self, column: str) -> str:
        """How a column's value is put into SQL."""
        for one in self.references:
            if one.column == column and one.target == "seq":
                return f"(SELECT seq FROM {one.table} WHERE id = ?)"  # noqa: S608
        return "?"

    @property
    def order(self) -> str:
        """The order of its rows as SQL: as they were stored, else by key."""
        return "t.seq" if self.has_seq else ", ".join(f"t.{name}" for name in self.key)

    @property
    def parent(self) -> str | None:
        """The column that names another row of this table, by its `id`."""
        own = [one.column for one in self.references if one.table == self.name]
        return own[0] if own else None


def unfollowed(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as it leaves a machine, and as it comes in: what is read there takes a yes here."""
    followed = table == "sources" and is_root(row) and row.get("state") != "removing"
    return {**row, "state": "paused", "problem": BROUGHT} if followed else dict(row)


def is_root(row: Mapping[str, Any]) -> bool:
    """Whether a row of `sources` is a folder or file that is allowed, not one of a folder's files."""
    return row.get("kind") in ("folder", "file") and row.get("parent_id") is None


class Layout(msgspec.Struct, frozen=True):
    """All tables, in the order of a file."""

    before: tuple[Table, ...]
    group: tuple[Table, ...]
    """The conversations and what hangs on them; each conversation with its own, one after another."""
    after: tuple[Table, ...]

    def __iter__(self) -> Iterator[Table]:
        """Every table, after those its rows refer to."""
        return iter((*self.before, *self.group, *self.after))


def layout(db: Database) -> Layout:
    """What is exported of this database."""
    every = _sorted([_table(db, name) for name in _names(db)])
    group = [one for one in every if one.name == GROUP or of_conversation(one, every)]
    late = {one.name for one in group}
    before, after = [], []
    for one in every:
        if one in group:
            continue
        if late & {ref.table for ref in one.references}:
            late.add(one.name)
            after.append(one)
        else:
            before.append(one)
    return Layout(tuple(before), tuple(group), tuple(after))


def _sorted(found: Sequence[Table]) -> list[Table]:
    by_name = {one.name: one for one in found}
    done: dict[str, Table] = {}

    def visit(table: Table) -> None:
        for ref in table.references:
            if ref.table in by_name and ref.table != table.name and ref.table not in done:
                visit(by_name[ref.table])
        done.setdefault(table.name, table)

    for one in found:
        visit(one)
    return list(done.values())


def of_conversation(table: Table, every: Iterable[Table]) -> str:
    """The condition, as SQL, for the rows `t` that hang on one conversation; empty if none can."""
    for ref in table.references:
        if ref.table == GROUP and ref.target == "id":
            return f"t.{ref.column} = ?"
    by_name = {one.name: one for one in every}
    for ref in table.references:
        through = by_name.get(ref.table)
        for step in through.references if through and through is not table else ():
            if step.table == GROUP and step.target == "id":
                inner = f"SELECT {ref.target} FROM {ref.table} WHERE {step.column} = ?"  # noqa: S608
                return f"t.{ref.column} IN ({inner})"
    return ""


def _names(db: Database) -> list[str]:
    virtual = [
        name
        for name, sql in db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        if sql.upper().startswith("CREATE VIRTUAL")
    ]
    listed = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
    return [
        name
        for (name,) in listed.fetchall()
        if not name.startswith("sqlite_")
        and name not in LEFT_OUT
        and not any(name == one or name.startswith(one + "_") for one in virtual)
    ]


def _table(db: Database, name: str) -> Table:
    info = db.execute(f"PRAGMA table_xinfo({name})").fetchall()
    columns = [row[1] for row in info if not row[6]]
    has_seq = "seq" in columns
    out = {"seq", *DERIVED_COLUMNS.get(name, ())} if has_seq else DERIVED_COLUMNS.get(name, ())
    kept = tuple(one for one in columns if one not in out)
    references = tuple(
        Reference(row[3], row[2], row[4] or "id")
        for row in db.execute(f"PRAGMA foreign_key_list({name})").fetchall()
    )
    places = {one.column for one in references if one.target == "seq"}
    types = {row[1]: str if row[1] in places else _TYPES.get(row[2], object) for row in info}
    return Table(
        name,
        kept,
        _key(db, name, info, kept),
        references,
        has_seq,
        tuple(types[column] for column in kept),
        tuple(row[1] for row in info if row[3] and row[1] in kept),
    )


_TYPES: dict[str, type] = {"TEXT": str, "INTEGER": int, "REAL": float, "BLOB": bytes}


def _key(db: Database, name: str, info: Sequence[Any], kept: tuple[str, ...]) -> tuple[str, ...]:
    primary = tuple(row[1] for row in sorted(info, key=lambda row: row[5]) if row[5])
    if "id" in kept:
        return ("id",)
    if primary and primary != ("seq",):
        return primary
    for _, index, unique, *_ in db.execute(f"PRAGMA index_list({name})").fetchall():
        found = tuple(row[2] for row in db.execute(f"PRAGMA index_info({index})").fetchall())
        if unique and all(one in kept for one in found):
            return found
    return kept
