"""What changed, told to every device that listens: the names of things, never their content.

Whoever hears that something changed reads it through the API, where it is decided who may see what.
So nothing here has to be forgotten when a memory or a conversation is.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from assistant.config import LIMITS
from assistant.core.run import Run
from assistant.types import Event


class _Told(msgspec.Struct, frozen=True):
    event: Event
    to: str | None


class Feed:
    """The latest events, and whoever waits for the next. Ids only grow, across restarts too.

    `to` names the device that an event is for; None: all of them.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        # Milliseconds since 1970: above every id of an earlier run, so none is taken for one of ours.
        self._last = int(clock() * 1000)
        self._kept: deque[_Told] = deque(maxlen=LIMITS.feed_events)
        self._changed = asyncio.Event()
        self._closed = False

    def tell(self, name: str, data: dict[str, Any], *, to: str | None = None) -> None:
        """Append an event and wake who listens."""
        self._last += 1
        self._kept.append(_Told(Event(self._last, name, data), to))
        self._wake()

    def turn(self, run: Run) -> None:
        """A turn has begun, or ended."""
        name = "turn_finished" if run.log.finished else "turn_started"
        self.tell(name, {"turn": run.id, "conversation": run.conversation.id})

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        self._wake()

    async def follow(self, after: int | None, device: str = "") -> AsyncIterator[Event]:
        """Events above `after` that are for this device, as they come, until `close`.

        Where some of them are gone, or `after` is None or not of this run, `sync` comes first: what
        the reader knows may be old, so read all of it anew. Who reads too slowly gets it again.
        """
        at = after
        while not self._closed:
            if at is None or not self._holds(at):
                at = self._last
                yield Event(at, "sync", {})
            elif at == self._last:
                await self._changed.wait()
            else:
                told = self._kept[at - self._last]  # ids have no gaps
                at = told.event.id
                if told.to in (None, device):
                    yield told.event

    def _holds(self, at: int) -> bool:
        """Whether all that came after this one is still here."""
        return self._last - len(self._kept) <= at <= self._last

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
