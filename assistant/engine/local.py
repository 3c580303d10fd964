"""The daemon's side of the engine: a queue in front of the child that holds the model."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec

from assistant.config import LIMITS, Settings
from assistant.engine import fallback, templates
from assistant.engine.catalogue import PATH_CONTEXT, Catalogue, Entry, ModelFile
from assistant.engine.detached import run_detached
from assistant.engine.place import Place, Queue
from assistant.engine.service import GenerateSpec
from assistant.errors import (
    AssistantError,
    ChildCrashed,
    ChildStopped,
    EngineCrashed,
    EngineUnloadable,
    ModelMissing,
    ModelNotFound,
    Stopped,
)
from assistant.types import (
    ChildStatus,
    Generated,
    ModelInfo,
    Prefilled,
    Priority,
    Request,
    Sampling,
)
from assistant.worker import Child

log = logging.getLogger(__name__)

RETRY_AFTER_S = 5.0


class LocalEngine:
    """One model in one child. Loads it on the first request, on the settings this machine survives."""

    def __init__(
        self,
        child: Child,
        catalogue: Catalogue,
        settings: Settings,
        remembered: fallback.Remembered,
    ) -> None:
        self._child = child
        self._catalogue = catalogue
        self._settings = settings
        self._remembered = remembered
        self._name = settings.model
        self._info = ModelInfo(id=self._name, family="", state="unloaded")
        self._queue = Queue(LIMITS.queue_length, RETRY_AFTER_S)
        child.prepare = self._load

    # --- what core sees ------------------------------------------------------------------

    def reserve(self, priority: Priority = "interactive", device: str = "") -> Place:
        """A place in the queue. Raises EngineBusy if it is full, ModelMissing if there is no file."""
        self._require()
        return self._queue.place(self, priority, device)

    def sampling(self) -> Sampling:
        """What the catalogue recommends for this model."""
        entry = self._entry()
        return entry.sampling if entry else Sampling()

    async def prefill(self, request: Request) -> Prefilled:
        """Read a prompt ahead. Raises as `stream`."""
        await self.warm()
        return Prefilled(0, 0)

    async def stream(
        self, request: Request, priority: Priority, device: str
    ) -> AsyncGenerator[Generated, None]:
        """See Place.stream. Raises EngineCrashed if the child dies, EngineUnloadable, ContextOverflow."""
        try:
            await self._child.ready()
            spec = GenerateSpec(
                segments=templates.render(self._info.family, request.messages),
                sampling=request.sampling,
            )
            items = self._child.stream("generate", msgspec.to_builtins(spec))
            async with contextlib.aclosing(items):
                async for item in items:
                    yield msgspec.convert(item, Generated)
        except ChildStopped as exc:
            raise Stopped(self._why_stopped()) from exc
        except ChildCrashed as exc:
            raise EngineCrashed from exc

    def _why_stopped(self) -> str:
        return "Nestor is stopping." if self._child.closed else "The model was changed."

    async def warm(self) -> None:
        """Load the model now. Raises as `reserve` and `stream`."""
        self._require()
        try:
            await self._child.ready()
        except ChildStopped as exc:
            raise Stopped(self._why_stopped()) from exc
        except ChildCrashed as exc:
            raise EngineCrashed from exc

    def info(self) -> ModelInfo:
        """The model in use, and where it runs."""
        state = self._child.status().state
        if self._info.state == "failed" or state == "running":
            return self._info
        try:
            self._require()
        except AssistantError as exc:
            return ModelInfo(id=self._name, family="", state="missing", problem=exc.message)
        now = "loading" if state == "starting" else "unloaded"
        entry = self._entry()
        context = self._settings.context or (entry.context if entry else PATH_CONTEXT)
        return msgspec.structs.replace(self._info, id=self._name, state=now, context=context)

    @property
    def queue_length(self) -> int:
        """Requests that wait or run."""
        return self._queue.taken

    # --- what the daemon does ------------------------------------------------------------

    async def check(self, name: str) -> None:
        """Whether a model could be used. Raises ModelNotFound, ModelMissing, ModelInvalid."""
        await run_detached(lambda: self._catalogue.resolve(name))

    async def use(self, name: str) -> ModelInfo:
        """Answer with another model from now on; answers under way end with Stopped."""
        self._name = name
        self._info = ModelInfo(id=name, family="", state="unloaded")
        await self._child.stop()
        return self._info

    def children(self) -> list[ChildStatus]:
        """The process that holds the model."""
        return [self._child.status()]

    async def close(self) -> None:
        """End the child."""
        await self._child.close()

    def _entry(self) -> Entry | None:
        try:
            return self._catalogue.get(self._name)
        except ModelNotFound:
            return None

    def _require(self) -> None:
        """Raise ModelMissing or ModelNotFound if the file is not here; cheap."""
        entry = self._entry()
        if entry is None:
            if not Path(self._name).expanduser().is_file():
                raise ModelNotFound
        elif self._catalogue.state(entry) != "present":
            raise ModelMissing(
                f"The model {entry.id} is not on this machine yet.",
                f"Fetch it with `nestor models pull {entry.id}`.",
            )

    # --- loading -------------------------------------------------------------------------

    async def _load(self) -> None:
        """Runs whenever the child was started: load the model one rung after the other."""
        name = self._name
        self._info = ModelInfo(id=name, family="", state="loading")
        try:
            file = await run_detached(lambda: self._catalogue.resolve(name))
            facts, rung = await self._climb_down(file)
            family = templates.choose(
                file.info.architecture, facts["marked"], file.family or self._settings.family
            )
        except ChildStopped:
            raise
        except AssistantError as exc:
            self._info = ModelInfo(id=name, family="", state="failed", problem=exc.message)
            raise
        if self._name != name:
            raise ChildStopped
        self._info = ModelInfo(
            id=name,
            family=family,
            state="ready",
            context=facts["context"],
            layers=facts["layers"],
            gpu_layers=facts["gpu_layers"],
            device=facts["device"],
            safe_mode=rung.name,
            problem=facts["problem"],
        )
        log.info("model %s ready, %s", self._name, rung.name or "default settings")

    async def _climb_down(self, file: ModelFile) -> tuple[dict[str, Any], fallback.Rung]:
        key = file.sha256 or str(file.path)
        gpu = bool(await self._child.call_unprepared("gpu"))
        problem: AssistantError = EngineUnloadable()
        lasting = True
        for rung in fallback.ladder(gpu=gpu, first=self._remembered.get(key)):
            try:
                facts = await self._child.call_unprepared("load", self._load_spec(file, rung))
            except ChildStopped:
                raise
            except (ChildCrashed, EngineUnloadable) as exc:
                log.warning("model %s failed with %s", self._name, rung.name or "defaults")
                problem = exc
                # Killed from outside, for memory or by hand: says nothing about the settings.
                lasting = lasting and getattr(exc, "exit_code", None) != -signal.SIGKILL
                continue
            if lasting:
                self._remembered.put(key, rung.name)
            return facts, rung
        raise EngineUnloadable(
            f"The model could not be loaded with any settings: {problem.message}"
        ) from problem

    def _load_spec(self, file: ModelFile, rung: fallback.Rung) -> dict[str, Any]:
        wanted = self._settings.gpu_layers
        layers = file.info.layers + 1 if wanted < 0 else wanted
        return {
            "path": str(file.path),
            "context": self._settings.context or file.context,
            "threads": self._settings.threads or default_threads(),
            "gpu_layers": round(layers * rung.gpu_share),
            "use_extra_bufts": rung.use_extra_bufts,
        }


def default_threads() -> int:
    """Physical cores minus one, so that the desktop keeps one; both of two."""
    cores = physical_cores()
    return cores if cores <= 2 else cores - 1


def physical_cores() -> int:
    """Cores this process may run on, hyper-threads counted once where the system tells."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    if usable is None:
        return max(1, os.cpu_count() or 1)
    siblings = {_siblings(cpu) for cpu in usable}
    return max(1, len(siblings))


def _siblings(cpu: int) -> str:
    try:
        with open(  # noqa: PTH123
            f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", encoding="ascii"
        ) as file:
            return file.read().strip()
    except OSError:
        return str(cpu)
