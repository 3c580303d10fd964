"""Which of very many unit vectors are near a question: sign bits choose, whoever has the vectors orders.

One pass over 144 bytes a row. How many signs differ follows the angle, roughly; three views of a row,
as it is and turned twice, make it less rough. Measured at 100,000 near-duplicates: of ten true
neighbours, one view has 7.3 among its best 1,000, three have 9.9.
"""

from __future__ import annotations

import functools
import os

# One thread: with two on a busy machine the same scan took 25 ms in place of 1.1. The daemon sets
# this before anything imports numpy; here it covers tests and tools.
for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
import simsimd  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

Floats = NDArray[np.float32]
Slots = NDArray[np.int64]
Mask = NDArray[np.bool_]
Distances = NDArray[np.uint16]

TURNS = 2
KEPT, KEPT_SHARE = 1_000, 0.006
"""Rows that go on to be ordered: so many, and this share of all."""

_SAMPLED = 64
_NOWHERE = np.iinfo(np.uint16).max


class Signs:
    """Sign bits by slot number."""

    def __init__(self, capacity: int, dim: int) -> None:
        self._turns = _turns(dim)
        self._bits = np.zeros((capacity, -(-(1 + TURNS) * dim // 8)), np.uint8)

    def grow(self, capacity: int) -> None:
        """Have room for so many slots."""
        bits = np.zeros((capacity, self._bits.shape[1]), np.uint8)
        bits[: len(self._bits)] = self._bits
        self._bits = bits

    def write(self, slots: Slots, vectors: Floats) -> None:
        """Set rows."""
        self._bits[slots] = self._views(vectors)

    def distances(self, query: Floats, count: int) -> Distances:
        """In how many signs each of the first `count` slots differs from the question, in all views."""
        if not count:
            return np.zeros(0, np.uint16)
        wanted = self._views(query[None, :])
        bits = self._bits[:count]
        differing = simsimd.cdist(wanted, bits, metric="hamming", dtype="bin8", out_dtype="float32")
        found: Distances = np.asarray(differing)[0].astype(np.uint16)
        return found

    def _views(self, vectors: Floats) -> NDArray[np.uint8]:
        views = (vectors, *(vectors @ turn for turn in self._turns))
        return np.packbits(np.concatenate(views, axis=1) > 0, axis=1)


@functools.cache
def _turns(dim: int) -> tuple[Floats, ...]:
    """Rotations, always the same ones."""
    rng = np.random.default_rng(dim)
    return tuple(
        np.linalg.qr(rng.standard_normal((dim, dim)))[0].astype(np.float32) for _ in range(TURNS)
    )


def kept(rows: int) -> int:
    """How many of so many rows are worth ordering."""
    return max(KEPT, int(KEPT_SHARE * rows))


def nearest(distances: Distances, allowed: Mask, count: int) -> Slots:
    """The `count` allowed slots of the smallest distances, in no order; all, where fewer are."""
    among = np.where(allowed, distances, _NOWHERE)
    sample = np.sort(among[::_SAMPLED])
    # A bound from a sample, generous: sorting all of a million takes longer than the whole scan.
    rank = min(len(sample) - 1, int(1.3 * count / _SAMPLED) + 8) if len(sample) else 0
    bound = sample[rank] if len(sample) else 0
    found = np.flatnonzero(among <= bound) if bound < _NOWHERE else np.flatnonzero(allowed)
    if len(found) < count and bound < _NOWHERE:
        found = np.flatnonzero(allowed)
    if len(found) > count:
        found = found[np.argpartition(among[found], count - 1)[:count]]
    return found


def best(slots: Slots, cosines: Floats, limit: int) -> Slots:
    """The `limit` slots of the highest cosines, the best first."""
    if len(slots) > limit:
        part = np.argpartition(-cosines, limit - 1)[:limit]
        slots, cosines = slots[part], cosines[part]
    return slots[np.argsort(-cosines, kind="stable")]
