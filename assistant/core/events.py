"""The events of one turn as they happen: numbered, kept, and followed by any number of readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from assistant.types import Event

LAST = frozenset({"done", "failed"})


class EventLog:
    """Append-only. Readers may come late, leave and come back with the id they saw last."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._changed = asyncio.Event()

    @property
    def events(self) -> tuple[Event, ...]:
        """All so far."""
        return tuple(self._events)

    @property
    def finished(self) -> bool:
        """Whether the last event is out."""
        return bool(self._events) and self._events[-1].event in LAST

    def next(self, name: str, data: dict[str, Any]) -> Event:
        """The event that would come next; not appended."""
        return Event(len(self._events) + 1, name, data)

    def append(self, name: str, data: dict[str, Any]) -> None:
        """Append an event and wake the readers. Nothing follows the last one."""
        if not self.finished:
            self._events.append(self.next(name, data))
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    async def follow(self, after: int = 0) -> AsyncIterator[Event]:
        """Events with an id above `after`, as they come, to the last one."""
        at = max(after, 0)
        while True:
            while at < len(self._events):
                at += 1
                yield self._events[at - 1]
            if self.finished:
                return
            await self._changed.wait()
