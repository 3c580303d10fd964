"""The microphone. What it heard just before a key went down is there too; nothing is written to disk."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any

from assistant.clients.desktop import sound
from assistant.errors import MicrophoneMissing

RATE = 16_000
"""Samples a second, 16 bits each, one channel."""
BLOCK = 320
"""Samples in a piece, unless told otherwise: 20 ms."""
AHEAD_S = 0.32
"""Kept from before it was asked for: people speak as they press."""
SILENT_S = 3.0
"""A device that gives nothing for so long is gone, whatever the system says of it."""
BEAT_S = 0.5
"""So often the event loop hears that the device gives sound, though nothing of it is let through."""

Sieve = Callable[[bytes], list[bytes]]
"""What of the sound is let through, in place of this piece. Called in the device's own thread."""


class Microphone:
    """Open it, then ask for `pieces` of `block` samples. While it is open the system shows that.

    What `sieve` holds back does not even wake the event loop.
    """

    def __init__(self, block: int = BLOCK, sieve: Sieve | None = None) -> None:
        self._sieve = sieve
        self._held_back = 0
        """Samples since something last reached the event loop."""
        self._stream: Any = None
        self._block = block
        self._ahead: deque[bytes] = deque(maxlen=round(AHEAD_S * RATE / block))
        self._asked: asyncio.Queue[bytes | None] | None = None

    @property
    def open(self) -> bool:
        """Whether it hears."""
        return self._stream is not None and bool(self._stream.active)

    async def start(self) -> None:
        """Open it, if it is not. Raises MicrophoneMissing."""
        if self.open:
            return
        self.stop()
        loop = asyncio.get_running_loop()

        def tell(call: Any, *arguments: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop may be closed already
                loop.call_soon_threadsafe(call, *arguments)

        def hear(piece: bytes) -> None:
            for part in self._passed(piece):
                tell(self._heard, part)

        self._stream = await asyncio.to_thread(
            sound.microphone, RATE, self._block, hear, lambda: tell(self._end)
        )

    def stop(self) -> None:
        """Close it, and forget what it heard."""
        stream, self._stream = self._stream, None
        if stream is not None:
            sound.close(stream)
        self._ahead.clear()
        self._end()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """What was heard just before, then all that comes, until `enough`.

        Raises MicrophoneMissing where the device goes away; all that it heard has come by then.
        """
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._asked = queue
        for piece in self._ahead:
            queue.put_nowait(piece)
        self._ahead.clear()
        try:
            while True:
                async with asyncio.timeout(SILENT_S):
                    heard = await queue.get()
                if heard is None:
                    break
                if heard:
                    yield heard
        except TimeoutError:
            raise MicrophoneMissing(_GONE) from None
        finally:
            ours = self._asked is queue
            self._asked = None if ours else self._asked
        if ours and not self.open:
            raise MicrophoneMissing(_GONE)

    def enough(self) -> None:
        """No more pieces; those that were heard still come."""
        queue = self._asked
        if queue is not None:
            queue.put_nowait(None)

    def _passed(self, piece: bytes) -> list[bytes]:
        parts = [piece] if self._sieve is None else self._sieve(piece)
        self._held_back = 0 if parts else self._held_back + self._block
        if self._held_back >= BEAT_S * RATE:
            self._held_back = 0
            return [b""]
        return parts

    def _heard(self, piece: bytes) -> None:
        if self._asked is not None:
            self._asked.put_nowait(piece)
        elif piece:
            self._ahead.append(piece)

    def _end(self) -> None:
        self.enough()


_GONE = "The microphone is gone."
