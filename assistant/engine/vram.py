"""Which GPUs a model may use, how much of each, and when another program needs it back. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.engine.devices import Device

SPARE_BYTES = 1 << 30
"""What other programs find free on each GPU once we are loaded; llama.cpp's own `--fit` leaves as much."""
PRESSURE_BYTES = SPARE_BYTES // 4
"""Less than this left free on a GPU that we use says that another program needs it."""

_UNIFIED = 2
"""How many times the spare bytes stay free where a GPU shares the machine's memory."""


def usable(devices: Sequence[Device]) -> list[Device]:
    """The GPUs llama.cpp would use: each once, integrated ones only where there is no other."""
    seen: dict[str, str] = {}
    gpus = []
    for device in devices:
        backend = device.name.rstrip("0123456789")
        # One GPU seen through CUDA and through Vulkan; two alike have one backend's name.
        if device.kind == "gpu" and seen.setdefault(device.description, backend) == backend:
            gpus.append(device)
    return gpus or [device for device in devices if device.kind == "igpu"]


def capacity(gpu: Device, devices: Sequence[Device], spare_bytes: int = SPARE_BYTES) -> int:
    """Bytes a model may take of a GPU; never below 0.

    Where the GPU shares the machine's memory, what the machine has left counts too.
    """
    if not shares_memory(gpu):
        return max(gpu.free_bytes - spare_bytes, 0)
    host = [device.free_bytes for device in devices if device.kind == "cpu"]
    told = [gpu.free_bytes] if gpu.total_bytes else []
    return max(min(told + host, default=0) - _UNIFIED * spare_bytes, 0)


def shares_memory(device: Device) -> bool:
    """Whether a GPU's memory is the machine's."""
    return device.kind == "igpu" or device.name.startswith("MTL")


def vram_pressure(
    now: Sequence[Device], ours_bytes: int, spare_bytes: int = PRESSURE_BYTES
) -> bool:
    """Whether another program needs the GPU memory we hold: hardly any is free beside it.

    A plan leaves four times as much, so that an estimate of ours that was a little short is not taken
    for another program. After giving it back, plan again when there is a request: it finds what is
    free then.
    """
    told = [gpu for gpu in usable(now) if gpu.total_bytes]
    return ours_bytes > 0 and any(gpu.free_bytes < spare_bytes for gpu in told)
