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
    asks: bool = False
    """Whether its text is a question."""


class Filter(msgspec.Struct, frozen=True):
    """What may be found at all. Applied before anything is ranked."""

    kinds: tuple[str, ...] | None = None
    scope: str | None = None
    """Rows of this scope and of none; None: of every scope."""
    at: int | None = None
    """Rows that held at this second; None: rows that hold now."""
    classes: tuple[str, ...] | None = None
    """Rows whose scope is in one of these classes (`types.in_classes`); None: all."""


class Focus(msgspec.Struct, frozen=True):
    """What a question is about beside its words: the nearest rows of these are candidates as well."""

    speakers: tuple[str, ...] = ()
    """As they are spelled in the rows."""
    spans: tuple[tuple[int, int], ...] = ()
    """From a second up to another one."""


class View(msgspec.Struct, frozen=True):
    """The rows that one filter lets through, as they were when it was asked for."""

    _seqs: Slots
    _mask: Mask
    _lengths: Any
    _mean: float

    def __len__(self) -> int:
        """How many they are."""
        return int(np.count_nonzero(self._mask))

    @property
    def newest(self) -> int:
        """The highest number among all rows; -1 where there are none."""
        return int(self._seqs[-1]) if len(self._seqs) else -1

    def allowed(self, seqs: Slots) -> Mask:
        """Which of these are among them."""
        at, known = place(self._seqs, seqs)
        return known & self._mask[at] if len(self._mask) else known

    def lengths(self, seqs: Slots) -> Floats:
        """How long each of these rows is, as a share of the mean of all rows."""
        at, _ = place(self._seqs, seqs)
        shares: Floats = (self._lengths[at] / max(1.0, self._mean)).astype(np.float32)
        return shares


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
    lengths: Floats
    """As shares of the mean."""
    asks: Mask
    by_asked: Mask
    """Whether somebody said it whom the question names."""
    by_nobody: Mask
    """Whether nobody in particular said it."""
    foreign: Mask
    """Whether it is known to be in another language than the question."""
    others: Mask | None = None
    """Whether it is known to speak of others than the question; None where nobody looked."""


def place(numbers: Slots, wanted: Slots) -> tuple[Slots, Mask]:
    """Where `wanted` stand in rising `numbers`, and which of them are there at all."""
    if not len(numbers) or not len(wanted):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
    # Numbers have few gaps, mostly none: then the place follows from the number.
    at = np.clip(wanted - numbers[0], 0, len(numbers) - 1)
    there = numbers[at] == wanted
    if not there.all():
        lost = ~there
        at[lost] = np.minimum(np.searchsorted(numbers, wanted[lost]), len(numbers) - 1)
        there[lost] = numbers[at[lost]] == wanted[lost]
    return at, there
