"""The catalogue and the model in use, as the API offers them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, Protocol

import msgspec

from assistant.config import Paths, write_setting
from assistant.engine.catalogue import Catalogue, Entry, Progress
from assistant.errors import ModelInUse
from assistant.types import ModelInfo

_END = object()


class Engine(Protocol):
    """The part of an engine that changes its model."""

    def info(self) -> ModelInfo:
        """The model in use."""
        ...

    async def use(self, name: str) -> ModelInfo:
        """Answer with another model."""
        ...


class Models:
    """See `api.services.Models`."""

    def __init__(self, catalogue: Catalogue, engine: Engine, paths: Paths) -> None:
        self._catalogue = catalogue
        self._engine = engine
        self._paths = paths

    def list(self) -> list[dict[str, Any]]:
        """The catalogue, smallest first."""
        used = self._engine.info().id
        return [self._shown(entry, used) for entry in self._catalogue.entries()]

    def info(self) -> ModelInfo:
        """The model in use."""
        return self._engine.info()

    def pull(self, model_id: str) -> AsyncGenerator[dict[str, Any], None]:
        """Fetch a model. Closing the generator stops it; the next pull continues."""
        return _steps(lambda stop: self._catalogue.pull(model_id, cancelled=stop))

    def verify(self, model_id: str) -> AsyncGenerator[dict[str, Any], None]:
        """Compare a model's hash. Raises HashMismatch, ModelMissing, ModelNotFound."""
        return _steps(lambda _stop: self._catalogue.verify(model_id))

    async def use(self, name: str) -> ModelInfo:
        """Answer with another model, after restarts too. Raises as `Engine.use`."""
        info = await self._engine.use(name)
        write_setting(self._paths, "model", name)
        return info

    async def remove(self, model_id: str) -> int:
        """Delete a model's file; bytes freed. Raises ModelInUse, ModelNotFound."""
        if model_id == self._engine.info().id:
            raise ModelInUse
        return await asyncio.to_thread(self._catalogue.remove, model_id)

    def _shown(self, entry: Entry, used: str) -> dict[str, Any]:
        return {
            "id": entry.id,
            "title": entry.title,
            "state": self._catalogue.state(entry),
            "in_use": entry.id == used,
            "bytes": entry.bytes,
            "ram_bytes": entry.ram_bytes,
            "context": entry.context,
            "family": entry.family,
            "license": entry.license,
            "languages": list(entry.languages),
            "note": entry.note,
        }


async def _steps(
    begin: Callable[[Callable[[], bool]], Iterator[Progress]],
) -> AsyncGenerator[dict[str, Any], None]:
    """Run a blocking generator in a thread and hand its steps to the event loop."""
    stop = threading.Event()
    loop = asyncio.get_running_loop()
    steps: asyncio.Queue[Any] = asyncio.Queue()

    def work() -> None:
        try:
            for step in begin(stop.is_set):
                loop.call_soon_threadsafe(steps.put_nowait, step)
                if stop.is_set():
                    break
        except Exception as exc:  # noqa: BLE001 - raised again on the loop's side
            loop.call_soon_threadsafe(steps.put_nowait, exc)
        else:
            loop.call_soon_threadsafe(steps.put_nowait, _END)

    working = asyncio.create_task(asyncio.to_thread(work))
    try:
        while (step := await steps.get()) is not _END:
            if isinstance(step, Exception):
                raise step
            yield msgspec.to_builtins(step)
    finally:
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(working)
