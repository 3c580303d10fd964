"""The state of the whole, as `status` and `doctor` show it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any, Protocol

import msgspec

from assistant import __version__
from assistant.config import LIMITS, Paths
from assistant.errors import AssistantError
from assistant.types import ChildStatus, MemoryCount, ModelInfo, Source, SwapProgress
from assistant.worker.child import rss_bytes

_SPARE_BYTES = 1 << 30


class Engine(Protocol):
    """The engine's state."""

    @property
    def queue_length(self) -> int: ...
    def info(self) -> ModelInfo: ...
    def children(self) -> list[ChildStatus]: ...
    def report(self) -> dict[str, Any]: ...
    async def warm(self) -> None: ...


class Memory(Protocol):
    """The memory's state."""

    async def count(self) -> MemoryCount: ...
    async def check(self) -> dict[str, Any]: ...


class Sources(Protocol):
    """The sources' state."""

    async def list(self) -> list[Source]: ...


class Vectors(Protocol):
    """The embedder's state."""

    @property
    def embed_model(self) -> str: ...
    @property
    def swap_progress(self) -> SwapProgress | None: ...
    async def embed(self, texts: Sequence[str], purpose: str = "passage") -> list[list[float]]: ...


class Speech(Protocol):
    """The state of what hears and speaks."""

    async def check(self) -> tuple[bool, str, str]: ...


class Rota(Protocol):
    """The state of the backups."""

    async def report(self) -> dict[str, Any]: ...


