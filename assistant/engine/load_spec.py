"""What the child is to load, and what came of it."""

from __future__ import annotations

import msgspec

from assistant.engine.batch import BATCH_TOKENS, OUTPUT_ROWS


class LoadSpec(msgspec.Struct, frozen=True):
    """What to load, and how."""

    path: str
    context: int
    """Tokens of one chat."""
    threads: int
    cells: int = 0
    """Tokens of all chats together. 0: as `context`."""
    sequences: int = 1
    gpu_layers: int = -1
    """-1: all."""
    use_extra_bufts: bool = True
    """False keeps ggml from AMX and weight repacking; see `fallback`."""
    split: tuple[int, ...] = ()
    """Layers on each GPU; empty: as llama.cpp likes."""
    offload_kv: bool = True
    fixed_threads: bool = False
    """The user chose how many; see `pace`."""
    ubatch: int = BATCH_TOKENS
    outputs: int = OUTPUT_ROWS
    """Rows of a batch whose next token may be wanted; no fewer than `sequences`."""


class Facts(msgspec.Struct, frozen=True):
    """What came of loading."""

    context: int
    layers: int
    gpu_layers: int
    vram_bytes: int
    """What llama.cpp says it took of the GPUs."""
    device: str
    marked: tuple[str, ...]
    """Families whose marker is one token of this vocabulary."""
