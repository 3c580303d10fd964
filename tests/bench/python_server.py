"""The peer a Python user would run today: `python -m llama_cpp.server`, same GGUF, same threads."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from tests.bench.servers import THREADS, Peer, Unavailable, free_port, start

NAME = "llama_cpp.server"
_NEEDS = ("sse_starlette", "starlette_context", "pydantic_settings")


def launch(model: Path, context: int, log: Path) -> Peer:
    """Start it. Raises Unavailable if its packages are not installed or it dies.

    A new request would cut off the one that runs: here it does not, so that every stream is whole.
    """
    if missing := [name for name in _NEEDS if importlib.util.find_spec(name) is None]:
        raise Unavailable(f"{NAME} needs pip install {' '.join(missing)}")
    port = free_port()
    command = [
        *(sys.executable, "-m", "llama_cpp.server", "--model", str(model)),
        *("--n_ctx", str(context), "--n_threads", str(THREADS), "--n_threads_batch", str(THREADS)),
        *("--n_gpu_layers", "-1", "--interrupt_requests", "False"),
        *("--host", "127.0.0.1", "--port", str(port)),
    ]
    return start(NAME, command, port, log, {})
