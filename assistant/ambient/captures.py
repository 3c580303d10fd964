"""Remember this: what the user saw and asked to keep, as a quoted note with where it comes from.

The yes was to keeping it, not to what it says: it carries the label of where it was seen, so it never
becomes a fact, and a prompt quotes it. Whoever sends it names it, so that sent twice it is stored once.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import msgspec

from assistant.types import Memory, NewMemory


class Capture(msgspec.Struct, frozen=True):
    """Something that was on the screen."""

    id: str
    """Made by whoever sends it, anew for each."""
    text: str
    title: str = ""
    app: str = ""
    address: str = ""
    part: str = ""
    """`screen` for what was read from a picture of it, later."""

    @property
    def key(self) -> str:
        """What says that it is this one."""
        return f"capture:{self.id}:{self.part}"

    def note(self, scope: str = "") -> NewMemory:
        """As it is stored."""
        where = " — ".join(one for one in (self.title or self.app, self.address) if one)
        return NewMemory(
            self.text.strip(),
            "note",
            source=where[:200] or "screen",
            thread=f"capture:{self.id}",
            trust="web" if self.address else "device",
            scope=scope,
            episode=self.key,
        )


class Notes(Protocol):
    """The part of the memory that keeps captures."""

    async def add(self, new: NewMemory) -> Memory: ...
    async def of_episode(self, episode: str) -> Memory | None: ...


class Captures:
    """Keeps each capture once, across restarts too."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._one = asyncio.Lock()

    async def keep(self, capture: Capture, scope: str = "") -> tuple[Memory, bool]:
        """The note on disk, and whether it is new."""
        async with self._one:
            if known := await self._notes.of_episode(capture.key):
                return known, False
            return await self._notes.add(capture.note(scope)), True
