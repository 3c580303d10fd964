"""Speech to text with faster-whisper, over short windows: only what holds speech is read.

The encoder's cost is set by the length of its window, 30 s as it comes, however short the words are.
CTranslate2 takes shorter ones, down to a length that is the model's own (`window_s` of the catalogue):
with Whisper base 10 s are as good as 30 and five times quicker; at 5 s it repeats itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from assistant.errors import InvalidInput, SpeechError, SpeechMissing
from assistant.speech import vad
from assistant.speech.decode import RATE, Samples, floats
from assistant.types import Said

FRAMES_S = 100
"""Frames of the spectrogram in a second."""
TAIL_FRAMES = 300
"""Silence after the last word, without which it is lost."""
PIECE_S = 24.0
"""Longest piece of speech that is read at once; with its tail it fits into 30 s."""
DOUBT = 0.5
"""Below this probability of the language found in one piece, the language of the pieces before is kept."""


class Recognizer:
    """A loaded model. One thread uses it."""

    def __init__(self, folder: Path, *, window_s: float, beam: int, threads: int) -> None:
        imports()
        from faster_whisper import transcribe

        shorten(transcribe, int(window_s * FRAMES_S))
        self._beam = beam
        self._model, self.device = _load(folder, threads)
        self.languages = frozenset(self._model.supported_languages)

    def hear(
        self,
        samples: Samples,
        spoken: list[tuple[int, int]],
        language: str = "",
        prompt: str = "",
        go_on: Callable[[], None] = lambda: None,
    ) -> Iterator[tuple[str, Said]]:
        """What was said in the stretches of speech, with its language, as it is understood.

        Raises InvalidInput for a language that the model does not know.
        """
        if language and language not in self.languages:
            raise InvalidInput("The speech recogniser does not know that language.")
        known = language
        for begin, end in vad.pieces(spoken, int(PIECE_S * RATE)):
            go_on()
            segments, info = self._model.transcribe(
                floats(samples[begin:end]),
                language=language or None,
                beam_size=self._beam,
                condition_on_previous_text=False,
                initial_prompt=prompt or None,
            )
            if not language and known and info.language_probability < DOUBT:
                segments, info = self._model.transcribe(
                    floats(samples[begin:end]),
                    language=known,
                    beam_size=self._beam,
                    condition_on_previous_text=False,
                    initial_prompt=prompt or None,
                )
            known = info.language
            for segment in segments:
                go_on()
                yield known, _said(segment, begin / RATE, end / RATE)


def shorten(transcribe: Any, least: int) -> None:
    """Let the library pad to the speech and a tail, `least` frames at least, rather than to 30 s.

    `pad_or_trim` is a private name of the pinned faster-whisper; a test holds that this takes effect.
    """
    stock = getattr(transcribe.pad_or_trim, "stock", transcribe.pad_or_trim)

    def pad(features: Any, length: int = 3000, *, axis: int = -1) -> Any:
        there = features.shape[axis]
        # An odd number of frames is refused by the encoder, which halves it.
        return stock(features, min(length, max(least, there + TAIL_FRAMES + there % 2)), axis=axis)

    pad.stock = stock  # type: ignore[attr-defined]
    transcribe.pad_or_trim = pad


def threads() -> int:
    """How many threads hear: all of two cores, and one less than all of more."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return max(1, min(4, cores if cores <= 2 else cores - 1))


def imports() -> None:
    """Import what is heavy. Raises SpeechMissing."""
    try:
        import ctranslate2  # noqa: F401
        import faster_whisper  # noqa: F401
    except ImportError as exc:
        raise SpeechMissing("The package faster-whisper is not installed.") from exc


def _load(folder: Path, threads: int) -> tuple[Any, str]:
    """The model on the GPU, if there is one that can run it, else on the CPU."""
    from faster_whisper import WhisperModel

    if _gpus():
        try:
            model = WhisperModel(str(folder), device="cuda", compute_type="int8_float16")
            # CUDA's libraries are looked for at the first use only.
            list(model.transcribe(np.zeros(RATE, np.float32), language="en")[0])
            return model, "cuda"
        except (RuntimeError, ValueError):
            print("the speech recogniser does not run on the GPU", file=sys.stderr)  # noqa: T201
    try:
        model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=threads)
        return model, "cpu"
    except (RuntimeError, ValueError, OSError) as exc:
        raise SpeechError("The speech recogniser's model could not be loaded.") from exc


def _gpus() -> int:
    import ctranslate2

    try:
        return int(ctranslate2.get_cuda_device_count())
    except RuntimeError:  # a driver that does not fit
        return 0


def _said(segment: Any, begin_s: float, end_s: float) -> Said:
    return Said(
        start_s=round(begin_s + segment.start, 3),
        end_s=round(min(begin_s + segment.end, end_s), 3),
        text=segment.text,
        logprob=segment.avg_logprob,
        no_speech=segment.no_speech_prob,
        compression=segment.compression_ratio,
        temperature=segment.temperature,
        tokens=tuple(segment.tokens),
    )
