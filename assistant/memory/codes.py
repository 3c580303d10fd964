"""Vectors at a byte a number, and cosines to them: 0.998 of what float32 would give, a quarter of its room.

A row is kept as it came from the model, less where the model puts neutral text of its language. What
the running means are beyond that is taken off when a cosine is asked for, so means may move freely.
"""

from __future__ import annotations

import numpy as np
import simsimd
from numpy.typing import NDArray

from assistant.memory.centre import Centre
from assistant.memory.scan import Floats, Slots

_BLOCK = 256
"""Rows that are gathered at once: 0.1 MB. When they were made float32, 1,000 at once, memory that was fresh
from the system each time, made p95 of a recall among 100,000 rows four times as long."""


class Codes:
    """int8 rows by slot number, with the language group of each."""

    def __init__(self, capacity: int, centre: Centre) -> None:
        self._centre = centre
        self._codes = np.zeros((capacity, centre.dim), np.int8)
        self._scales = np.zeros(capacity, np.float32)
        self._lengths = np.ones(capacity, np.float32)
        """Of the centred row, at the means in use."""
        self.groups = np.zeros(capacity, np.int8)

    def grow(self, capacity: int) -> None:
        """Have room for so many slots."""
        for name in ("_codes", "_scales", "_lengths", "groups"):
            old = getattr(self, name)
            wider = np.zeros((capacity, *old.shape[1:]), old.dtype)
            wider[: len(old)] = old
            setattr(self, name, wider)

    def write(self, slots: Slots, groups: NDArray[np.int8], vectors: Floats) -> None:
        """Set rows as the model made them."""
        off = vectors - self._centre.neutral[groups]
        scales = np.maximum(np.abs(off).max(axis=1), 1e-12) / 127.0
        self._codes[slots] = np.rint(off / scales[:, None]).astype(np.int8)
        self._scales[slots], self.groups[slots] = scales, groups
        self.centred(slots)

    def raw(self, slots: Slots) -> Floats:
        """Rows as the model made them, nearly."""
        rows: Floats = self._off(slots) + self._centre.neutral[self.groups[slots]]
        return rows

    def centred(self, slots: Slots) -> Floats:
        """Centred rows of unit length; their lengths are noted for `cosines`."""
        rows: Floats = self._off(slots) - self._centre.drift[self.groups[slots]]
        lengths = np.maximum(np.linalg.norm(rows, axis=1), 1e-9).astype(np.float32)
        self._lengths[slots] = lengths
        rows /= lengths[:, None]
        return rows

    def cosines(self, query: Floats, slots: Slots) -> Floats:
        """Of centred rows to a centred question."""
        products = np.empty(len(slots), np.float32)
        parts, steps = _in_parts(query)
        rows = np.empty((min(_BLOCK, len(slots)), len(query)), np.int8)
        for start in range(0, len(slots), _BLOCK):
            part = slots[start : start + _BLOCK]
            # Clipped, it writes where it should; else it makes a copy first.
            np.take(self._codes, part, axis=0, out=rows[: len(part)], mode="clip")
            dots = simsimd.cdist(parts, rows[: len(part)], metric="dot", dtype="int8")
            products[start : start + len(part)] = steps @ np.asarray(dots)
        drifts = (self._centre.drift @ query)[self.groups[slots]]
        cosines = (products * self._scales[slots] - drifts) / self._lengths[slots]
        return cosines.astype(np.float32, copy=False)

    def _off(self, slots: Slots) -> Floats:
        rows: Floats = self._codes[slots].astype(np.float32) * self._scales[slots, None]
        return rows


def _in_parts(query: Floats) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """A vector as two of int8, each times its step: exact to 1 part in 30,000 of its largest number."""
    step = max(float(np.abs(query).max()), 1e-12) / 127.0
    coarse = np.rint(query / step)
    fine = np.rint((query / step - coarse) * 254.0)
    return np.stack([coarse, fine]).astype(np.int8), np.array([step, step / 254.0])
