"""Text to speech: one sentence at a time, 24 kHz mono. English by Hibari, other languages by espeak-ng."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assistant.errors import SpeechError, SpeechMissing, VoiceNotFound
from assistant.speech.decode import Samples
from assistant.speech.espeak import Espeak

RATE = 24_000
"""Samples a second of all that is spoken, as OpenAI's `pcm` has it."""
HEART = "heart"
SEED = 7
"""The same words sound the same each time."""


class Voice(Protocol):
    """Something that speaks."""

    def say(self, sentence: str, speed: float) -> Samples:
        """One sentence. `speed` 1 is the voice's own, 2 twice as quick."""


class Heart:
    """Hibari's built-in voice."""

    def __init__(self, weights: Path) -> None:
        try:
            from hibari import Hibari

            self._model = Hibari(model=str(weights))
            self._model("Ready.")  # the dictionaries are read at the first words
        except ImportError as exc:
            raise SpeechMissing("The package hibari-tts is not installed.") from exc
        except (RuntimeError, OSError, ValueError) as exc:
            raise SpeechError("The voice could not be loaded.") from exc

    def say(self, sentence: str, speed: float) -> Samples:
        """See Voice."""
        return samples(self._model(sentence, speed=speed, seed=SEED))


class Voices:
    """The voices of this machine, each loaded when it first speaks. One thread uses it."""

    def __init__(self, heart: Path | None) -> None:
        self._weights = heart
        self._espeak = Espeak(RATE)
        self._loaded: dict[str, Voice] = {}

    def names(self) -> list[str]:
        """What may be asked for."""
        return [*([HEART] if self._weights else []), *sorted(self._espeak.languages())]

    def find(self, name: str) -> Voice:
        """The voice by that name. Raises VoiceNotFound, SpeechMissing."""
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> Voice:
        if name == HEART:
            if self._weights is None:
                raise SpeechMissing("The voice `heart` is not on this machine.")
            return Heart(self._weights)
        if name not in self._espeak.languages():
            if not self._espeak.installed:
                raise VoiceNotFound(
                    "That voice needs the program espeak-ng, which is not installed.",
                    "Install espeak-ng with your system's package manager, or send `heart`.",
                )
            raise VoiceNotFound
        return self._espeak.voice(name)


def samples(audio: NDArray[np.float32]) -> Samples:
    """From -1 to 1 as 16-bit; what is louder is clipped."""
    return (np.clip(audio, -1.0, 1.0) * 32767.0).astype(np.int16)
