"""What a batch of so many rows costs here, and what follows from it. Pure; learns from every step.

It depends on the machine, the model and the neighbours, and not evenly: ggml's CPU kernels take rows
four at a time, a GPU takes hundreds for the price of one.
"""

from __future__ import annotations

from bisect import bisect_left

SIZES = (1, 2, 3, 4, 8, 12, 16, 24, 32, 48, 64, 128, 256)
CURVE = (1.0, 1.75, 2.2, 2.4, 4.2, 5.2, 6.2, 8.8, 10.7, 15.5, 20.0, 29.0, 56.0)
"""The starter model on two cores; a machine's own figures take its place one by one."""
ALONE = 128
"""Prompt tokens of a step when nobody waits for the next word: about as fast as any larger number,

and whoever comes meanwhile waits for no more than this."""
WHOLE = 256
"""Prompt tokens up to which a prompt is read at once."""
PATIENCE = 2.3
"""How many times longer than usual a stream may wait for its next token while a prompt is read."""
_WEIGHT = 0.15
_STALE = 300
"""Steps after which a size that was too dear may be tried again: a neighbour may have gone."""


class Costs:
    """Mean seconds per number of rows."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}
        self._seen: dict[int, int] = {}
        self._steps = 0

    def took(self, rows: int, seconds: float) -> None:
        """A batch of so many rows is done. Sizes between ours say nothing."""
        self._steps += 1
        if rows not in SIZES:
            return
        old = self._seconds.get(rows, seconds)
        self._seconds[rows] = old + _WEIGHT * (seconds - old)
        self._seen[rows] = self._steps
        stale = self._steps - _STALE
        for size in [s for s, at in self._seen.items() if s > rows and at < stale]:
            del self._seconds[size], self._seen[size]

    def __call__(self, rows: int) -> float:
        """The cost of `rows` rows, in batches of one row."""
        return self._price(rows) / self._price(1)

    @property
    def measured(self) -> bool:
        """Whether it is known what one row costs here."""
        return 1 in self._seconds

    def seconds(self, rows: int) -> float:
        """The cost of `rows` rows; in batches of one row of the curve before anything was measured."""
        return self._price(rows)

    def beside(self, streams: int, waiting: int = ALONE) -> int:
        """Prompt tokens, of so many that wait, which may join a step of so many streams; at least one."""
        if not streams:
            # Cut in two, a prompt is read more slowly than at once.
            return waiting if waiting <= WHOLE else ALONE
        limit, best = PATIENCE * self._price(streams), 1
        for size in SIZES:
            if size > streams and self._price(size) <= limit:
                best = size - streams
        return best

    def _price(self, rows: int) -> float:
        """Measured where it was; else the curve, from the next smaller size that was measured."""
        at = bisect_left(SIZES, rows)
        if at == len(SIZES):
            return self._known(SIZES[-1]) * rows / SIZES[-1]
        if SIZES[at] == rows:
            return self._known(rows)
        low, high = SIZES[at - 1], SIZES[at]
        below, above = self._known(low), self._known(high)
        return below + (above - below) * (rows - low) / (high - low)

    def _known(self, size: int) -> float:
        if size in self._seconds:
            return self._seconds[size]
        base = max((s for s in self._seconds if s < size), default=0) or min(
            self._seconds, default=0
        )
        if not base:
            return CURVE[SIZES.index(size)]
        return self._seconds[base] * CURVE[SIZES.index(size)] / CURVE[SIZES.index(base)]
