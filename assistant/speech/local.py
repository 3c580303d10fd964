"""The daemon's side of the speech child: who may ask how much, and what a death of the child means."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from assistant.config import LIMITS
from assistant.errors import (
    AssistantError,
    AudioInvalid,
    ChildCrashed,
    ChildStopped,
    SpeechBusy,
    SpeechError,
    SpeechMissing,
    Stopped,
)
from assistant.types import ChildStatus, Said, Transcript
from assistant.worker import Child

log = logging.getLogger(__name__)


class LocalSpeech:
    """Speech on this machine. The child starts on the first call, and leaves memory when idle."""

    def __init__(self, shelf: Path, *, stt: str, voice: str, idle_unload_s: float = 0.0) -> None:
        self.model = stt if "/" not in stt and "\\" not in stt else "custom"
        self.voice = voice
        spec = {"shelf": str(shelf), "stt": stt}
        # Threads that spin while they wait would take a core from the model that is to answer next.
        environment = {"OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": "1"}
        self._child = Child(
            "speech",
            "assistant.speech.service",
            arguments=(msgspec.json.encode(spec).decode(),),
            idle_unload_s=idle_unload_s,
            environment=environment,
        )
        self._asked = 0

    async def warm(self) -> None:
        """Load what hears and what speaks. Never raises."""
        wanted: dict[str, list[str]] = {"load_stt": [], "load_tts": [self.voice], "load_vad": []}
        done = await asyncio.gather(
            *(self._child.call(method, given) for method, given in wanted.items()),
            return_exceptions=True,
        )
        for result in done:
            if isinstance(result, AssistantError):
                log.warning("speech is not ready: %s", result.code)

    async def transcribe(
        self, audio: bytes, *, bare: bool = False, language: str = "", prompt: str = ""
    ) -> Transcript:
        """See core.ports.Speech."""
        payload = {
            "audio": audio,
            "form": "pcm" if bare else "file",
            "language": language,
            "prompt": prompt,
        }
        seconds: float | None = None
        said: list[Said] = []
        with self._place():
            try:
                async with contextlib.aclosing(self._child.stream("transcribe", payload)) as items:
                    async for item in items:
                        if seconds is None:
                            seconds = float(item["seconds"])
                        else:
                            language = item["language"]
                            said.append(msgspec.convert(item["said"], Said))
            except ChildStopped as exc:
                raise Stopped from exc
            except ChildCrashed as exc:
                if seconds is None and not bare and exc.exit_code is not None:
                    raise AudioInvalid("The recording made the decoder fail.") from exc
                raise SpeechError("The speech process died; it is started again.") from exc
        text = "".join(one.text for one in said).strip()
        return Transcript(text, language, seconds or 0.0, tuple(said))

    async def speak(
        self, sentences: Sequence[str], *, voice: str = "", speed: float = 1.0, form: str = "pcm"
    ) -> AsyncGenerator[bytes, None]:
        """See core.ports.Speech."""
        payload = {
            "sentences": list(sentences),
            "voice": voice or self.voice,
            "speed": speed,
            "format": form,
        }
        with self._place():
            async for item in self._stream("speak", payload):
                yield item

    async def check(self) -> tuple[bool, str, str]:
        """For doctor: whether all is well, what was found, and what to do. Loads what is not loaded."""
        try:
            await asyncio.gather(
                self._child.call("load_stt", []), self._child.call("load_tts", [self.voice])
            )
            voices = await self.voices()
        except SpeechMissing as exc:
            return True, f"Speech is not installed: {exc.message} {exc.hint}", ""
        except AssistantError as exc:
            return False, exc.message, exc.hint
        robots = len([voice for voice in voices if voice != "heart"])
        more = f"{robots} more voices by espeak-ng" if robots else "no others: espeak-ng is missing"
        return True, f"{self.model} hears, {self.voice} speaks; {more}.", ""

    async def voices(self) -> list[str]:
        """See core.ports.Speech."""
        async for names in self._stream("voices"):
            return list(names)
        return []

    async def listen(self, stream: str, samples: bytes, *, last: bool = False) -> list[float]:
        """See core.ports.Speech."""
        payload = {"stream": stream, "pcm": samples, "end": last}
        async for probabilities in self._stream("listen", payload):
            return list(probabilities)
        return []

    async def spot(self, stream: str, word: str, samples: bytes, *, last: bool = False) -> float:
        """See core.ports.Ears."""
        payload = {"stream": stream, "word": word, "pcm": samples, "end": last}
        async for probability in self._stream("spot", payload):
            return float(probability)
        return 0.0

    def status(self) -> ChildStatus:
        """The child as seen from here."""
        return self._child.status()

    async def close(self) -> None:
        """End the child for good."""
        await self._child.close()

    async def _stream(self, method: str, payload: Any = None) -> AsyncIterator[Any]:
        try:
            async with contextlib.aclosing(self._child.stream(method, payload)) as items:
                async for item in items:
                    yield item
        except ChildStopped as exc:
            raise Stopped from exc
        except ChildCrashed as exc:
            raise SpeechError("The speech process died; it is started again.") from exc

    @contextlib.contextmanager
    def _place(self) -> Any:
        if self._asked >= LIMITS.speech_queue:
            raise SpeechBusy(retry_after_s=2.0)
        self._asked += 1
        try:
            yield
        finally:
            self._asked -= 1
