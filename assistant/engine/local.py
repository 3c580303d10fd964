"""The daemon's side of the engine: a queue in front of the child that holds the model."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, Collection
from pathlib import Path
from typing import Any

import msgspec

from assistant.config import LIMITS, Settings
from assistant.engine import templates, tools
from assistant.engine.catalogue import PATH_CONTEXT, Catalogue, Entry
from assistant.engine.detached import run_detached
from assistant.engine.generation import GenerateSpec
from assistant.engine.loader import Loader
from assistant.engine.place import Place, Queue
from assistant.engine.yielding import Yielding
from assistant.errors import (
    AssistantError,
    ChildCrashed,
    ChildStopped,
    EngineCrashed,
    ModelMissing,
    ModelNotFound,
    ModelSetAside,
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
CRASHES = 3
"""In a row, without an answer between them: then the model is set aside."""


class LocalEngine:
    """One model in one child. Loads it on the first request, on the settings this machine survives."""

    def __init__(
        self, child: Child, catalogue: Catalogue, settings: Settings, loader: Loader
    ) -> None:
        self._child = child
        self._catalogue = catalogue
        self._settings = settings
        self._loader = loader
        self._name = settings.model
        self._info = ModelInfo(id=self._name, family="", state="unloaded")
        self._queue = Queue(LIMITS.queue_length, LIMITS.device_queue_length, RETRY_AFTER_S)
        self._crashes = 0
        self._seen_crashes = 0
        self._yielding = Yielding(self.report, lambda: not self._queue.taken, child.stop_if_idle)
        child.prepare = self._load
        child.farewell = self._farewell

    # --- what core sees ------------------------------------------------------------------

    def reserve(self, priority: Priority = "interactive", device: str = "") -> Place:
        """A place in the queue. Raises EngineBusy if it is full, ModelMissing if there is no file,

        ModelSetAside if the model keeps crashing.
        """
        self._require()
        return self._queue.place(self, priority, device)

    def check_room(self, device: str = "") -> None:
        """Raise EngineBusy if the queue is full for this device."""
        self._queue.check(device)

    def sampling(self) -> Sampling:
        """What the catalogue recommends for this model."""
        entry = self._entry()
        return entry.sampling if entry else Sampling()

    async def prefill(self, request: Request) -> Prefilled:
        """Read a prompt ahead. Raises as `stream`, and Stopped when its chat is asked meanwhile."""
        self._require()
        spec = await self._spec(request, "ambient", "", answer=False)
        read = Prefilled(0, 0)
        async with contextlib.aclosing(self._once(spec)) as items:
            async for item in items:
                if isinstance(item, Prefilled):
                    read = item
        return read

    async def stream(
        self, request: Request, priority: Priority, device: str
    ) -> AsyncGenerator[Generated, None]:
        """See Place.stream. Raises EngineCrashed if the child dies, EngineUnloadable, ContextOverflow.

        Should the child die before anything was said, the request is put to a new one, once.
        """
        spec = await self._spec(request, priority, device)
        family = self._info.family
        async with contextlib.aclosing(tools.read(self._replayed(spec), request, family)) as items:
            async for item in items:
                yield item

    async def forget(self, refs: Collection[str]) -> None:
        """Drop every cache that holds one of these ids, in the child and on disk."""
        if not refs:
            return
        if self._child.status().state == "running":
            with contextlib.suppress(ChildCrashed):
                await self._child.call("forget", list(refs))
        await run_detached(lambda: self._loader.forget(refs))

    async def warm(self) -> None:
        """Load the model now. Raises as `reserve` and `stream`."""
        self._require()
        await self._ready()

    def info(self) -> ModelInfo:
        """The model in use, and where it runs."""
        state = self._child.status().state
        if self._info.state == "failed" or state == "running":
            return self._info
        try:
            self._require()
        except AssistantError as exc:
            state_now = "failed" if isinstance(exc, ModelSetAside) else "missing"
            return ModelInfo(id=self._name, family="", state=state_now, problem=exc.message)  # type: ignore[arg-type]
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
        self._crashes = 0
        await self._child.stop()
        self._info = ModelInfo(id=name, family="", state="unloaded")
        return self._info

    def report(self) -> dict[str, Any]:
        """What the child last said of its work, as `status` shows it; empty while it does not run."""
        return self._child.report if self._child.status().state == "running" else {}

    def children(self) -> list[ChildStatus]:
        """The process that holds the model."""
        return [self._child.status()]

    async def close(self) -> None:
        """End the child."""
        await self._yielding.close()
        await self._child.close()

    # --- requests ------------------------------------------------------------------------

    async def _spec(
        self, request: Request, priority: Priority, device: str, *, answer: bool = True
    ) -> GenerateSpec:
        await self._ready()
        family = self._info.family
        return GenerateSpec(
            segments=templates.render(
                family, request.messages, tools=request.tools, unfinished=not answer
            ),
            sampling=request.sampling,
            chat=request.chat,
            priority=priority,
            device=device,
            grammar=tools.grammar(request, family) if answer else "",
            answer=answer,
            lookup=self._settings.lookup != "off",
        )

    async def _ready(self) -> None:
        with self._translated():
            await self._child.ready()

    async def _replayed(self, spec: GenerateSpec) -> AsyncGenerator[Generated, None]:
        read = said = False
        for last in (False, True):
            try:
                async with contextlib.aclosing(self._once(spec)) as items:
                    async for item in items:
                        if isinstance(item, Prefilled):
                            if read:
                                continue
                            read = True
                        else:
                            said = True
                        yield item
            except EngineCrashed:
                if said or last:
                    raise
                log.warning("an answer that had not begun is asked for again")
            else:
                self._crashes = 0
                return

    async def _once(self, spec: GenerateSpec) -> AsyncGenerator[Generated, None]:
        with self._translated():
            items = self._child.stream("generate", msgspec.to_builtins(spec))
            async with contextlib.aclosing(items):
                async for item in items:
                    yield msgspec.convert(item, Generated)

    @contextlib.contextmanager
    def _translated(self) -> Any:
        """A child's end, in the engine's words."""
        try:
            yield
        except ChildStopped as exc:
            raise Stopped(self._why_stopped()) from exc
        except ChildCrashed as exc:
            self._count_crash()
            raise EngineCrashed from exc

    def _why_stopped(self) -> str:
        return "Nestor is stopping." if self._child.closed else "The model was changed."

    def _count_crash(self) -> None:
        """Each death once, however many requests it took with it."""
        died = self._child.status().crashes
        if died > self._seen_crashes:
            self._seen_crashes = died
            self._crashes += 1
            if self._info.draft:
                # Nobody knows which of the two it was; only one of them is needed.
                self._loader.drop_draft(self._info.draft)
            elif self._info.gpu_layers:
                self._loader.step_down(self._name)

    def _entry(self) -> Entry | None:
        try:
            return self._catalogue.get(self._name)
        except ModelNotFound:
            return None

    def _require(self) -> None:
        """Raise ModelMissing, ModelNotFound or ModelSetAside if there is nothing to ask; cheap."""
        if self._crashes >= CRASHES:
            raise ModelSetAside(
                f"The model {self._name} crashed {CRASHES} times in a row and was set aside.",
                "`nestor models use` with another model, or with this one to try again.",
            )
        entry = self._entry()
        if entry is None:
            if not Path(self._name).expanduser().is_file():
                raise ModelNotFound
        elif self._catalogue.state(entry) != "present":
            raise ModelMissing(
                f"The model {entry.id} is not on this machine yet.",
                f"Fetch it with `nestor models pull {entry.id}`.",
            )

    # --- the child -----------------------------------------------------------------------

    async def _load(self) -> None:
        """Runs whenever the child was started."""
        name = self._name
        self._info = ModelInfo(id=name, family="", state="loading")
        try:
            info = await self._loader.load(name)
        except ChildStopped:
            raise
        except AssistantError as exc:
            self._info = ModelInfo(id=name, family="", state="failed", problem=exc.message)
            raise
        if self._name != name:
            raise ChildStopped
        self._info = info
        if self._settings.yield_vram:
            self._yielding.watch(info.vram_bytes)
        # Deaths while settings were tried say nothing about the model.
        self._seen_crashes = self._child.status().crashes

    async def _farewell(self) -> None:
        """Before the child is stopped: chats go to disk."""
        if self._info.state == "ready":
            await self._child.call_unprepared("save")
