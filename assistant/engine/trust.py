"""How far guesses are trusted: how often they held of late, and how long none is made when they do not pay.

Shared by whatever guesses the next tokens of an answer: `lookup` and `draft`.
"""

from __future__ import annotations

WEIGHT = 0.05
"""Of the newest guess in `holds`."""
PATIENCE = 24
"""Tokens without a guess when guesses do not pay; doubled each time."""


class Trust:
    """`trial`: how often guesses are believed to hold before anything is known, and after each rest.

    `doublings`: how many times a rest may become twice as long.
    """

    def __init__(self, trial: float, doublings: int) -> None:
        self._trial = trial
        self._doublings = doublings
        self._rest = 0
        self._failures = 0
        self.holds = trial
        """The share of guesses that hold; between 0 and 1."""

    @property
    def resting(self) -> bool:
        """Whether none is to be made now."""
        return self._rest > 0

    @property
    def rest(self) -> int:
        """Tokens that the latest rest lasts, or lasted; 0 if there was none."""
        return PATIENCE << min(self._failures - 1, self._doublings) if self._failures else 0

    def passed(self) -> None:
        """One more token was said."""
        self._rest -= self._rest > 0

    def took(self, drafted: int, accepted: int) -> None:
        """What became of some guesses. Those behind the first wrong one say nothing."""
        for _ in range(accepted):
            self.holds = moved(self.holds, held=True)
        if accepted < drafted:
            self.holds = moved(self.holds, held=False)

    def paid(self) -> None:
        """They are worth it: the next rest is a short one."""
        self._failures = 0

    def give_up(self) -> None:
        """Rest; then guesses are tried as if nothing were known."""
        self._failures += 1
        self._rest = self.rest
        self.holds = self._trial


def moved(share: float, *, held: bool) -> float:
    """A share after one more that held, or did not."""
    return share + WEIGHT * (held - share)


def tokens(holds: float, size: int) -> float:
    """How many tokens a batch with `size` guesses yields, if each of them holds this often."""
    return size + 1.0 if holds >= 1.0 else (1.0 - holds ** (size + 1)) / (1.0 - holds)
