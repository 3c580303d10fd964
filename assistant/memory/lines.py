"""Which memories stand side by side: those of one scope and thread, in the order they were said."""

from __future__ import annotations

import bisect
from array import array

import numpy as np

from assistant.memory.scan import Slots
from assistant.memory.slots import FOREVER, Row

NONE = -1
_Place = tuple[int, int]


class Lines:
    """Neighbours by slot. Rows that hold are linked; a new version stands where the old one stood."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._lines: list[array[int]] = []
        """The slots of each thread, in order."""
        self._line: Slots = np.zeros(0, np.int64)
        self._places: Slots = np.zeros((0, 2), np.int64)
        self._heirs: dict[str, _Place] = {}
        """Where rows will stand that were not added yet, by id."""
        self.before: Slots = np.zeros(0, np.int64)
        self.after: Slots = np.zeros(0, np.int64)

    def grow(self, capacity: int) -> None:
        """Have room for so many slots."""
        wider = np.full((3, capacity), NONE, np.int64)
        wider[:, : len(self.before)] = self.before, self.after, self._line
        self.before, self.after, self._line = (row.copy() for row in wider)
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
        number = self._numbers.setdefault((row.scope, row.thread), len(self._lines))
        if number == len(self._lines):
            self._lines.append(array("q"))
        self._line[slot] = number
        line = self._lines[number]
        at = len(line)
        if line and self._place(line[-1]) > place:  # mostly the newest comes last
            at = bisect.bisect(line, place, key=self._place)
        line.insert(at, slot)
        before = line[at - 1] if at else NONE
        after = line[at + 1] if at + 1 < len(line) else NONE
        self.before[slot], self.after[slot] = before, after
        return self._join(before, slot) + self._join(slot, after)

    def remove(self, slot: int, row: Row) -> list[int]:
        """Take a row out that was closed; the slots whose neighbours changed."""
        stood = self._line[slot] != NONE
        touched = self.drop(slot)
        if stood and row.superseded_by:
            self._pass_on(self._place(slot), row)
        return touched

    def drop(self, slot: int) -> list[int]:
        """Take a row out that is gone; the slots whose neighbours changed."""
        if (number := int(self._line[slot])) == NONE:
            return []
        line = self._lines[number]
        at = bisect.bisect_left(line, self._place(slot), key=self._place)
        del line[at]
        self._line[slot] = NONE
        before, after = int(self.before[slot]), int(self.after[slot])
        self.before[slot] = self.after[slot] = NONE
        return self._join(before, after)

    def _place(self, slot: int) -> _Place:
        said_at, seq = self._places[slot].tolist()
        return said_at, seq

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
