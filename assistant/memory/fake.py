"""A toy embedder: hashed words, so that texts sharing words are near. For tests and faults only.

It shows the seam and makes the suite fast; it never stands in for a run with a real model.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence

import numpy as np

FAKE_MODEL = "fake/words-64"
FAKE_DIM = 64
"""Of `fake`; `fake:32` is another model, with 32 numbers a vector."""


class FakeRuntime:
    """Deterministic. `NESTOR_FAULT_EMBED=<word>` makes it die on a text with that word, `slow` delays."""

    def __init__(self, spec: str = "fake") -> None:
        given = spec.partition(":")[2]
        self.dim = int(given) if given.isdigit() else FAKE_DIM
        self.model = FAKE_MODEL if self.dim == FAKE_DIM else f"fake/words-{self.dim}"

    def embed(self, texts: Sequence[str], purpose: str) -> bytes:
        """See Runtime."""
        fault = os.environ.get("NESTOR_FAULT_EMBED", "")
        if fault == "slow":
            time.sleep(0.05)
        elif fault and any(fault in text for text in texts):
            os.abort()
        return np.stack([_vector(text, self.dim) for text in texts]).tobytes()

    def judge(self, _question: str, _texts: Sequence[str]) -> bytes:
        """See Runtime: it knows no meanings."""
        return b""


def _vector(text: str, dim: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    total = np.full(dim, 0.05, np.float32)
    for word in text.lower().split():
        seed = int.from_bytes(hashlib.sha256(word.strip(".,?!").encode()).digest()[:8], "little")
        total += np.random.default_rng(seed).standard_normal(dim).astype(np.float32)
    return (total / np.linalg.norm(total)).astype(np.float32)
