"""When somebody begins to speak, and when they are done: from probabilities of speech, 31 a second. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

FRAME_S = 0.032
"""Seconds that one probability is for."""


class Patience(msgspec.Struct, frozen=True):
    """How sure one has to be. Seconds."""

    speech: float = 0.5
    """Probability from which a frame is speech."""
    least_s: float = 0.16
    """Speech shorter than this is a cough or a click."""
    pause_s: float = 0.8
    """Silence after speech that ends it."""


class Endpointer:
    """Follows one live stream."""

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._speech_s = 0.0
        self._silence_s = 0.0
        self._speaking = False

    @property
    def speaking(self) -> bool:
        """Whether somebody has begun and is not done."""
        return self._speaking

    def feed(self, probabilities: Sequence[float]) -> Literal["", "begin", "end"]:
        """What these frames show; an end, where both are in them."""
        seen: Literal["", "begin", "end"] = ""
        for probability in probabilities:
            seen = self._step(probability >= self._patience.speech) or seen
        return seen

    def _step(self, speech: bool) -> Literal["", "begin", "end"]:
        how = self._patience
        if speech:
            self._speech_s += FRAME_S
            self._silence_s = 0.0
            if not self._speaking and self._speech_s >= how.least_s:
                self._speaking = True
                return "begin"
            return ""
        self._silence_s += FRAME_S
        if self._speaking and self._silence_s >= how.pause_s:
            self._speaking, self._speech_s = False, 0.0
            return "end"
        if not self._speaking and self._silence_s > 3 * FRAME_S:
            self._speech_s = 0.0
        return ""
