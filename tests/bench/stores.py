"""The peers of the memory: vector stores and memory layers, each installed into an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from assistant.memory.scan import Floats
from tests.bench.progress import say
from tests.bench.servers import Unavailable

PEERS: dict[str, tuple[str, ...]] = {
    "chromadb": ("chromadb",),
    "lancedb": ("lancedb",),
    "txtai": ("torch==2.13.0", "txtai"),
    "mem0": ("mem0ai",),
    "llm": ("numpy", "llm"),
}
"""What to install for each, itself last. torch as in our own lock, so that its CPU build is shared."""
SEARCHED = ("chromadb", "lancedb", "txtai", "mem0")
"""Peers whose search is measured: that of `llm` takes half a second among 10,000 rows."""
_INSTALL_S, _RUN_S = 900, 600
_SCRIPT = Path(__file__).with_name("store_peer.py")


@dataclass(frozen=True)
class Result:
    """What a peer found and how long it took."""

    ingest_s: float
    found: list[list[int]]
    """For each question the places of texts, the nearest first."""
    ms: list[float]


def run(
    name: str,
    texts: Sequence[str],
    vectors: Floats,
    questions: Sequence[str] = (),
    asked: Floats | None = None,
    *,
    batch: int = 100,
    k: int = 10,
) -> Result:
    """Have a peer store and search, in a process of its own. Raises Unavailable."""
    python = _python(name)
    with tempfile.TemporaryDirectory(prefix="nestor-peer-") as place:
        folder = Path(place)
        plan = {
            "plan": {"batch": batch, "k": k},
            "texts": list(texts),
            "questions": list(questions),
        }
        for part, value in plan.items():
            (folder / f"{part}.json").write_text(json.dumps(value), "utf-8")
        np.save(folder / "texts.npy", vectors)
        np.save(folder / "questions.npy", vectors[:0] if asked is None else asked)
        _call([str(python), str(_SCRIPT), name, str(folder)], _RUN_S, name)
        result: dict[str, Any] = json.loads((folder / "result.json").read_text("utf-8"))
    return Result(**result)


def version(name: str) -> str:
    """Of the peer that is installed."""
    code = f"from importlib.metadata import version; print(version({PEERS[name][-1]!r}))"
    return _call([str(_python(name)), "-c", code], 60, name).strip()


def _python(name: str) -> Path:
    """Of the peer's environment, made if there is none."""
    folder = user_cache_path("nestor-bench", appauthor=False) / "peers" / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "complete").exists():
        say(f"installing {' '.join(PEERS[name])} into an environment of its own")
        shutil.rmtree(folder, ignore_errors=True)
        _call([sys.executable, "-m", "venv", str(folder)], _INSTALL_S, name)
        _call([str(python), "-m", "pip", "install", "-q", *PEERS[name]], _INSTALL_S, name)
        (folder / "complete").touch()
    return python


def _call(command: Sequence[str], seconds: float, name: str) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise Unavailable(f"{name}: {type(exc).__name__}") from exc
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise Unavailable(f"{name} failed: {lines[-1] if lines else done.returncode}")
    return done.stdout
