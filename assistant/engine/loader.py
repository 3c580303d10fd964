"""Loads a model into the engine child, on the settings this machine survives."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from assistant.config import LIMITS, Settings
from assistant.engine import companion, fallback, templates
from assistant.engine.catalogue import Catalogue, ModelFile
from assistant.engine.detached import run_detached
from assistant.engine.devices import Device, gpu_backends
from assistant.engine.hardware import hardware, why_no_gpu
from assistant.engine.plan import Plan, plan, reduced
from assistant.errors import AssistantError, ChildCrashed, ChildStopped, EngineUnloadable
from assistant.types import ModelInfo
from assistant.worker import Child

log = logging.getLogger(__name__)

SEQUENCES = 16
"""Chats in the cache at once, and one for the beginning they share."""


class _Draft(NamedTuple):
    """The draft model, or why there is none."""

    id: str = ""
    vram_bytes: int = 0
    problem: str = ""


class Loader:
    """See the module."""

    def __init__(
        self,
        child: Child,
        catalogue: Catalogue,
        settings: Settings,
        remembered: fallback.Remembered,
        states: Path | None = None,
        key: bytes = b"",
    ) -> None:
        self._child = child
        self._catalogue = catalogue
        self._settings = settings
        self._remembered = remembered
        self._states = states
        self._key = key
        self._floors: dict[str, str] = {}
        self._deadly: set[str] = set()
        """Draft models that killed the child, or were in it when it died; not tried again."""

    async def load(self, name: str) -> ModelInfo:
        """Load a model, one rung after the other. Raises what the last one raised, or ChildStopped."""
        file = await run_detached(lambda: self._catalogue.resolve(name))
        devices = msgspec.convert(await self._child.call_unprepared("devices"), tuple[Device, ...])
        planned = self._plan(file, devices)
        facts, rung = await self._climb_down(name, file, planned)
        try:
            draft = await self._load_draft(file, devices, planned, rung)
        except ChildCrashed:
            # The child died, and the model with it; without the draft model it is known to run.
            facts, rung = await self._climb_down(name, file, planned)
            draft = _Draft(problem="The draft model crashed while it was loaded.")
        family = templates.choose(
            file.info.architecture, facts["marked"], file.family or self._settings.family
        )
        log.info("model %s ready, %s", name, rung.name or "default settings")
        return ModelInfo(
            id=name,
            family=family,
            state="ready",
            context=facts["context"],
            layers=facts["layers"],
            gpu_layers=min(facts["gpu_layers"], facts["layers"]),
            device=facts["device"],
            vram_bytes=facts["vram_bytes"] + draft.vram_bytes,
            offload=await run_detached(lambda: _why(devices, planned, rung)),
            safe_mode=rung.name,
            problem=_missing(facts, planned, rung),
            draft=draft.id,
            draft_problem=draft.problem,
        )

    async def _load_draft(
        self, file: ModelFile, devices: Sequence[Device], planned: Plan, rung: fallback.Rung
    ) -> _Draft:
        """Load the draft model that the settings want. Raises ChildStopped, and ChildCrashed once."""
        wanted = self._settings.draft_model
        chosen = await run_detached(lambda: companion.choose(wanted, self._catalogue, file))
        if isinstance(chosen, str):
            return _Draft(problem=chosen)
        if chosen.id in self._deadly:
            return _Draft(problem="The engine crashed with the draft model; it is left out.")
        # On a GPU that failed with more layers there is no place for another model.
        spared = devices if rung.gpu_share == 1.0 else [d for d in devices if d.kind == "cpu"]
        context = self._settings.context or file.context
        taken = reduced(planned, file.info, rung.gpu_share, streams=SEQUENCES)
        placed = companion.place(
            file.info, taken, chosen.info, spared, streams=SEQUENCES, cells=context
        )
        if placed is None:
            return _Draft(problem=f"There is not enough memory for the draft model {chosen.id}.")
        spec = self._spec(chosen, placed, rung) | {
            "context": context,
            "sequences": companion.SEATS,
            "outputs": companion.OUTPUTS,
        }
        try:
            facts = await self._child.call_unprepared("draft", spec)
        except ChildCrashed:
            self._deadly.add(chosen.id)
            raise
        except ChildStopped:
            raise
        except AssistantError as exc:
            return _Draft(problem=f"{chosen.id} cannot draft for {file.id}. {exc.message}")
        log.info("draft model %s ready", chosen.id)
        return _Draft(chosen.id, facts["vram_bytes"])

    def _plan(self, file: ModelFile, devices: Sequence[Device]) -> Plan:
        context = self._settings.context or file.context
        return plan(
            file.info,
            devices,
            wanted_layers=self._settings.gpu_layers,
            cells=context + min(LIMITS.background_tokens, context),
            streams=SEQUENCES,
            least_cells=context,
        )

    def step_down(self, name: str) -> None:
        """The model died while it answered, on a GPU: fewer layers from now on, until Nestor starts anew."""
        names = [rung.name for rung in fallback.RUNGS]
        at = names.index(self._floors.get(name, ""))
        self._floors[name] = names[min(max(at, 1) + 1, len(names) - 1)]

    def drop_draft(self, name: str) -> None:
        """The child died while this draft model was in it: not loaded again, until Nestor starts anew."""
        self._deadly.add(name)

    def forget(self, refs: Collection[str]) -> None:
        """Delete what is kept on disk of chats with one of these ids. Blocks."""
        if self._states is None or not self._states.is_dir():
            return
        from assistant.engine.states import States

        states = States(self._states, self._key, "", LIMITS.kv_disk_bytes)
        try:
            states.forget(refs)
        finally:
            states.close()

    async def _climb_down(
        self, name: str, file: ModelFile, planned: Plan
    ) -> tuple[dict[str, Any], fallback.Rung]:
        key = file.sha256 or str(file.path)
        problem: AssistantError = EngineUnloadable()
        lasting = True
        for rung in self._ladder(name, key, gpu=planned.gpu_layers > 0):
            try:
                fits = reduced(planned, file.info, rung.gpu_share, streams=SEQUENCES)
                spec = {
                    "model": self._spec(file, fits, rung), "states": self._states_spec(file),
                }  # fmt: skip
                facts = await self._child.call_unprepared("load", spec)
            except ChildStopped:
                raise
            except (ChildCrashed, EngineUnloadable) as exc:
                log.warning("model %s failed with %s", name, rung.name or "defaults")
                problem = exc
                # Killed from outside, for memory or by hand: says nothing about the settings.
                lasting = lasting and getattr(exc, "exit_code", None) != -signal.SIGKILL
                continue
            if lasting and not self._floors.get(name):
                self._remembered.put(key, rung.name)
            return facts, rung
        raise EngineUnloadable(
            f"The model could not be loaded with any settings: {problem.message}"
        ) from problem

    def _ladder(self, name: str, key: str, *, gpu: bool) -> tuple[fallback.Rung, ...]:
        first = self._remembered.get(key)
        names = [rung.name for rung in fallback.RUNGS]
        known = [one for one in (first, self._floors.get(name, "")) if one in names]
        return fallback.ladder(gpu=gpu, first=max(known, key=names.index, default=""))

    def _spec(self, file: ModelFile, planned: Plan, rung: fallback.Rung) -> dict[str, Any]:
        return {
            "path": str(file.path),
            "context": self._settings.context or file.context,
            "cells": planned.cells,
            "ubatch": planned.ubatch,
            "offload_kv": planned.offload_kv,
            "split": planned.split,
            "sequences": SEQUENCES,
            "threads": self._settings.threads or default_threads(),
            "fixed_threads": self._settings.threads > 0,
            "gpu_layers": planned.gpu_layers,
            "use_extra_bufts": rung.use_extra_bufts,
        }

    def _states_spec(self, file: ModelFile) -> dict[str, Any] | None:
        if self._states is None or not LIMITS.kv_disk_bytes:
            return None
        from assistant.engine.service import StatesSpec
        from assistant.engine.states import identity

        spec = StatesSpec(
            folder=str(self._states),
            key=self._key,
            model=identity(file.sha256 or str(file.path), fallback.library_version()),
            limit_bytes=LIMITS.kv_disk_bytes,
        )
        return msgspec.structs.asdict(spec)


def _why(devices: Sequence[Device], planned: Plan, rung: fallback.Rung) -> str:
    """Why a GPU is not used, or not for everything."""
    if planned.gpu_layers and rung.gpu_share < 1.0:
        return "The GPU ran out of memory or failed with more layers; fewer are on it now."
    return why_no_gpu(bool(gpu_backends()), devices, hardware()) or planned.reason


def _missing(facts: dict[str, Any], planned: Plan, rung: fallback.Rung) -> str:
    if not facts["gpu_layers"] and planned.gpu_layers and rung.gpu_share:
        return f"{planned.gpu_layers} layers were meant for the GPU, but none went there."
    return ""


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
