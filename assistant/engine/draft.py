"""Guesses the next tokens of an answer with a smaller model of the same vocabulary: speculative decoding.

(Y. Leviathan, C. Chen 2023.) The draft model reads what was said, in sequences of its own, and says what
may come next as long as it is sure; the model that answers checks all of it in one batch. Its own choice
decides each token, so the answer does not change. What the draft model has not read yet it reads in
bounded pieces, and only where the rest of the answer can pay for that. Where guesses do not pay, it rests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Set
from typing import Any, Protocol

import numpy as np

from assistant.engine.batch import OK, Row
from assistant.engine.costs import SIZES, Costs
from assistant.engine.payoff import best, worth_checking
from assistant.engine.seats import Seat, Seats, Stream
from assistant.engine.trust import PATIENCE, Trust, moved

LONGEST = 15
"""Guesses at a time."""
UNSURE = 0.5
"""It guesses no further than a token that it gives less than this: what `starter` gave 0.5 to 0.6 was what

`small` chose in 69 of 100 cases, 0.3 to 0.5 in 43."""
TRIAL = 0.85
"""How often it is believed to be sure, and right then, before anything is known."""
DOUBLINGS = 6
"""Of a rest when guesses do not pay."""
STEP = 0.3
"""What a step costs before both were measured, in steps of the model that answers."""
PIECE_S = 0.2
"""Seconds that the streams may wait in a step for a piece of what the draft model has to read."""
PIECE = 24
"""Tokens of such a piece before anything was measured."""
CLOSE = 4
"""Tokens that it may be behind and read them in the step that guesses."""
LOOKS = 3
"""Steps that are measured again after a rest for their price."""
REST_OF_ANSWER = 128
"""Tokens that an answer is believed to go on for."""


Allowed = Callable[[Sequence[int]], int]
"""How many of some tokens may come next, in their order; see `grammar.Matcher`."""


class Model(Protocol):
    """What guesses; see `llama.Llama`."""

    context: int
    cells: int

    def decode(self, rows: Sequence[Row]) -> int: ...
    def logits(self, row: int) -> np.ndarray[Any, Any]: ...
    def is_end(self, token: int) -> bool: ...
    def keep(self, sequence: int, length: int) -> bool: ...


class Draft:
    """See the module. Belongs to the scheduler's thread."""

    def __init__(
        self, model: Model, seats: int, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._model = model
        self._clock = clock
        self._costs = Costs()
        self._trust = Trust(TRIAL, DOUBLINGS)
        self._sure = TRIAL
        self._paid = 0
        """Guesses that held since the last rest."""
        self._seats = Seats(model, seats)
        self._dear = False
        """Whether it rests for its price, not for wrong guesses."""
        self._reading = False
        """Whether a piece was read in this step already."""
        self._seconds = 0.0
        self._rows = self._drafted = self._accepted = 0

    def measure(self) -> None:
        """Find out what a piece and a step cost here, before there is anything to follow."""
        seat = Seat(0)
        for rows in (PIECE, 1, 1):
            self._read(seat, [0] * rows)
        self._seats.empty(seat)

    def begin(self) -> None:
        """A step begins: one piece may be read in it."""
        self._reading = False

    def propose(
        self,
        stream: Stream,
        most: int,
        costs: Costs,
        *,
        left: int = REST_OF_ANSWER,
        allowed: Allowed | None = None,
    ) -> list[int]:
        """At most `most` tokens that may come next; none where that would not pay, or not yet.

        `costs` are those of the model that answers, `left` is how many tokens the answer may still have.
        """
        if self._trust.resting:
            self._trust.passed()
            return []
        if len(stream.tokens) < stream.draft_at:
            return []
        if self._dear:
            self._look_again(stream)
        step, holds = self._price(1, costs), self._trust.holds
        size, gain = best(min(most, LONGEST), costs, sure=self._sure, holds=holds, step=step)
        if not size:
            # Near the end of an answer there is room for few, which says nothing.
            if most >= LONGEST:
                self._give_up()
                self._dear = True
            return []
        saved = min(left, REST_OF_ANSWER) * (1.0 - 1.0 / gain)
        seat = self._caught_up(stream, costs, saved)
        if seat is None:
            return []
        guesses, steps = self._guess(seat, stream, size, allowed)
        return guesses[: worth_checking(len(guesses), costs, holds=holds, spent=steps * step)]

    def took(self, drafted: int, accepted: int) -> None:
        """What became of the last guesses."""
        self._trust.took(drafted, accepted)
        self._drafted += drafted
        self._accepted += accepted
        self._paid += accepted
        if self._paid >= self._trust.rest:
            self._trust.paid()

    def leave(self, stream: Stream) -> None:
        """An answer ended; what was read of it stays, for the chat's next turn."""
        self._seats.leave(stream)

    def forget(self, refs: Set[str]) -> int:
        """Empty every sequence that holds one of these, at once; how many."""
        return self._seats.forget(refs)

    def report(self) -> dict[str, float]:
        """As `status` shows it: since the model was loaded."""
        return {
            "drafted": self._drafted,
            "accepted": self._accepted,
            "read": self._rows,
            "seconds": round(self._seconds, 4),
            "holds": round(self._trust.holds, 3),
            "resting": float(self._trust.resting),
        }

    # --- in step with the answer -----------------------------------------------------------

    def _caught_up(self, stream: Stream, costs: Costs, saved: float) -> Seat | None:
        """The sequence that holds all but an answer's last tokens. None: reading them costs more than

        is `saved` by guesses, or is not done yet.
        """
        tokens = stream.tokens
        seat, same = self._seats.nearest(stream)
        behind, piece = len(tokens) - same, self._piece(costs)
        far = behind > CLOSE
        fits = len(tokens) + LONGEST < self._model.context
        if not fits or (far and behind * self._price(piece, costs) / piece > saved):
            stream.draft_at = len(tokens) + PATIENCE
            return None
        self._seats.take(seat, stream, same)
        if not self._seats.room(behind + LONGEST):
            stream.draft_at = len(tokens) + PATIENCE
            return None
        if far and not self._reading:
            self._reading = True
            self._read(seat, tokens[same : same + min(piece, behind - 1)])
        return None if far else seat

    def _look_again(self, stream: Stream) -> None:
        """What a step costs by now: the moment when it was measured may have been a bad one."""
        self._dear = False
        seat, _ = self._seats.nearest(stream)
        if not self._seats.room(LOOKS) or len(seat.tokens) + LOOKS >= self._model.context:
            return
        held, self._costs = len(seat.tokens), Costs()
        for _ in range(LOOKS):
            begun = self._clock()
            if not self._decode(seat, stream.tokens[-1:], output=True):
                return
            self._took(1, self._clock() - begun)
        self._seats.cut(seat, held)

    def _piece(self, costs: Costs) -> int:
        """Tokens to read beside a running stream."""
        if not self._costs.measured:
            return PIECE
        limit = max(PIECE_S, costs.seconds(1) if costs.measured else 0.0)
        return max((s for s in SIZES if self._costs.seconds(s) <= limit), default=1)

    def _price(self, rows: int, costs: Costs) -> float:
        """Of a batch of the draft model, in batches of one row of the other."""
        if not (self._costs.measured and costs.measured):
            return STEP * self._costs(rows)
        return self._costs.seconds(rows) / costs.seconds(1)

    # --- guessing ----------------------------------------------------------------------------

    def _guess(
        self, seat: Seat, stream: Stream, size: int, allowed: Allowed | None
    ) -> tuple[list[int], int]:
        """At most `size` tokens, as long as it is sure; and how many steps that took."""
        guesses: list[int] = []
        todo = stream.tokens[len(seat.tokens) :]
        for steps in range(1, size + 1):
            token, chance = self._next(seat, todo)
            if token < 0 or stream.caller.cancelled:
                return [], steps
            sure = chance >= UNSURE and not self._model.is_end(token)
            sure = sure and (allowed is None or allowed([*guesses, token]) > len(guesses))
            self._sure = moved(self._sure, held=sure)
            if not sure:
                return guesses, steps
            guesses.append(token)
            todo = [token]
        return guesses, size

    def _next(self, seat: Seat, todo: Sequence[int]) -> tuple[int, float]:
        """The likeliest token after these, and how likely; -1 if they could not be read."""
        begun = self._clock()
        if not self._decode(seat, todo, output=True):
            return -1, 0.0
        logits = self._model.logits(len(todo) - 1)
        token = int(logits.argmax())
        chance = 1.0 / float(np.exp(logits - logits[token]).sum())
        self._took(len(todo), self._clock() - begun)
        return token, chance

    def _read(self, seat: Seat, tokens: Sequence[int]) -> None:
        """Read what was said, and guess nothing yet."""
        begun = self._clock()
        if self._decode(seat, tokens, output=False):
            self._took(len(tokens), self._clock() - begun)
            seat.agreed = len(seat.tokens)

    def _decode(self, seat: Seat, tokens: Sequence[int], *, output: bool) -> bool:
        first, last = len(seat.tokens), len(tokens) - 1
        rows = [
            Row(token, first + at, seat.sequence, output and at == last)
            for at, token in enumerate(tokens)
        ]
        if self._model.decode(rows) != OK:
            self._seats.empty(seat)
            self._give_up()
            return False
        seat.tokens += tokens
        return True

    def _took(self, rows: int, seconds: float) -> None:
        self._costs.took(rows, seconds)
        self._seconds += seconds
        self._rows += rows

    def _give_up(self) -> None:
        self._trust.give_up()
        self._sure, self._paid = TRIAL, 0