class State:
    """See `api.services.Status`."""

    def __init__(
        self,
        paths: Paths,
        engine: Engine,
        memory: Memory,
        *,
        port: int,
        key_place: str,
        vectors: Vectors,
        rota: Rota,
        sources: Sources,
        children: Callable[[], Sequence[ChildStatus]],
        memory_problem: str = "",
        speech: Speech | None = None,
    ) -> None:
        self._speech = speech
        self._paths = paths
        self._engine = engine
        self._memory = memory
        self._port = port
        self._key_place = key_place
        self._vectors = vectors
        self._rota = rota
        self._sources = sources
        self._children = children
        self._memory_problem = memory_problem
        self._begun = time.monotonic()

    async def status(self) -> dict[str, Any]:
        """What runs, where, and how much is remembered."""
        return {
            "version": __version__,
            "pid": os.getpid(),
            "port": self._port,
            "uptime_s": round(time.monotonic() - self._begun, 1),
            "rss_bytes": rss_bytes(),
            "model": msgspec.to_builtins(self._engine.info()),
            "engine": self._engine.report(),
            "queue": {"length": self._engine.queue_length, "limit": LIMITS.queue_length},
            "children": [msgspec.to_builtins(child) for child in self._children()],
            "memory": msgspec.to_builtins(await self._memory.count())
            | {"problem": self._memory_problem},
            "embedder": self._vectors.embed_model or "not started",
            "sources": _summary(await self._sources.list()),
            "swap": msgspec.to_builtins(self._vectors.swap_progress),
            "key": self._key_place,
            "backup": await self._rota.report(),
        }

    async def doctor(self) -> list[dict[str, Any]]:
        """Each check with what it found and what to do. Loads the model if it is not loaded."""
        return [
            self._versions(),
            self._disk(),
            self._key(),
            await self._store(),
            await self._backup(),
            await self._embedder(),
            await self._reachable(),
            await self._model(),
            self._offload(),
            *([await self._hearing(self._speech)] if self._speech else []),
        ]

    def _versions(self) -> dict[str, Any]:
        parts = [f"Nestor {__version__}", f"Python {sys.version.split()[0]}"]
        parts += [f"{n} {metadata.version(n)}" for n in ("llama-cpp-python", "sqlcipher3")]
        return _check("versions", True, ", ".join(parts))

    def _disk(self) -> dict[str, Any]:
        free = shutil.disk_usage(self._paths.data).free
        found = f"{free / 1e9:.1f} GB free for the memory"
        return _check("disk", free > _SPARE_BYTES, found, "Free some space.")

    def _key(self) -> dict[str, Any]:
        if "keyring" in self._key_place:
            return _check("key", True, "The database key is in the system's keyring.")
        return _check(
            "key",
            True,
            "The database key is in a file that only you can read (no keyring was found). "
            "Whoever copies your whole disk has both; disk encryption helps against that.",
        )

    async def _store(self) -> dict[str, Any]:
        try:
            result = await self._memory.check()
            count = await self._memory.count()
        except AssistantError as exc:
            return _check("memory", False, exc.message, exc.hint)
        found = f"{count.count} stored, {count.pending} waiting for vectors"
        if self._memory_problem:
            found = f"{found}. {self._memory_problem}"
        sound = bool(result.get("ok")) and not self._memory_problem
        hint = "`nestor backup --list`, then `nestor restore`."
        return _check("memory", sound, found, hint) | {"details": result}

    async def _backup(self) -> dict[str, Any]:
        report = await self._rota.report()
        last = f"The last one is of {report['last']}" if report["last"] else "There is none yet"
        if report["problem"]:
            found = f"{report['problem']} {last}; it is tried again."
            return _check("backup", False, found, report["hint"])
        soon = f"the next is due {report['next']}" if report["next"] else "none is made by itself"
        return _check("backup", True, f"{last}, {soon}.")

    async def _embedder(self) -> dict[str, Any]:
        try:
            (vector,) = await self._vectors.embed(["hello"])
        except AssistantError as exc:
            return _check("embedder", False, exc.message, exc.hint)
        return _check("embedder", True, f"{self._vectors.embed_model}, {len(vector)} dimensions")

    async def _reachable(self) -> dict[str, Any]:
        found = _summary(await self._sources.list())
        said = (
            f"{found['count']} sources, {found['files']} files, {found['failed']} could not be read"
        )
        if away := found["unavailable"]:
            said += f"; {away} cannot be reached now"
        return _check("sources", not away, said, "`nestor sources list` says which and why.")

    async def _model(self) -> dict[str, Any]:
        try:
            await self._engine.warm()
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is the finding
            hint = getattr(exc, "hint", "")
            return _check("model", False, str(exc), hint)
        info = self._engine.info()
        safe = f", safe settings: {info.safe_mode}" if info.safe_mode else ""
        draft = f". {info.draft} drafts for it." if info.draft else ""
        draft = f". No draft model: {info.draft_problem}" if info.draft_problem else draft
        found = f"{info.id} is ready, {info.context} tokens of context{safe}{draft}"
        return _check("model", True, found)

    async def _hearing(self, speech: Speech) -> dict[str, Any]:
        ok, found, hint = await speech.check()
        return _check("speech", ok, found, hint)

    def _offload(self) -> dict[str, Any]:
        info = self._engine.info()
        if info.state != "ready":
            return _check("gpu", True, "Known once the model is loaded.")
        found = "The model runs on the CPU."
        if info.gpu_layers:
            found = f"{info.gpu_layers} of {info.layers} layers on {info.device}, "
            found += f"about {info.vram_bytes / 1e9:.1f} GB of its memory."
        said = " ".join(part for part in (found, info.problem, info.offload) if part)
        return _check("gpu", not info.problem, said, "`make run` looks for a GPU again.")


def _summary(every: Sequence[Source]) -> dict[str, int]:
    """All that is read, together; `done` and `total` are files of those that are being indexed."""
    sources = [one for one in every if one.kind != "import"]
    working = [s.job for s in sources if s.job and s.state in ("indexing", "removing")]
    return {
        "count": len(sources),
        "files": sum(s.files for s in sources),
        "chunks": sum(s.chunks for s in sources),
        "failed": sum(s.failed for s in sources),
        "unavailable": sum(s.state == "unavailable" for s in sources),
        "indexing": len(working),
        "done": sum(job.done for job in working),
        "total": sum(job.total for job in working),
    }


def _check(name: str, ok: bool, found: str, hint: str = "") -> dict[str, Any]:
    return {"name": name, "ok": ok, "found": found, "hint": "" if ok else hint}
