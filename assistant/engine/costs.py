"""What a batch of so many rows costs here, and what follows from it. Pure; learns from every step.

It depends on the machine, the model and the neighbours, and not evenly: ggml's CPU kernels take rows
four at a time, and two rows can cost more than twice one; a GPU takes hundreds for the price of one.
"""

from __future__ import annotations

from bisect import bisect_left

SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256)
ANSWERED = (
    1.0, 2.3, 2.9, 3.2, 4.2, 4.2, 4.2, 4.2, 5.1, 5.5, 8.4, 10.4, 15.0, 19.0, 26.0, 33.0, 60.0,
)  # fmt: skip
READ = (1.0, 1.8, 2.15, 2.25, 3.0, 3.1, 3.2, 3.2, 3.9, 4.2, 6.5, 7.9, 11.5, 14.5, 19.8, 25.0, 50.0)
"""The starter model on two cores, for rows whose next token is wanted and for rows of a prompt beside

one such; a machine's own figures take their place one by one."""
ALONE = 128
"""Prompt tokens of a step when nobody waits for the next word: about as fast as any larger number,

and whoever comes meanwhile waits for no more than this."""
WHOLE = 256
"""Prompt tokens up to which a prompt is read at once."""
PATIENCE = 2.3
"""How many times longer than usual a stream may wait for its next token while a prompt is read."""
PAUSE_S = 0.5
"""How long it may wait now and then, where that leaves it quicker on the whole. Nobody reads so fast."""
BETWEEN = 28
"""Steps without a piece of a prompt from one such pause to the next."""
_WEIGHT = 0.15
_AGED = 0.5
"""Weight of a size that was not computed for a while."""
_STALE = 300
"""Steps after which a size that was too dear may be tried again: a neighbour may have gone."""
_SURE = 3
"""Steps of a size, of answers alone, before it counts as known; with a prompt one has to do."""
_HOPELESS = 0.7
"""A size that is so much slower than the best is not measured again and again."""
_FAIR, _FAIR_ENOUGH = 0.5, 0.4
"""Of the speed at which a prompt is read a few tokens a step: what rare, large pieces must promise,

and what they must keep. To and fro between the two would have the worse gaps of both."""
_QUICK = 0.8
"""Of the streams' speed with a few tokens in each step."""
_WORTH = 1.04
"""How many times more tokens a second must come of it before some streams wait for others."""


class Prices:
    """Mean seconds per number of rows of one kind of batch."""

    def __init__(self, curve: tuple[float, ...], sure: int) -> None:
        self._curve = curve
        self._sure = sure
        self._seconds: dict[int, float] = {}
        self._seen: dict[int, int] = {}
        """The last step of each size."""
        self._count: dict[int, int] = {}
        """Steps of each size, without a long pause between them."""
        self._now = 0

    def took(self, rows: int, seconds: float, now: int) -> None:
        """A batch of so many rows was step `now`. Sizes between ours say nothing."""
        self._now = now
        if rows not in SIZES:
            return
        self._count[rows] = self._count.get(rows, 0) * self._fresh(rows) + 1
        old = self._seconds.get(rows, seconds)
        # The mean of the first few; then the newer ones count for more, and after a pause most.
        pause = min(_AGED, _WEIGHT * (now - self._seen.get(rows, now)))
        weight = max(_WEIGHT, pause, 1 / self._count[rows])
        self._seconds[rows] = old + weight * (seconds - old)
        self._seen[rows] = now
        stale = now - _STALE
        for size in [s for s, at in self._seen.items() if s > rows and at < stale]:
            del self._seconds[size], self._seen[size]

    def measured(self, rows: int) -> bool:
        """Whether a batch of so many rows was ever computed here."""
        return rows in self._seconds

    def known(self, rows: int) -> bool:
        """Whether a batch of so many rows was measured lately, and often enough."""
        return rows not in SIZES or (self._fresh(rows) and self._count.get(rows, 0) >= self._sure)

    def last(self, rows: int) -> int:
        """The step that last measured a batch of so many rows; 0 if none did."""
        return self._seen.get(rows, 0)

    def _fresh(self, rows: int) -> bool:
        return self._now - self._seen.get(rows, -_STALE) < _STALE

    def __call__(self, rows: int, unit: float = 1.0) -> float:
        """Seconds: measured where it was; else by the curve, from the next smaller size that was.

        With nothing measured, one row costs `unit`.
        """
        at = bisect_left(SIZES, rows)
        if at == len(SIZES):
            return self._known(SIZES[-1], unit) * rows / SIZES[-1]
        if SIZES[at] == rows:
            return self._known(rows, unit)
        low, high = SIZES[at - 1], SIZES[at]
        below, above = self._known(low, unit), self._known(high, unit)
        return below + (above - below) * (rows - low) / (high - low)

    def _known(self, size: int, unit: float) -> float:
        if size in self._seconds:
            return self._seconds[size]
        smaller = [s for s in self._seconds if s < size]
        base = max(smaller) if smaller else min(self._seconds, default=0)
        if not base:
            return unit * self._curve[SIZES.index(size)]
        return self._seconds[base] * self._curve[SIZES.index(size)] / self._curve[SIZES.index(base)]


