"""Which memories stand side by side: those of one scope and thread, in the order they were said."""

from __future__ import annotations

import bisect

import numpy as np

from assistant.memory.scan import Slots
from assistant.memory.slots import FOREVER, Row

NONE = -1
_Place = tuple[int, int]
_Entry = tuple[int, int, int]


class Lines:
    """Neighbours by slot. Rows that hold are linked; a new version stands where the old one stood."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], list[_Entry]] = {}
        self._places: Slots = np.zeros((0, 2), np.int64)
        self._heirs: dict[str, _Place] = {}
        """Where rows will stand that were not added yet, by id."""
        self.before: Slots = np.zeros(0, np.int64)
        self.after: Slots = np.zeros(0, np.int64)

    def grow(self, capacity: int) -> None:
        """Have room for so many slots."""
        wider = np.full((2, capacity), NONE, np.int64)
        wider[:, : len(self.before)] = self.before, self.after
        self.before, self.after = wider[0], wider[1]
        places = np.zeros((capacity, 2), np.int64)
        places[: len(self._places)] = self._places
        self._places = places

    def add(self, slot: int, row: Row) -> list[int]:
        """Put a new row between its neighbours; the slots whose neighbours changed."""
        if not row.thread:
            return []
        place = self._heirs.pop(row.id, (row.said_at, row.seq))
        self._places[slot] = place
        if row.valid_to != FOREVER:
            self._pass_on(place, row)
            return []
        line = self._lines.setdefault((row.scope, row.thread), [])
        entry = (*place, slot)
        at = bisect.bisect(line, entry)
        line.insert(at, entry)
        before = line[at - 1][2] if at else NONE
        after = line[at + 1][2] if at + 1 < len(line) else NONE
        self.before[slot], self.after[slot] = before, after
        return self._join(before, slot) + self._join(slot, after)

    def remove(self, slot: int, row: Row) -> list[int]:
        """Take a row out that was closed or is gone; the slots whose neighbours changed."""
        line = self._lines.get((row.scope, row.thread or ""), [])
        said_at, seq = self._places[slot].tolist()
        entry = (said_at, seq, slot)
        at = bisect.bisect_left(line, entry)
        if at == len(line) or line[at] != entry:
            return []
        del line[at]
        if not line:
            del self._lines[row.scope, row.thread or ""]
        before, after = int(self.before[slot]), int(self.after[slot])
        self.before[slot] = self.after[slot] = NONE
        touched = self._join(before, after)
        if row.superseded_by:
            self._pass_on((said_at, seq), row)
        return touched

    def _pass_on(self, place: _Place, row: Row) -> None:
        if row.superseded_by:
            known = self._heirs.get(row.superseded_by, place)
            self._heirs[row.superseded_by] = min(known, place)

    def _join(self, before: int, after: int) -> list[int]:
        if before != NONE:
            self.after[before] = after
        if after != NONE:
            self.before[after] = before
        return [one for one in (before, after) if one != NONE]
