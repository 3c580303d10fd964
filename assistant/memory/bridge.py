"""Bring a question nearer to what was said in other languages: one linear map of its vector.

e5 puts a sentence and its translations near each other, and off the same way in many pairs. The map is
the least squares fit from a sentence to the mean of its translations (`tests/bench/bridge.py` learns
it); only numbers ship. Rows stay as they are, and rows of the question's own language are not touched.
"""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from assistant.memory.scan import Floats

_SHIPPED = Path(__file__).with_name("bridge_e5.msgpack")


class Bridge(msgspec.Struct, frozen=True):
    """A square matrix for centred questions of one model."""

    model: str
    diagonal: bytes
    """float32: far larger than what lies beside it."""
    rest: bytes
    """int8, a row after the other; zero on the diagonal."""
    step: float
    """What one of `rest` stands for."""

    def matrix(self) -> Floats:
        """To multiply a question with, from its right."""
        diagonal = np.frombuffer(self.diagonal, np.float32)
        rest = np.frombuffer(self.rest, np.int8).reshape(len(diagonal), -1)
        whole: Floats = rest.astype(np.float32) * np.float32(self.step) + np.diag(diagonal)
        return whole


def packed(model: str, matrix: NDArray[np.floating]) -> Bridge:
    """A matrix at a byte a number: within 1 % of it (norm of the difference)."""
    diagonal = np.diag(matrix)
    rest = matrix - np.diag(diagonal)
    step = max(float(np.abs(rest).max()), 1e-12) / 127.0
    return Bridge(
        model=model,
        diagonal=diagonal.astype(np.float32).tobytes(),
        rest=np.rint(rest / step).astype(np.int8).tobytes(),
        step=step,
    )


@functools.cache
def shipped(model: str) -> Floats | None:
    """The map for the built-in model; None for any other, whose questions stay as they are."""
    try:
        known = msgspec.msgpack.decode(_SHIPPED.read_bytes(), type=Bridge)
    except (OSError, msgspec.DecodeError):
        return None
    return known.matrix() if known.model == model else None
