"""What the routes call. The daemon fills it in; until then every route but /health waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from assistant.ambient.captures import Captures
from assistant.ambient.write import Writing
from assistant.core.completion import Completions
from assistant.core.desk import Desk
from assistant.core.devices import Devices
from assistant.core.drafts import Drafts
from assistant.core.feed import Feed
from assistant.core.forgetting import Forgetting
from assistant.core.learn import Learner
from assistant.core.pairing import Pairing
from assistant.core.ports import Recall, Speech
from assistant.core.talk import Talks
from assistant.core.turn import Turns
from assistant.core.wakings import Wakings
from assistant.errors import AssistantError
from assistant.types import (
    Backup,
    Conversation,
    Effect,
    Forget,
    Forgotten,
    Kind,
    Learning,
    Memory,
    MemoryCount,
    ModelInfo,
    NewMemory,
    Parcel,
    Purged,
    Source,
    SourceFile,
    Suggestion,
    Turn,
)


class Memories(Recall, Protocol):
    """The memory, as routes use it."""

    async def add(self, new: NewMemory) -> Memory: ...
    async def add_many(self, items: Sequence[NewMemory]) -> list[Memory]: ...
    async def get(self, memory_id: str) -> Memory: ...
    async def list(
        self,
        *,
        cursor: str | None,
        limit: int,
        kind: str | None,
        include_closed: bool,
        classes: Sequence[str] | None,
    ) -> tuple[list[Memory], str | None]: ...
    async def edit(
        self,
        memory_id: str,
        *,
        text: str | None = None,
        kind: Kind | None = None,
        importance: float | None = None,
    ) -> Memory: ...
    async def history(self, memory_id: str) -> Sequence[Memory]: ...
    async def delete(self, memory_id: str) -> int: ...
    async def count(self) -> MemoryCount: ...
    async def check(self) -> dict[str, Any]: ...


class Forgetter(Protocol):
    """Forgets, and proves it."""

    async def dry_run(self, which: Forget) -> Forgotten: ...
    async def forget(self, which: Forget, *, prove: bool = True) -> Forgotten: ...


class Conversations(Protocol):
    """The conversations, as routes use them."""

    async def create(
        self,
        *,
        title: str,
        system: str,
        device: str,
        classes: tuple[str, ...] | None,
        learn: Learning | Literal[""],
        memory: bool,
    ) -> Conversation: ...
    async def get(self, conversation_id: str) -> Conversation: ...
    async def list(
        self, *, cursor: str | None, limit: int, device: str, classes: tuple[str, ...] | None
    ) -> tuple[list[Conversation], str | None]: ...
    async def update(
        self,
        conversation_id: str,
        *,
        title: str | None = None,
        learn: Learning | Literal[""] | None = None,
        memory: bool | None = None,
    ) -> Conversation: ...
    async def delete(self, conversation_id: str) -> Sequence[str]: ...
    async def turns(self, conversation_id: str) -> Sequence[Turn]: ...
    async def turn(self, turn_id: str) -> Turn: ...


class Backups(Protocol):
    """The backups of the memory, as routes use them."""

    @property
    def running(self) -> dict[str, Any] | None: ...
    @property
    def key_place(self) -> str: ...
    async def make(self, *, to: str, purge: bool) -> tuple[Backup, Purged]: ...
    async def list(self) -> list[Backup]: ...
    async def holders(self) -> Sequence[Backup]: ...


class Transfers(Protocol):
    """Export and import of everything remembered."""

    def export(self, password: str, *, vectors: bool) -> AsyncGenerator[bytes, None]: ...
    def load(
        self,
        source: Path | AsyncIterator[bytes],
        password: str,
        *,
        origin: str,
        dry_run: bool,
        with_forgotten: bool,
        mine: Collection[str] = (),
    ) -> AsyncGenerator[dict[str, Any], None]: ...


class Sources(Protocol):
    """What may be read, as routes use it."""

    async def add(
        self, path: str, *, kind: str | None, ignore: Sequence[str], hidden: bool
    ) -> Source: ...
    async def get(self, source_id: str) -> Source: ...
    async def files(
        self, source_id: str, *, cursor: str | None, limit: int, state: str | None
    ) -> tuple[list[SourceFile], str | None]: ...
    async def pause(self, source_id: str) -> Source: ...
    async def resume(self, source_id: str) -> Source: ...
    async def remove(self, source_id: str) -> Source | None: ...
    async def list(self) -> list[Source]: ...


class Suggestions(Protocol):
    """What may be worth keeping, as routes use it."""

    async def list(
        self, *, cursor: str | None, limit: int
    ) -> tuple[list[Suggestion], str | None]: ...
    async def accept(self, suggestion_id: str) -> Effect: ...
    async def reject(self, suggestion_id: str) -> None: ...
    async def set_mode(self, device: str, mode: Learning) -> None: ...


class Parcels(Protocol):
    """What devices send each other."""

    async def add(self, parcel: Parcel, content: bytes) -> None: ...
    async def list(self, device: str) -> Sequence[Parcel]: ...
    async def get(self, parcel_id: str, device: str) -> tuple[Parcel, bytes]: ...
    async def delete(self, parcel_id: str, device: str) -> Parcel: ...


class Embedder(Protocol):
    """Vectors for `/v1/embeddings`."""

    @property
    def embed_model(self) -> str: ...
    async def embed(self, texts: Sequence[str], purpose: str = "passage") -> list[list[float]]: ...


class Models(Protocol):
    """The catalogue and the model in use."""

    def list(self) -> list[dict[str, Any]]: ...
    def pull(self, model_id: str) -> AsyncGenerator[dict[str, Any], None]: ...
    def verify(self, model_id: str) -> AsyncGenerator[dict[str, Any], None]: ...
    async def use(self, name: str) -> ModelInfo: ...
    async def remove(self, model_id: str) -> int: ...


class Status(Protocol):
    """The state of the whole, for `status` and `doctor`."""

    async def status(self) -> dict[str, Any]: ...
    async def doctor(self) -> list[dict[str, Any]]: ...


class Services:
    """Filled in by the daemon, then `open`ed; or `fail`ed, and every route says why."""

    feed: Feed
    desk: Desk
    turns: Turns
    drafts: Drafts
    forgetting: Forgetting
    learner: Learner
    suggestions: Suggestions
    completions: Completions
    writing: Writing
    captures: Captures
    devices: Devices
    pairing: Pairing
    diagnose: Callable[[str], Awaitable[list[dict[str, Any]]]]
    """Why a phone cannot reach an interface (empty: the likeliest)."""
    memories: Memories
    forgetter: Forgetter
    conversations: Conversations
    parcels: Parcels
    backups: Backups
    transfers: Transfers
    sources: Sources
    embedder: Embedder
    models: Models
    speech: Speech
    talks: Talks
    wakings: Wakings
    status: Status
    system_prompt: str

    def __init__(self) -> None:
        self._ready = asyncio.Event()
        self._problem: AssistantError | None = None

    @property
    def state(self) -> str:
        """`starting`, `ready` or `failed`."""
        if self._problem is not None:
            return "failed"
        return "ready" if self._ready.is_set() else "starting"

    def open(self) -> None:
        """Everything is in place."""
        self._ready.set()

    def fail(self, problem: AssistantError) -> None:
        """The memory could not be opened; answer with that from now on."""
        self._problem = problem
        self._ready.set()

    def check_room(self, device: str) -> None:
        """Raise EngineBusy if the model's queue is full; nothing while the daemon opens."""
        if self._ready.is_set() and self._problem is None:
            self.completions.check_room(device)

    async def wait(self) -> None:
        """Until the routes may run. Raises what `fail` was given."""
        await self._ready.wait()
        if self._problem is not None:
            raise self._problem
