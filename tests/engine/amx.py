"""CPUs that advertise AMX: on virtual machines llama.cpp's default buffers die there at the first decode.

That the engine survives it is a test of its own (test_local.py). Where tests count crashes, or load a
model into pytest's process, these buffers are left out.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from assistant.engine import fallback

try:
    HAS_AMX = "amx_tile" in Path("/proc/cpuinfo").read_text("ascii", "replace")
except OSError:
    HAS_AMX = False


def left_out(monkeypatch) -> None:
    """The defaults of the ladder do without, where there is AMX."""
    first, *rest = fallback.RUNGS
    spared = msgspec.structs.replace(first, use_extra_bufts=not HAS_AMX)
    monkeypatch.setattr(fallback, "RUNGS", (spared, *rest))
