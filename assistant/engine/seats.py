"""Which sequence of the draft model follows which answer, and what it holds of it.

Few and simple beside `slots`: nothing here goes to disk, nothing is shared, and who is not followed
loses nothing but a guess.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Protocol

import numpy as np

from assistant.engine.generation import Caller
from assistant.engine.slots import common


class Cache(Protocol):
    """The sequences of the draft model; see `llama.Llama`."""

    cells: int

    def keep(self, sequence: int, length: int) -> bool: ...


class Stream(Protocol):
    """An answer under way; see `generation.Generation`."""

    number: int
    tokens: list[int]
    refs: set[str]
    draft_at: int

    @property
    def caller(self) -> Caller: ...


class Seat:
    """One sequence, and whose tokens it holds."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        self.tokens: list[int] = []
        self.refs: set[str] = set()
        """What its tokens came from: chat, turns, memories."""
        self.owner: int | None = None
        """The number of the answer that it follows."""
        self.agreed = 0
        """How many of its tokens are known to be its owner's."""
        self.used = 0


class Seats:
    """All of them, in one pool of cells."""

    def __init__(self, cache: Cache, count: int) -> None:
        self._cache = cache
        self._all = [Seat(sequence) for sequence in range(count)]
        self._calls = 0

    def nearest(self, stream: Stream) -> tuple[Seat, int]:
        """The seat of an answer, else a free one that begins most like it; and for how many tokens."""
        for seat in self._all:
            if seat.owner == stream.number:
                return seat, _agreeing(seat, stream.tokens)
        wanted = np.asarray(stream.tokens, np.int32)
        # Whoever had to go back to the queue is not followed any more if all are taken.
        free = [seat for seat in self._all if seat.owner is None] or self._all
        same = {seat: common(seat.tokens, wanted) for seat in free}
        nearest = max(free, key=lambda seat: (same[seat], -seat.used))
        return nearest, same[nearest]

    def take(self, seat: Seat, stream: Stream, same: int) -> None:
        """From now on it follows this answer, whose first `same` tokens it holds."""
        # The last token is always read again: what comes after it is wanted.
        self.cut(seat, min(same, len(stream.tokens) - 1))
        self._calls += 1
        seat.owner, seat.used, seat.agreed = stream.number, self._calls, len(seat.tokens)
        # What is kept is the beginning of its own prompt, whoever read it first.
        seat.refs = set(stream.refs)

    def leave(self, stream: Stream) -> None:
        """An answer ended; what is held of it stays, for the chat's next turn."""
        for seat in self._all:
            if seat.owner == stream.number:
                seat.owner = None

    def room(self, count: int) -> bool:
        """Whether there are cells for so many more tokens; seats that follow nobody give way."""
        for seat in sorted(self._all, key=lambda seat: seat.used):
            if self._used + count > self._cache.cells and seat.owner is None:
                self.empty(seat)
        return self._used + count <= self._cache.cells

    def cut(self, seat: Seat, length: int) -> None:
        """Cut a seat back to so many tokens; empties it where that cannot be done."""
        if length >= len(seat.tokens):
            return
        if length and self._cache.keep(seat.sequence, length):
            del seat.tokens[length:]
            seat.agreed = min(seat.agreed, length)
        else:
            self.empty(seat)

    def empty(self, seat: Seat) -> None:
        """Whatever the cache holds of it goes, half a batch too."""
        self._cache.keep(seat.sequence, 0)
        seat.tokens, seat.refs, seat.agreed = [], set(), 0

    def forget(self, refs: Set[str]) -> int:
        """Empty every seat that holds one of these, at once; how many."""
        gone = [seat for seat in self._all if seat.tokens and seat.refs & refs]
        for seat in gone:
            self.empty(seat)
        return len(gone)

    @property
    def _used(self) -> int:
        return sum(len(seat.tokens) for seat in self._all)


def _agreeing(seat: Seat, tokens: Sequence[int]) -> int:
    """How many tokens of a seat are its owner's; those that were so are so still."""
    at, end = seat.agreed, min(len(seat.tokens), len(tokens))
    while at < end and seat.tokens[at] == tokens[at]:
        at += 1
    return at
