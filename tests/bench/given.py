"""Vectors of the benchmark's texts, made once by an embedder and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import platformdirs

from assistant.memory.embed import load
from assistant.memory.scan import Floats
from tests.bench.progress import say

PURPOSES = ("passage", "query")
_BATCH = 64


class Given:
    """What one embedder makes of texts. Not for more than one thread or process at a time."""

    def __init__(self, spec: str = "e5") -> None:
        self._runtime: Callable[[], object] | None = None
        self._spec = spec
        name = hashlib.sha256(spec.encode()).hexdigest()[:12]
        self._folder = Path(platformdirs.user_cache_dir("nestor-bench")) / "vectors" / name

    def vectors(self, texts: Sequence[str], purpose: str = "passage") -> Floats:
        """One row of unit length a text, float32; those that are new are embedded and kept."""
        known = self._read(purpose)
        missing = [text for text in dict.fromkeys(texts) if _key(text) not in known]
        if missing:
            self._make(missing, purpose, known)
        return np.stack([known[_key(text)] for text in texts]).astype(np.float32)

    def _make(self, texts: Sequence[str], purpose: str, known: dict[bytes, Floats]) -> None:
        runtime = load(self._spec)
        for start in range(0, len(texts), _BATCH):
            part = texts[start : start + _BATCH]
            rows = np.frombuffer(runtime.embed(part, purpose), np.float32).reshape(len(part), -1)
            known.update(zip(map(_key, part), rows.astype(np.float16), strict=True))
            if start // _BATCH % 16 == 15:
                say(f"{self._spec}: {start + len(part)} of {len(texts)} texts embedded")
                self._write(purpose, known)
        self._write(purpose, known)

    def _read(self, purpose: str) -> dict[bytes, Floats]:
        try:
            with np.load(self._folder / f"{purpose}.npz") as kept:
                keys = kept["keys"].tobytes()
                return {keys[16 * n : 16 * n + 16]: row for n, row in enumerate(kept["rows"])}
        except OSError:
            return {}

    def _write(self, purpose: str, known: dict[bytes, Floats]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{purpose}.npz"
        keys = np.frombuffer(b"".join(known), np.uint8)
        np.savez(draft, keys=keys, rows=np.stack(list(known.values())))
        draft.replace(self._folder / f"{purpose}.npz")


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]
