"""What llama.cpp's log says about where a model went; its API does not tell."""

from __future__ import annotations

import re

_OFFLOADED = re.compile(r"offloaded (\d+)/\d+ layers to GPU")
_DEVICE = re.compile(r"using device (\S+) \(([^)]+)\)")
_BUFFER = re.compile(r"(\S+) (model|KV|compute) buffer size\s*=\s*([\d.]+) MiB")


class OffloadLog:
    """One load's log lines, in order."""

    def __init__(self) -> None:
        self.gpu_layers = 0
        self.device = "cpu"
        self.vram_bytes = 0
        """Of the buffers that lie on devices, weights, cache and graph together."""

    def take(self, line: str) -> None:
        """Read one line."""
        if found := _OFFLOADED.search(line):
            self.gpu_layers = int(found[1])
        if found := _DEVICE.search(line):
            self.device = f"{found[1]} {found[2]}"
        found = _BUFFER.search(line)
        if found and not found[1].startswith(("CPU", "AMX")) and not found[1].endswith("_Host"):
            self.vram_bytes += round(float(found[3]) * (1 << 20))
