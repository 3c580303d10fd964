"""The program espeak-ng: small, quick, many languages, and plainly a robot. GPL-3, so a program apart."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from assistant.errors import SpeechError
from assistant.speech.decode import Samples

WORDS_MINUTE = 165
TIMEOUT_S = 20.0
_CODE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,12}){0,3}")


class Espeak:
    """What is installed. `rate` is that of the samples it gives."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._program = shutil.which("espeak-ng")

    @property
    def installed(self) -> bool:
        """Whether there is such a program."""
        return self._program is not None

    def languages(self) -> frozenset[str]:
        """Codes it speaks, such as `fr` and `pt-br`; none if it is not installed."""
        return self._languages

    def voice(self, language: str) -> EspeakVoice:
        """A voice for one of `languages`."""
        assert language in self._languages
        assert self._program is not None
        return EspeakVoice(self._program, language, self._rate)

    @cached_property
    def _languages(self) -> frozenset[str]:
        if self._program is None:
            return frozenset()
        listed = _run([self._program, "--voices"], "").decode("utf-8", "replace").splitlines()[1:]
        return codes(listed)


def codes(listed: Sequence[str]) -> frozenset[str]:
    """What the program's own table of voices says it speaks: `fr-be`, and `fr` with it."""
    found = set()
    for columns in (line.split() for line in listed):
        if len(columns) > 1:
            others = (column[1:] for column in columns if column.startswith("("))
            found |= {columns[1], columns[1].partition("-")[0], *others}
    return frozenset(code.lower() for code in found if _CODE.fullmatch(code.lower()))


class EspeakVoice:
    """See `tts.Voice`."""

    def __init__(self, program: str, language: str, rate: int) -> None:
        self._command = [program, "-v", language, "-b", "1", "--stdin", "--stdout"]
        self._rate = rate

    def say(self, sentence: str, speed: float) -> Samples:
        """See `tts.Voice`. The sentence goes in by a pipe: it is never part of a command."""
        pace = ["-s", str(round(WORDS_MINUTE * speed))]
        wav = _run([*self._command, *pace], sentence.replace("\0", " "))
        if len(wav) < 44 or wav[:4] != b"RIFF":
            raise SpeechError("espeak-ng gave no sound.")
        heard = np.frombuffer(wav[44 : len(wav) // 2 * 2], "<i2").astype(np.int16)
        return _resampled(heard, int.from_bytes(wav[24:28], "little"), self._rate)


def _run(command: list[str], text: str) -> bytes:
    try:
        return subprocess.run(
            command, input=text.encode(), capture_output=True, timeout=TIMEOUT_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as exc:
        raise SpeechError("espeak-ng failed.", "Try another voice, such as `heart`.") from exc


def _resampled(samples: Samples, rate: int, wanted: int) -> Samples:
    import av

    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate
    resampler = av.AudioResampler(format="s16", layout="mono", rate=wanted)
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray().reshape(-1) for part in parts]).astype(np.int16)