class Costs:
    """What batches cost, and how many rows of what kind are best put into the next one."""

    def __init__(self) -> None:
        self._answered = Prices(ANSWERED, _SURE)
        self._read = Prices(READ, 1)
        self._steps = 0
        self._rarely = False
        """Whether prompts are read in rare, large pieces beside streams."""

    def took(self, rows: int, seconds: float, *, read: bool = False) -> None:
        """A batch of so many rows is done; `read`: prompts were among them."""
        self._steps += 1
        (self._read if read else self._answered).took(rows, seconds, self._steps)

    def __call__(self, rows: int) -> float:
        """The cost of `rows` rows whose next tokens are wanted, in batches of one row."""
        return self._answered(rows) / self._answered(1)

    def group(self, streams: int) -> int:
        """How many of so many streams make the most tokens a second, if they take turns.

        What may be best and is not known is tried.
        """
        counts = [streams, *(count for count in (8, 4, 2, 1) if count < streams)]
        speeds = {count: count / self._answered(count) for count in counts if count}
        best = max(speeds, key=speeds.__getitem__, default=0)
        for count, speed in speeds.items():
            if not self._answered.known(count) and speed > _HOPELESS * speeds[best]:
                return count
        return best if best and speeds[best] > _WORTH * speeds[streams] else streams

    def known(self, streams: int) -> bool:
        """Whether a step of so many streams was measured lately, and often enough."""
        return self._answered.known(streams)

    @property
    def measured(self) -> bool:
        """Whether it is known what one row costs here."""
        return self._answered.measured(1)

    def seconds(self, rows: int) -> float:
        """The cost of `rows` rows; in batches of one row of the curve before anything was measured."""
        return self._answered(rows)

    def beside(self, streams: int, waiting: int = ALONE, quiet: int = 0) -> int:
        """Prompt tokens, of so many that wait, which may join the next step of so many streams.

        Either a few in each step, or many after BETWEEN steps without any, where that is not much
        slower for the streams nor for the prompt: most gaps are short then. `quiet` is how many
        steps without any there were; none may join until there were enough.
        """
        if not streams:
            # Cut in two, a prompt is read more slowly than at once.
            return waiting if waiting <= WHOLE else ALONE
        usual = self._answered(streams)
        few = max(1, self._within(streams, PATIENCE * usual))
        if not self._read.known(streams + few):
            return few
        many = self._within(streams, PAUSE_S)
        step, cycle = self._reading(streams + few), BETWEEN * usual + self._reading(streams + many)
        prompt, stream = many / few * step / cycle, (BETWEEN + 1) * step / cycle
        fair = _FAIR_ENOUGH if self._rarely else _FAIR
        self._rarely = stream > _QUICK and prompt > fair
        if self._rarely:
            return many if quiet >= BETWEEN else 0
        # What is usual is measured without a prompt only: a neighbour may have come or gone.
        return few if self._steps - self._answered.last(streams) < BETWEEN else 0

    def _within(self, streams: int, seconds: float) -> int:
        """The most prompt tokens with which a step takes no longer."""
        fitting = [size for size in SIZES if size > streams and self._reading(size) <= seconds]
        return fitting[-1] - streams if fitting else 0

    def _reading(self, rows: int) -> float:
        return self._read(rows, self._answered(1))
