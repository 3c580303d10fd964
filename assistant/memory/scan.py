"""Which of very many unit vectors are near a question: sign bits choose, whoever has the vectors orders.

One pass over 96 bytes a row. How many signs differ follows the angle, roughly; three views of a row,
as it is and turned twice, make it less rough. Measured at 100,000 near-duplicates: of ten true
neighbours, one view has 7.3 among its best 1,000. All rows are compared in two views, and in the
third one the POOL times as many that are nearest there.
"""

from __future__ import annotations

import functools
import os

# One thread: with two on a busy machine the same scan took 25 ms in place of 1.1. The daemon sets
# this before anything imports numpy; here it covers tests and tools.
for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

Floats = NDArray[np.float32]
Slots = NDArray[np.int64]
Mask = NDArray[np.bool_]
Distances = NDArray[np.uint16]

TURNS = 2
KEPT, KEPT_SHARE = 1_200, 0.006
"""Rows that go on to be ordered: so many, and this share of all."""
POOL = 4
"""So many times the rows that are kept are compared in all views; 16 times finds nothing more."""

_BLOCK = 1 << 14
"""Rows a pass: what it writes stays in the second cache."""
_IN_A_BYTE = 3
"""Words of 64 signs whose differences fit one: bytes are added four times as fast as what holds all."""
_GATHERED = 1 << 12
_SAMPLED = 64
_NOWHERE = np.iinfo(np.uint16).max


class Signs:
    """Sign bits by slot number."""

    def __init__(self, capacity: int, dim: int) -> None:
        self._turns = _turns(dim)
        # A word of all rows, then the next word: each pass reads in order.
        self._bits = np.zeros((_words(2 * dim), capacity), np.uint64)
        # One row after the other: few are read.
        self._third = np.zeros((capacity, _words(dim)), np.uint64)

    def grow(self, capacity: int) -> None:
        """Have room for so many slots."""
        bits = np.zeros((len(self._bits), capacity), np.uint64)
        third = np.zeros((capacity, self._third.shape[1]), np.uint64)
        bits[:, : self._bits.shape[1]] = self._bits
        third[: len(self._third)] = self._third
        self._bits, self._third = bits, third

    def write(self, slots: Slots, vectors: Floats) -> None:
        """Set rows."""
        self._bits[:, slots] = self._two_views(vectors).T
        self._third[slots] = self._third_view(vectors)

    def distances(self, query: Floats, count: int) -> Distances:
        """In how many signs each of the first `count` slots differs from the question, in two views."""
        signs = self._two_views(query[None, :])[0]
        total = np.zeros(count, np.uint16)
        differing = np.empty((_IN_A_BYTE, min(_BLOCK, count)), np.uint64)
        ones = np.empty(differing.shape, np.uint8)
        for start in range(0, count, _BLOCK):
            part = total[start : start + _BLOCK]
            for word in range(0, len(self._bits), _IN_A_BYTE):
                bits = self._bits[word : word + _IN_A_BYTE, start : start + len(part)]
                some = np.s_[: len(bits), : len(part)]
                wanted = signs[word : word + len(bits), None]
                np.bitwise_xor(bits, wanted, out=differing[some])
                np.bitwise_count(differing[some], out=ones[some])
                part += ones[some].sum(axis=0, dtype=np.uint8)
        return total

    def third(self, query: Floats, slots: Slots) -> Distances:
        """The same of these slots in the third view."""
        signs = self._third_view(query[None, :])
        total = np.empty(len(slots), np.uint16)
        rows = np.empty((min(_GATHERED, len(slots)), signs.shape[1]), np.uint64)
        ones = np.ones(signs.shape[1], np.float32)
        for start in range(0, len(slots), _GATHERED):
            part = slots[start : start + _GATHERED]
            differing = rows[: len(part)]
            # Clipped, it writes where it should; else it makes a copy first.
            np.take(self._third, part, axis=0, out=differing, mode="clip")
            np.bitwise_xor(differing, signs, out=differing)
            # A product with ones is three times as fast as the sum of short rows.
            total[start : start + len(part)] = np.bitwise_count(differing).astype(np.float32) @ ones
        return total

    def nearest(self, query: Floats, distances: Distances, allowed: Mask, count: int) -> Slots:
        """At least the `count` allowed slots nearest in all views; `distances` are those in two."""
        found = nearest(distances, allowed, POOL * count)
        if len(found) > count:
            all_views = distances[found] + self.third(query, found)
            found = found[np.argpartition(all_views, count - 1)[:count]]
        return found

    def _two_views(self, vectors: Floats) -> NDArray[np.uint64]:
        return _packed(np.concatenate([vectors, vectors @ self._turns[0]], axis=1))

    def _third_view(self, vectors: Floats) -> NDArray[np.uint64]:
        return _packed(vectors @ self._turns[1])


def _words(signs: int) -> int:
    return (signs + 63) // 64


def _packed(vectors: Floats) -> NDArray[np.uint64]:
    packed = np.packbits(vectors > 0, axis=1)
    padded = np.zeros((len(vectors), 8 * _words(vectors.shape[1])), np.uint8)
    padded[:, : packed.shape[1]] = packed
    return padded.view(np.uint64)


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
    """At least the `count` allowed slots of the smallest distances, in no order; all, where fewer are."""
    among = np.where(allowed, distances, _NOWHERE)
    sample = np.sort(among[::_SAMPLED])
    # A bound from a sample, generous: sorting all of a million takes longer than the whole scan.
    rank = min(len(sample) - 1, int(1.3 * count / _SAMPLED) + 8) if len(sample) else 0
    bound = sample[rank] if len(sample) else 0
    found = np.flatnonzero(among <= bound) if bound < _NOWHERE else np.flatnonzero(allowed)
    if len(found) < count and bound < _NOWHERE:
        found = np.flatnonzero(allowed)
    if len(found) > 2 * count:
        found = found[np.argpartition(among[found], count - 1)[:count]]
    return found


def best(slots: Slots, cosines: Floats, limit: int) -> Slots:
    """The `limit` slots of the highest cosines, the best first."""
    if len(slots) > limit:
        part = np.argpartition(-cosines, limit - 1)[:limit]
        slots, cosines = slots[part], cosines[part]
    return slots[np.argsort(-cosines, kind="stable")]
