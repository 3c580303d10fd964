"""What is examined, as the examination sees it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from assistant.types import Memory, Recalled, Trust


class Reply(msgspec.Struct, frozen=True):
    """An answer of the model."""

    text: str
    first_s: float
    """Until its first word."""
    tokens_per_s: float = 0.0


class Subject(Protocol):
    """An assistant with an empty memory of its own."""

    async def note(
        self,
        texts: Sequence[str],
        *,
        trust: Trust = "user",
        said_at: str | None = None,
        source: str | None = None,
    ) -> list[str]:
        """Store notes; their ids."""
        ...

    async def state(self, text: str) -> None:
        """Store what the user asks to have remembered."""
        ...

    async def say(self, text: str) -> str:
        """A message as memory takes it: an order is carried out, a correction taken. What it replied."""
        ...

    async def ask(self, text: str) -> Reply:
        """A question in a conversation of its own, answered by the model."""
        ...

    async def recall(self, text: str, k: int = 5, *, gate: bool = True) -> list[Recalled]:
        """What is found for a question; with `gate`, nothing rather than a bad guess."""
        ...

    async def facts(self, *, closed: bool = False) -> list[Memory]:
        """Everything remembered, what holds no longer too if asked for."""
        ...

    async def forget(
        self, *, ids: Sequence[str] = (), words: str = "", before: str = "", source: str = ""
    ) -> int:
        """Forget; how many copies its own proof still found, chats apart."""
        ...

    async def left(self, word: str) -> int:
        """In how many places of all files, decrypted, a word still stands: looked for by other means."""
        ...

    async def settled(self) -> None:
        """Wait until everything can be found by its meaning."""
        ...


class Maker(Protocol):
    """Makes subjects."""

    @property
    def model(self) -> str:
        """The model that answers."""
        ...

    @property
    def embedder(self) -> str:
        """The model that finds by meaning; empty until it has run."""
        ...

    def fresh(self) -> AbstractAsyncContextManager[Subject]:
        """One with nothing in its memory, gone without a trace afterwards."""
        ...

    async def close(self) -> None:
        """End what runs."""
        ...
