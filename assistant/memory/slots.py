"""What goes into the index and comes out of it: rows, filters, views, candidates."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from assistant.memory.scan import Floats, Mask, Slots

FOREVER = np.iinfo(np.int64).max


class Row(msgspec.Struct, frozen=True):
    """A memory as the index sees it. Times are seconds since 1970."""

    seq: int
    id: str
    kind: str
    scope: str
    speaker: str | None
    thread: str | None
    lang: str
    said_at: int
    valid_from: int
    valid_to: int = FOREVER
    length: int = 0
    """Bytes of its text."""
    superseded_by: str | None = None


class Filter(msgspec.Struct, frozen=True):
    """What may be found at all. Applied before anything is ranked."""

    kinds: tuple[str, ...] | None = None
    scope: str | None = None
    """Rows of this scope and of none; None: of every scope."""
    at: int | None = None
    """Rows that held at this second; None: rows that hold now."""
    classes: tuple[str, ...] | None = None
    """Rows whose scope is in one of these classes (`types.in_classes`); None: all."""


class View(msgspec.Struct, frozen=True):
    """The rows that one filter lets through, as they were when it was asked for."""

    _seqs: Slots
    _mask: Mask
    _lengths: Any
    _mean: float

    def __len__(self) -> int:
        """How many they are."""
        return int(np.count_nonzero(self._mask))

    def allowed(self, seqs: Slots) -> Mask:
        """Which of these are among them."""
        at, known = self._find(seqs)
        return known & self._mask[at] if len(self._mask) else known

    def lengths(self, seqs: Slots) -> Floats:
        """How long each of these rows is, as a share of the mean of all rows."""
        at, _ = self._find(seqs)
        shares: Floats = (self._lengths[at] / max(1.0, self._mean)).astype(np.float32)
        return shares

    def _find(self, seqs: Slots) -> tuple[Slots, Mask]:
        if not len(self._seqs):
            return np.zeros(len(seqs), np.int64), np.zeros(len(seqs), np.bool_)
        at = np.minimum(np.searchsorted(self._seqs, seqs), len(self._seqs) - 1)
        return at, self._seqs[at] == seqs


class Candidates(msgspec.Struct, frozen=True):
    """Rows worth ranking, as parallel arrays."""

    slots: Slots
    seqs: Slots
    smooth: Floats
    """Cosine of the question to the row mixed with its neighbours; NaN without a vector."""
    own: Floats
    """Cosine to the row alone; NaN without a vector."""
    previous: Slots
    """Position among these candidates of the neighbour before; -1: not among them."""
    next: Slots
    said_at: Slots
    speakers: tuple[str | None, ...]
    langs: tuple[str, ...]
