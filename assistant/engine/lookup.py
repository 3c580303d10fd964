"""Guesses the next tokens of an answer from what was read before: n-gram prompt lookup.

Rewriting, editing and quoting repeat the prompt; then many tokens are checked in one batch for less
than their price one by one (prompt lookup decoding, A. Saxena 2023; n-gram speculation in vLLM and
llama.cpp). The model's own choice decides each token, so the answer does not change. How many are
guessed follows from how often guesses hold and from what a batch costs here, both measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assistant.engine.trust import Trust, tokens

NGRAM = 3
SIZES = (3, 7, 15, 31)
"""Guesses at a time: with the token before them they fill blocks of four rows, ggml's fast shape."""
WINDOW = 8
"""How far behind a changed token the old text is searched for where it goes on."""
PROOF = 6
"""Tokens that must be alike before the first guess: free text repeats three by chance, and each guess

that fails costs more than a token."""
TRIAL = 0.75
"""How often guesses are believed to hold before anything is known."""
DOUBLINGS = 4
"""Of a rest when guesses do not pay."""

Cost = Callable[[int], float]
"""What a batch of so many rows costs, in batches of one row."""


class Lookup:
    """The guesses for one answer."""

    def __init__(self, prompt: Sequence[int]) -> None:
        self._tokens = list(prompt)
        self._after: dict[tuple[int, ...], int] = {}
        """Where each run of NGRAM tokens was last seen: the index after it."""
        self._source = -1
        """Where the guesses are being taken from, while they hold."""
        self._lost = -1
        """Where they last held, while the answer may come back to it."""
        self._trust = Trust(TRIAL, DOUBLINGS)
        self._proven = False
        """Whether a guess held since it was last given up."""
        for end in range(NGRAM, len(self._tokens)):
            self._after[tuple(self._tokens[end - NGRAM : end])] = end

    def propose(self, most: int, cost: Cost) -> list[int]:
        """At most `most` tokens that may come next; none where that would not pay."""
        if self._trust.resting:
            return []
        if self._source < 0:
            self._source = self._after.get(tuple(self._tokens[-NGRAM:]), -1)
        if self._source < 0 or not (self._proven or self._alike(PROOF)):
            return []
        size = self._size(most, cost)
        return self._tokens[self._source : self._source + size]

    def _alike(self, count: int) -> bool:
        """Whether the last tokens are those before the source."""
        at = self._source
        return at >= count and self._tokens[at - count : at] == self._tokens[-count:]

    def _size(self, most: int, cost: Cost) -> int:
        sizes = SIZES[:1] if self._lost >= 0 else SIZES
        holds = self._trust.holds
        gains = {size: tokens(holds, size) / cost(size + 1) for size in sizes if size <= most}
        best = max(gains, key=gains.__getitem__, default=0)
        if best and gains[best] > 1.0:
            return best
        if best:
            self._give_up()
        return 0

    def took(self, drafted: int, accepted: int) -> None:
        """What became of the last guesses; the tokens themselves come through `add`."""
        self._trust.took(drafted, accepted)
        if accepted:
            self._proven = True
        elif drafted and not self._proven:
            self._give_up()
        if drafted and accepted == drafted:
            self._trust.paid()

    def add(self, token: int) -> None:
        """The next token of the answer."""
        before = tuple(self._tokens[-NGRAM:])
        if len(before) == NGRAM:
            self._after[before] = len(self._tokens)
        self._tokens.append(token)
        self._trust.passed()
        self._follow(token)

    def _follow(self, token: int) -> None:
        """Go on in the old text; where a word was changed, find the place behind it."""
        if self._source >= 0 and self._tokens[self._source] == token:
            self._source, self._lost = self._source + 1, -1
            return
        first = self._source >= 0 and self._lost < 0
        if first:
            self._lost = self._source
        self._source = -1
        if self._lost < 0:
            return
        ahead = self._tokens[self._lost + 1 : min(self._lost + WINDOW, len(self._tokens) - 1)]
        if token in ahead:
            self._source = self._lost + 2 + ahead.index(token)
        elif first:
            self._source = self._lost + 1
        elif tuple(self._tokens[-NGRAM:]) in self._after:
            self._lost = -1

    def _give_up(self) -> None:
        self._trust.give_up()
        self._source, self._lost, self._proven = -1, -1, False
