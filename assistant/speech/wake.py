"""The first stage of a wake word: a model of 50 KB that is always on, and cheap. Runs in the child.

What it hears is only ever a guess; core/wake.py has the second stage.
"""

from __future__ import annotations

from pathlib import Path

from assistant.errors import SpeechError, SpeechMissing
from assistant.speech.decode import Samples

FRAME = 160
"""Samples that the spectrogram takes at once: 10 ms."""


class Spotter:
    """microWakeWord over one live stream at 16 kHz. Not for two threads at once."""

    def __init__(self, weights: Path) -> None:
        try:
            from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures
        except ImportError as exc:
            raise SpeechMissing("The package pymicro-wakeword is not installed.") from exc
        try:
            self._model = MicroWakeWord.from_config(weights.with_suffix(".json"))
        except (OSError, ValueError, KeyError) as exc:
            raise SpeechError("The wake word's model could not be loaded.") from exc
        self._features = MicroWakeWordFeatures()

    def feed(self, samples: Samples) -> float:
        """The highest probability in these samples that the phrase has just been said, 0 to 1."""
        found = self._features.process_streaming(samples.astype("<i2").tobytes())
        seen = (self._model.process_streaming_prob(one) for one in found)
        return max((float(one) for one in seen if one is not None), default=0.0)
