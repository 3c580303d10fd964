"""Guesses the next tokens of an answer from what was read before: n-gram prompt lookup.

Rewriting, editing and quoting repeat the prompt; then many tokens are checked in one batch for less
than their price one by one (prompt lookup decoding, A. Saxena 2023; n-gram speculation in vLLM and
llama.cpp). The model's own choice decides each token, so the answer does not change. Every token
tells whether the guess at hand would have held, made or not: so nothing is spent on finding out
whether guessing pays. How many are guessed follows from that and from what a batch costs here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

NGRAM = 3
SIZES = (3, 7, 11, 15, 23, 31)
"""Guesses at a time: with the token before them they fill blocks of four rows, ggml's fast shape."""
WINDOW = 8
"""How far behind a changed token the old text is searched for where it goes on."""
MEMORY = 0.98
"""What an observation still counts after one more: some fifty tokens are remembered."""
BLIND_MEMORY = 0.8
"""The same for changed words, of which there is one in a dozen tokens."""

Cost = Callable[[int], float]
"""What a batch of so many rows costs, in batches of one row."""


class Odds:
    """How often something holds, by what was seen of it lately; one half before anything was."""

    def __init__(self, memory: float) -> None:
        self._memory = memory
        self._held = self._seen = 0.0

    def saw(self, held: bool) -> None:
        """Once more."""
        self._held = self._held * self._memory + held
        self._seen = self._seen * self._memory + 1.0

    @property
    def value(self) -> float:
        """Laplace's rule of succession."""
        return (self._held + 1.0) / (self._seen + 2.0)


class Lookup:
    """The guesses for one answer. `begins` says of a token whether a word begins with it."""

    def __init__(self, prompt: Sequence[int], begins: Callable[[int], bool] | None = None) -> None:
        self._tokens = list(prompt)
        self._begins = begins or (lambda _token: True)
        self._after: dict[tuple[int, ...], int] = {}
        """Where each run of NGRAM tokens was last seen: the index after it."""
        self._source = -1
        """Where the next token would be found, if the answer repeats what was read."""
        self._lost = -1
        """Where it last did, while it may come back to it."""
        self._blind = False
        """Whether the source is only supposed: the beginning of the next word behind a changed one."""
        self._holds = Odds(MEMORY)
        self._resumes = Odds(BLIND_MEMORY)
        for end in range(NGRAM, len(self._tokens)):
            self._after[tuple(self._tokens[end - NGRAM : end])] = end
        self._find()

    def propose(self, most: int, cost: Cost) -> list[int]:
        """At most `most` tokens that may come next; none where that would not pay."""
        if self._source < 0:
            return []
        sizes = [size for size in SIZES if size <= most]
        holds = self._holds.value
        size, gain = _best(sizes, cost, holds, holds)
        if self._blind:
            # One token without a guess tells where the text goes on, and the next guesses hold better.
            after = (1.0 + gain * cost(size + 1)) / (1.0 + cost(size + 1))
            size, gain = _best(sizes, cost, self._resumes.value, holds)
            if gain <= after:
                return []
        return self._tokens[self._source : self._source + size]

    def add(self, token: int) -> None:
        """The next token of the answer."""
        before = tuple(self._tokens[-NGRAM:])
        if len(before) == NGRAM:
            self._after[before] = len(self._tokens)
        self._tokens.append(token)
        self._follow(token)
        if self._source < 0:
            self._find()

    def _find(self) -> None:
        self._source, self._blind = self._after.get(tuple(self._tokens[-NGRAM:]), -1), False

    def _follow(self, token: int) -> None:
        """Go on in the old text; where a word was changed, find the place behind it."""
        held = False
        if self._source >= 0:
            held = self._tokens[self._source] == token
            (self._resumes if self._blind else self._holds).saw(held)
        if held:
            self._source, self._lost, self._blind = self._source + 1, -1, False
            return
        first = self._source >= 0 and self._lost < 0
        if first:
            self._lost = self._source
        self._source = -1
        if self._lost >= 0:
            self._resume(token, first=first)

    def _resume(self, token: int, *, first: bool) -> None:
        """Found again: `token` stands behind the change. Supposed: it is a changed word, or a part of it."""
        last = len(self._tokens) - 1
        ahead = self._tokens[self._lost : min(self._lost + WINDOW, last)]
        if token in ahead:
            self._source, self._blind = self._lost + ahead.index(token) + 1, False
        elif first or not self._begins(token):
            words = [at for at in range(1, len(ahead)) if self._begins(ahead[at])]
            self._source, self._blind = self._lost + words[0] if words else -1, True
        elif tuple(self._tokens[-NGRAM:]) in self._after:
            self._lost = -1


def _best(sizes: Sequence[int], cost: Cost, first: float, holds: float) -> tuple[int, float]:
    """How many guesses yield most tokens for their price, and how many; 0 and 1.0 where none pays.

    `first` is the chance of the first of them, `holds` that of each one behind one that held.
    """
    gains = {
        size: (1.0 + first * (1.0 - holds**size) / (1.0 - holds)) / cost(size + 1) for size in sizes
    }
    best = max(gains, key=gains.__getitem__, default=0)
    return (best, gains[best]) if best and gains[best] > 1.0 else (0, 1.0)
