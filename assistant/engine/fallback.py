"""Which settings a machine can really run a model with, tried from fast to safe and remembered.

Stock llama.cpp builds die at the first decode on many virtual machines whose CPU shows `amx_int8`
(llama.cpp issue 20824, ollama issue 17249); GPUs run out of memory. A child that dies while loading
is started again one rung lower.
"""

from __future__ import annotations

import hashlib
import json
import platform
from importlib import metadata
from pathlib import Path

import msgspec

from assistant.config import write_private


class Rung(msgspec.Struct, frozen=True):
    """One set of settings."""

    name: str
    use_extra_bufts: bool
    gpu_share: float
    """Of the layers that were asked for."""


RUNGS = (
    Rung("", use_extra_bufts=True, gpu_share=1.0),
    Rung("no-extra-buffers", use_extra_bufts=False, gpu_share=1.0),
    Rung("half-gpu", use_extra_bufts=False, gpu_share=0.5),
    Rung("cpu-only", use_extra_bufts=False, gpu_share=0.0),
)


def ladder(*, gpu: bool, first: str = "") -> tuple[Rung, ...]:
    """The rungs worth trying, from `first` (the one that worked before) downwards."""
    rungs = RUNGS if gpu else RUNGS[:2]
    names = [rung.name for rung in rungs]
    return rungs[names.index(first) :] if first in names else rungs


class Remembered:
    """The rung that worked, per machine, model and library version; a file that may be lost."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, model: str) -> str:
        """The name of the rung that worked; empty if none is known or the defaults did."""
        return str(self._read().get(_key(model), ""))

    def put(self, model: str, rung: str) -> None:
        """Remember what worked."""
        known = self._read()
        if known.get(_key(model), "") != rung:
            known[_key(model)] = rung
            write_private(self._path, json.dumps(known, indent=1).encode())

    def _read(self) -> dict[str, str]:
        try:
            known = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}


def library_version() -> str:
    """Of llama-cpp-python."""
    return metadata.version("llama-cpp-python")


def _key(model: str) -> str:
    parts = (_machine(), model, library_version())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _machine() -> str:
    """What decides which kernels run: the CPU's model and feature flags."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").split("\n\n")[0].splitlines()
        keep = ("model name", "flags", "Features", "CPU part")
        return "\n".join(line for line in lines if line.startswith(keep))
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
