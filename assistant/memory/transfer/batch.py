"""A batch of what an importer gives: where it comes from, and what became of it."""

from __future__ import annotations

from typing import Any

import msgspec

from assistant.config import LIMITS
from assistant.memory.slots import Row
from assistant.memory.tombstones import Tombstone
from assistant.memory.transfer.records import Skipped
from assistant.memory.work import Indexing


class From(msgspec.Struct, frozen=True):
    """What a batch comes from."""

    origin: str
    """Key of the importer."""
    label: str
    """The program's name."""
    title: str
    """The file's or folder's own name."""
    system: str
    """What opens a conversation that goes on here."""
    moment: str
    mine: frozenset[str] = frozenset()
    """The texts that the user said yes to, as `trust.approval` has them: these become their own."""


class Loaded(msgspec.Struct):
    """What became of a batch, and what the index must learn."""

    added: dict[str, int] = {}
    same: dict[str, int] = {}
    different: dict[str, int] = {}
    forgotten: dict[str, int] = {}
    """What was forgotten here, and stays so."""
    skipped: list[Skipped] = []
    """The first of what was left out."""
    left_out: int = 0
    rows: list[Row] = []
    changed: list[Row] = []
    removed: list[int] = []
    vectors: list[tuple[int, bytes]] = []
    pending: bool = False
    stones: list[Tombstone] = []
    notes: list[str] = []
    """Of a dry run: short notes that are nobody's own yet, to be shown for a yes."""

    @classmethod
    def nothing(cls) -> Loaded:
        """Empty, and nobody else's."""
        return cls({}, {}, {}, {}, [], 0, [], [], [], [], notes=[])

    def count(self, counts: dict[str, int], table: str) -> None:
        """One more."""
        counts[table] = counts.get(table, 0) + 1

    def tell(self, table: str, here: bool) -> None:
        """One more that is here already, or is new."""
        self.count(self.same if here else self.added, table)

    def skip(self, one: Skipped) -> None:
        """Something is left out."""
        self.left_out += 1
        if len(self.skipped) < LIMITS.skips_told:
            self.skipped.append(one)

    def join(self, part: Loaded) -> None:
        """Add another batch's counts."""
        for name in ("added", "same", "different", "forgotten"):
            mine, more = getattr(self, name), getattr(part, name)
            for table, count in more.items():
                mine[table] = mine.get(table, 0) + count
        self.left_out += part.left_out
        self.notes += part.notes[: LIMITS.import_statements - len(self.notes)]
        self.skipped += part.skipped[: LIMITS.skips_told - len(self.skipped)]

    def told(self) -> dict[str, Any]:
        """The outcome for clients: the first things that were left out, and how many there were."""
        first = [msgspec.structs.asdict(one) for one in self.skipped]
        return {
            "added": self.added,
            "same": self.same,
            "different": self.different,
            "forgotten": self.forgotten,
            "skipped": first,
            "skipped_count": self.left_out,
            "notes": self.notes,
        }

    def learn(self, indexing: Indexing) -> None:
        """Add what the index must be told."""
        self.changed += indexing.changed
        self.removed += indexing.removed
        self.rows += indexing.added
        self.vectors += indexing.reused
        self.pending |= indexing.pending
