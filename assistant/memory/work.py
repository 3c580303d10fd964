"""What one transaction did: for the caller, and for the index."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlite_utils import Database

from assistant.memory import tables
from assistant.memory.slots import Row
from assistant.types import Effect, Memory


class Indexing(msgspec.Struct, frozen=True):
    """What the index must be told, once a transaction is durable."""

    added: Sequence[Row] = ()
    changed: Sequence[Row] = ()
    removed: Sequence[int] = ()
    reused: Sequence[tuple[int, bytes]] = ()

    @property
    def pending(self) -> bool:
        """Whether a row may wait for its vector."""
        return len(self.reused) < len(self.added)


class Work(msgspec.Struct):
    """What one transaction did, for the caller and for the index."""

    told: list[Memory] = []
    """What each text became, in order: a new row, or the one that said it already."""
    stored: list[str] = []
    closed: list[str] = []
    known: list[str] = []
    changed: list[str] = []
    """Rows whose index entries are out of date."""
    rewritten: list[str] = []
    removed: list[int] = []
    """Row numbers that are gone."""
    reused: list[tuple[int, bytes]] = []
    records: list[Row] = []
    """Of those stored, the ones that need not be read again for the index."""

    def index(self, db: Database) -> Indexing:
        """What the index must be told."""
        touched = dict.fromkeys(self.changed)
        records = {row.id: row for row in self.records if row.id not in touched}
        added = dict.fromkeys([*self.stored, *self.rewritten])
        fresh = tables.index_rows(db, [one for one in added if one not in records])
        return Indexing(
            sorted([*records.values(), *fresh], key=lambda row: row.seq),
            tables.index_rows(db, [one for one in touched if one not in added]),
            tuple(self.removed),
            tuple(self.reused),
        )

    def effect(self, db: Database) -> Effect:
        """As callers see it."""

        def rows_of(ids: Sequence[str]) -> tuple[Memory, ...]:
            return tuple(tables.get(db, one) for one in dict.fromkeys(ids))

        return Effect(rows_of(self.stored), rows_of(self.closed), rows_of(self.known))
