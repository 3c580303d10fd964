"""All memories but their texts and vectors, by slot number: one array a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from assistant.memory.language import UNKNOWN
from assistant.memory.scan import Floats, Mask, Slots
from assistant.memory.slots import FOREVER, Filter, Row, View, place
from assistant.types import in_classes

NONE = -1
_MASKS = 8
_KINDS: dict[str, Any] = {
    "seq": np.int64, "said": np.int64, "start": np.int64, "end": np.int64, "kind": np.int32,
    "scope": np.int32, "speaker": np.int32, "lang": np.int16, "length": np.int32, "asks": np.bool_,
    "alive": np.bool_,
}  # fmt: skip


class Columns:
    """Rows in rising order of `seq`; one that is removed keeps its slot. Whoever calls holds a lock."""

    def __init__(self, capacity: int) -> None:
        self.count = 0
        self.names: tuple[str, ...] = ()
        """Everyone who said something that is remembered."""
        self._total_length = 0
        self._speakers: dict[str, int] = {}
        self._codes: dict[str, int] = {}
        self._coded: list[str] = []
        self._scopes: set[str] = set()
        self._masks: dict[Filter, Mask] = {}
        for name, kind in _KINDS.items():
            setattr(self, name, np.zeros(capacity, kind))

    seq: Slots
    said: Slots
    start: Slots
    end: Slots
    kind: Any
    scope: Any
    speaker: Any
    lang: Any
    length: Any
    asks: Mask
    alive: Mask

    @property
    def capacity(self) -> int:
        """Slots there is room for."""
        return len(self.seq)

    def grow(self, capacity: int) -> None:
        """Have room for so many slots."""
        for name, kind in _KINDS.items():
            wider = np.zeros(capacity, kind)
            wider[: self.count] = getattr(self, name)[: self.count]
            setattr(self, name, wider)

    def append(self, row: Row) -> int:
        """Add a row; its slot."""
        slot = self.count
        self.seq[slot], self.length[slot], self.asks[slot] = row.seq, row.length, row.asks
        self.lang[slot] = self._code("lang", row.lang)
        self.alive[slot] = True
        self._total_length += row.length
        self.count += 1
        self._set(slot, row)
        return slot

    def change(self, slot: int, row: Row) -> None:
        """Take what may change from a row."""
        self._count_speaker(self._coded[self.speaker[slot]], -1)
        self._set(slot, row)

    def remove(self, slot: int) -> None:
        """A row is gone."""
        self._count_speaker(self._coded[self.speaker[slot]], -1)
        self.alive[slot] = False
        self.start[slot], self.end[slot] = FOREVER, 0
        self._masks.clear()

    def slot(self, seq: int) -> int | None:
        """Where a row is; None for one that never was here or is gone."""
        at = int(np.searchsorted(self.seq[: self.count], seq))
        return at if at < self.count and self.seq[at] == seq and self.alive[at] else None

    def slots(self, seqs: Slots) -> tuple[Slots, Mask]:
        """Where rows are, and which of them are here."""
        at, known = place(self.seq[: self.count], seqs)
        return at, known & self.alive[at] if len(at) and self.count else known

    def allowed(self, which: Filter) -> Mask:
        """Which slots may be found. Not to be written to."""
        mask = self._masks.get(which)
        if mask is None:
            while len(self._masks) >= _MASKS:
                del self._masks[next(iter(self._masks))]
            mask = self._masks[which] = self._let_through(which)
        return mask

    def view(self, which: Filter) -> View:
        """The same for word search."""
        count = self.count
        return View(self.seq[:count], self.allowed(which), self.length[:count], self.mean_length)

    def are(self, kind: str, slots: Slots) -> Mask:
        """Which of these are of this kind."""
        code = self._codes.get(f"kind {kind}", NONE)
        found: Mask = self.kind[slots] == code
        return found

    def said_by(self, speakers: tuple[str, ...], slots: Slots | slice) -> Mask:
        """Which of these slots these people said; with an empty name, nobody in particular."""
        return self._one_of(self.speaker[slots], "speaker", speakers)

    def langs_of(self, slots: Slots) -> tuple[str, ...]:
        """The language of each."""
        return tuple(self._coded[code] for code in self.lang[slots].tolist())

    def foreign(self, language: str, slots: Slots) -> Mask:
        """Which are known to be in another language than this one; none if it is unknown."""
        if language == UNKNOWN:
            return np.zeros(len(slots), np.bool_)
        same, unknown = (self._codes.get(f"lang {one}", NONE) for one in (language, UNKNOWN))
        langs = self.lang[slots]
        found: Mask = (langs != same) & (langs != unknown)
        return found

    def lengths_of(self, slots: Slots) -> Floats:
        """How long each is, as a share of the mean."""
        shares: Floats = (self.length[slots] / self.mean_length).astype(np.float32)
        return shares

    @property
    def mean_length(self) -> float:
        """Bytes of a text."""
        return max(1.0, self._total_length / max(1, self.count))

    def _set(self, slot: int, row: Row) -> None:
        self.said[slot], self.start[slot], self.end[slot] = (
            row.said_at,
            row.valid_from,
            row.valid_to,
        )
        self.kind[slot] = self._code("kind", row.kind)
        self.scope[slot] = self._code("scope", row.scope)
        self._scopes.add(row.scope)
        self.speaker[slot] = self._code("speaker", row.speaker or "")
        self._count_speaker(row.speaker or "", 1)
        self._masks.clear()

    def _let_through(self, which: Filter) -> Mask:
        mask: Mask
        if which.at is None:
            mask = self.end[: self.count] == FOREVER
        else:
            mask = (self.start[: self.count] <= which.at) & (self.end[: self.count] > which.at)
        if which.kinds is not None:
            mask &= self._one_of(self.kind[: self.count], "kind", which.kinds)
        scopes = self.scope[: self.count]
        if which.scope is not None:
            mask &= self._one_of(scopes, "scope", (which.scope, ""))
        if which.classes is not None:
            visible = [one for one in self._scopes if in_classes(one, which.classes)]
            mask &= self._one_of(scopes, "scope", visible)
        return mask

    def _one_of(self, column: Any, what: str, values: Sequence[str]) -> Mask:
        wanted = np.zeros(len(self._coded) + 1, np.bool_)
        wanted[[self._codes.get(f"{what} {value}", NONE) for value in values]] = True
        wanted[NONE] = False  # where a value that no row has was noted
        found: Mask = wanted[column]
        return found

    def _code(self, what: str, value: str) -> int:
        name = f"{what} {value}"
        if (code := self._codes.get(name)) is None:
            code = self._codes[name] = len(self._coded)
            self._coded.append(value)
        return code

    def _count_speaker(self, name: str, by: int) -> None:
        if not name:
            return
        left = self._speakers.get(name, 0) + by
        known = name in self._speakers
        self._speakers[name] = left
        if left <= 0:
            del self._speakers[name]
        if not known or left <= 0:
            self.names = tuple(self._speakers)
