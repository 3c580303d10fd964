"""The loudspeaker: samples as they come, and silence at once when it is told to stop."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from assistant.clients.desktop import sound

RATE = 24_000
"""Samples a second, 16 bits each, one channel."""
_POLL_S = 0.02
_TAKEN_S = 0.5
"""A device that took no samples for so long plays none."""


class Speaker:
    """Of what is stopped, only what the device already holds is still heard."""

    def __init__(self) -> None:
        self._stream: Any = None
        self._waiting = bytearray()
        self._lock = threading.Lock()
        self._opening = asyncio.Lock()
        self._taken_at = -_TAKEN_S

    @property
    def playing(self) -> bool:
        """Whether something is still to be heard."""
        return bool(self._waiting) and self._stream is not None and bool(self._stream.active)

    @property
    def sounding(self) -> bool:
        """Whether the device is taking samples, and there are more. From any thread."""
        return bool(self._waiting) and time.monotonic() - self._taken_at < _TAKEN_S

    async def start(self) -> None:
        """Open it, if it is not: that can take longer than an answer. Raises SpeakerMissing."""
        async with self._opening:
            if self._stream is None or not self._stream.active:
                self.close()
                self._stream = await asyncio.to_thread(sound.speaker, RATE, self._fill, _ignore)

    async def play(self, samples: bytes) -> None:
        """Add these to what is heard. Raises SpeakerMissing; the samples are lost then."""
        await self.start()
        with self._lock:
            self._waiting += samples

    def stop(self) -> None:
        """Be silent now."""
        with self._lock:
            self._waiting.clear()

    async def drained(self) -> None:
        """Until all of it was heard, or it cannot be any more."""
        while self.playing:  # noqa: ASYNC110 - it is a thread of PortAudio that takes the last samples
            await asyncio.sleep(_POLL_S)

    def close(self) -> None:
        """Give the device back."""
        self.stop()
        stream, self._stream = self._stream, None
        if stream is not None:
            sound.close(stream)

    def _fill(self, out: memoryview) -> None:
        self._taken_at = time.monotonic()
        with self._lock:
            ready = min(len(out), len(self._waiting))
            out[:ready] = self._waiting[:ready]
            del self._waiting[:ready]
        out[ready:] = bytes(len(out) - ready)


def _ignore() -> None:
    pass
