"""The embed child within this process, so that a fork or a preloaded disk has it all to itself."""

from __future__ import annotations

from typing import Any

from assistant.memory import embedder
from assistant.memory.fake import FakeRuntime
from assistant.types import ChildStatus


class InnerChild:
    """Answers as worker.Child does, from the toy embedder."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self._runtime = FakeRuntime()
        self._prepared = False
        self.prepare: Any = None

    async def ready(self) -> None:
        if not self._prepared:
            await self.prepare()
            self._prepared = True

    async def call(self, method: str, payload: Any = None) -> Any:
        await self.ready()
        return await self.call_unprepared(method, payload)

    async def call_unprepared(self, method: str, payload: Any = None) -> Any:
        if method == "load":
            return {"model": self._runtime.model, "dim": self._runtime.dim}
        return self._runtime.embed(payload["texts"], payload["purpose"])

    def status(self) -> ChildStatus:
        return ChildStatus("embed", "running")

    async def close(self) -> None:
        pass


def install() -> None:
    """For this process, from now on."""
    embedder.Child = InnerChild  # type: ignore[assignment, misc]
