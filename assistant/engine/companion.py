"""The draft model beside the model that answers: which one, whether there is room, and where it goes.

It never takes anything from the model that answers: its layers go to a GPU only where all of the
other's are, and all of its own fit beside them.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from assistant.engine.batch import BATCH_TOKENS, OUTPUT_ROWS
from assistant.engine.catalogue import Catalogue, ModelFile
from assistant.engine.devices import Device
from assistant.engine.gguf import GgufInfo
from assistant.engine.plan import Plan, cache_bytes, compute_bytes, plan
from assistant.engine.vram import SPARE_BYTES, shares_memory, usable
from assistant.errors import AssistantError, ModelMissing, ModelNotFound

SEATS = 2
"""Answers that it follows at once, in as many sequences."""
OUTPUTS = SEATS
"""Rows of its batches whose next token may be wanted; llama.cpp takes no fewer than sequences."""


class Companion(msgspec.Struct, frozen=True):
    """A draft model that may be loaded."""

    file: ModelFile
    plan: Plan


def choose(setting: str, catalogue: Catalogue, file: ModelFile) -> ModelFile | str:
    """The draft model that the settings want for a model, or why there is none; empty: none is wanted."""
    name = setting
    if setting == "off":
        return ""
    if setting == "auto":
        name = _named(catalogue, file.id)
    if not name:
        return f"The catalogue names no draft model for {file.id}."
    if name == file.id:
        return "A model does not draft for itself."
    try:
        catalogue.get(name)
        return catalogue.resolve(name)
    except ModelNotFound:
        return f"The catalogue has no model {name}."
    except ModelMissing:
        return f"The draft model {name} is not on this machine; `nestor models pull {name}` fetches it."
    except AssistantError as exc:
        return f"The draft model {name} cannot be used: {exc.message}"


def _named(catalogue: Catalogue, model: str) -> str:
    try:
        return catalogue.get(model).draft
    except ModelNotFound:
        return ""


def place(
    model: GgufInfo,
    planned: Plan,
    draft: GgufInfo,
    devices: Sequence[Device],
    *,
    streams: int,
    cells: int,
    spare_bytes: int = SPARE_BYTES,
) -> Plan | None:
    """Where a draft model goes with a cache of `cells`, beside a model that is loaded as planned.

    `streams` are the sequences of that model. None: there is not enough memory.
    """
    left = remaining(model, planned, devices, streams=streams)
    # Asked for no GPU, `plan` gives what a CPU needs.
    on_cpu = plan(draft, left, wanted_layers=0, cells=cells, streams=SEATS, outputs=OUTPUTS)
    if planned.gpu_layers == model.layers + 1 and planned.offload_kv:
        found = plan(
            draft, left, cells=cells, streams=SEATS, outputs=OUTPUTS, spare_bytes=spare_bytes
        )
        if found.gpu_layers == draft.layers + 1:
            return found
    free = sum(device.free_bytes for device in left if device.kind == "cpu")
    needed = ram_bytes(draft, cells=cells, streams=SEATS, outputs=OUTPUTS)
    return on_cpu if needed + spare_bytes <= free else None


def remaining(
    model: GgufInfo, planned: Plan, devices: Sequence[Device], *, streams: int
) -> list[Device]:
    """The devices with what is free on them once a model is loaded as planned."""
    taken = {gpu.name: size for gpu, size in zip(usable(devices), planned.shares, strict=False)}
    shared = sum(taken.get(gpu.name, 0) for gpu in devices if shares_memory(gpu))
    whole = ram_bytes(model, cells=planned.cells, streams=streams, outputs=OUTPUT_ROWS)
    on_host = max(whole - planned.vram_bytes, 0) + shared
    return [
        msgspec.structs.replace(
            device,
            free_bytes=max(
                device.free_bytes
                - (on_host if device.kind == "cpu" else taken.get(device.name, 0)),
                0,
            ),
        )
        for device in devices
    ]


def ram_bytes(info: GgufInfo, *, cells: int, streams: int, outputs: int) -> int:
    """Bytes of a model on the CPU: weights, cache and graph."""
    cache = sum(cache_bytes(info, cells, streams))
    return (
        info.tensor_bytes + cache + compute_bytes(info, cells, ubatch=BATCH_TOKENS, outputs=outputs)
    )
