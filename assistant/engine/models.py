"""The catalogue and the model in use, as the API offers them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec

from assistant.config import Paths, write_setting
from assistant.engine.catalogue import Catalogue, Entry, Progress
from assistant.engine.detached import run_detached
from assistant.errors import AssistantError, InvalidInput, ModelInUse, Stopped
from assistant.types import ModelInfo


class Engine(Protocol):
    """The part of an engine that changes its model."""

    def info(self) -> ModelInfo:
        """The model in use."""
        ...

    async def check(self, name: str) -> None:
        """Whether a model could be used."""
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
        self._jobs: set[_Job] = set()

    def list(self) -> list[dict[str, Any]]:
        """The catalogue, smallest first."""
        used = self._engine.info().id
        proposed = self._catalogue.propose(ram_bytes()).id
        return [self._shown(entry, used, proposed) for entry in self._catalogue.entries()]

    def pull(self, model_id: str) -> AsyncGenerator[dict[str, Any], None]:
        """Fetch a model. Closing the generator stops it; the next pull continues."""
        return self._run(lambda stop: self._catalogue.pull(model_id, cancelled=stop))

    def verify(self, model_id: str) -> AsyncGenerator[dict[str, Any], None]:
        """Compare a model's hash. Raises HashMismatch, ModelMissing, ModelNotFound."""
        return self._run(lambda _stop: self._catalogue.verify(model_id))

    async def use(self, name: str) -> ModelInfo:
        """Answer with another model, after restarts too, unless a flag or the environment says else.

        A path must be absolute: the daemon's current folder is nobody's business. Raises
        ModelNotFound, ModelMissing, ModelInvalid, ConfigInvalid; nothing has changed then.
        """
        if name.lower().endswith(".gguf") and not Path(name).is_absolute():
            raise InvalidInput("The path of the model is not absolute.", "Send the whole path.")
        await self._engine.check(name)
        write_setting(self._paths, "model", name)
        return await self._engine.use(name)

    async def remove(self, model_id: str) -> int:
        """Delete a model's file; bytes freed. Raises ModelInUse, ModelNotFound."""
        if model_id == self._engine.info().id:
            raise ModelInUse
        return await asyncio.to_thread(self._catalogue.remove, model_id)

    async def close(self) -> None:
        """End what runs; its readers are told."""
        for job in self._jobs:
            job.end()

    async def _run(
        self, begin: Callable[[Callable[[], bool]], Iterator[Progress]]
    ) -> AsyncGenerator[dict[str, Any], None]:
        job = _Job(begin)
        self._jobs.add(job)
        try:
            async with contextlib.aclosing(job.steps()) as steps:
                async for step in steps:
                    yield step
        finally:
            self._jobs.discard(job)

    def _shown(self, entry: Entry, used: str, proposed: str) -> dict[str, Any]:
        return {
            "id": entry.id,
            "title": entry.title,
            "state": self._catalogue.state(entry),
            "in_use": entry.id == used,
            "proposed": entry.id == proposed,
            "bytes": entry.bytes,
            "ram_bytes": entry.ram_bytes,
            "context": entry.context,
            "family": entry.family,
            "license": entry.license,
            "languages": list(entry.languages),
            "note": entry.note,
        }


def ram_bytes() -> int:
    """Memory of this machine; 0 if the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


class _Job:
    """A blocking generator on a thread of its own, its steps handed to the event loop."""

    def __init__(self, begin: Callable[[Callable[[], bool]], Iterator[Progress]]) -> None:
        self._begin = begin
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._steps: asyncio.Queue[Progress | AssistantError | None] = asyncio.Queue()

    async def steps(self) -> AsyncGenerator[dict[str, Any], None]:
        """Each step as it comes. Raises the AssistantError the work raised, or Stopped after `end`."""
        working = asyncio.ensure_future(run_detached(self._work))
        try:
            while (step := await self._steps.get()) is not None:
                if isinstance(step, AssistantError):
                    raise step
                yield msgspec.to_builtins(step)
            await working
        finally:
            self._stop.set()
            working.cancel()

    def end(self) -> None:
        """The daemon stops: tell the reader now, the thread whenever it listens."""
        self._stop.set()
        self._steps.put_nowait(Stopped("Nestor is stopping.", "Pull again: it continues."))

    def _work(self) -> None:
        try:
            for step in self._begin(self._stop.is_set):
                self._put(step)
                if self._stop.is_set():
                    return
        except AssistantError as exc:
            self._put(exc)
        finally:
            self._put(None)

    def _put(self, step: Progress | AssistantError | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._steps.put_nowait, step)
