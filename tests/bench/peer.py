"""The peer a Python user would run today: `python -m llama_cpp.server`, same GGUF, same machine, same run."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
import time

import httpx

from assistant.config import load_paths
from assistant.engine.catalogue import Catalogue
from tests.running import RunningDaemon

_PORT = 47_899
_NEEDS = ("sse_starlette", "starlette_context", "pydantic_settings")


def llama_cpp_figures(daemon: RunningDaemon, question: str, runs: int) -> list[float]:
    """Tokens/s of the peer, one stream; empty if its extra packages are not installed."""
    if any(importlib.util.find_spec(name) is None for name in _NEEDS):
        print(f"peer skipped: pip install {' '.join(_NEEDS)}", file=sys.stderr)
        return []
    model = Catalogue(load_paths().models).resolve("starter").path
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model), "--n_ctx", "4096",
               "--n_threads", "2", "--port", str(_PORT), "--host", "127.0.0.1"]  # fmt: skip
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _until_up(server)
        return [_tokens_per_s(question) for _ in range(runs)]
    finally:
        server.terminate()
        server.wait(20)


def _until_up(server: subprocess.Popen) -> None:
    for _ in range(600):
        if server.poll() is not None:
            raise RuntimeError("the peer did not start")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{_PORT}/v1/models").status_code == 200:
                return
        time.sleep(0.1)
    raise RuntimeError("the peer did not answer")


def _tokens_per_s(question: str) -> float:
    body = {"messages": [{"role": "user", "content": question}], "stream": True, "max_tokens": 200}
    first, last, count = 0.0, 0.0, 0
    url = f"http://127.0.0.1:{_PORT}/v1/chat/completions"
    with httpx.stream("POST", url, json=body, timeout=120) as response:
        for line in response.iter_lines():
            if line.startswith("data: {") and json.loads(line[6:])["choices"][0]["delta"].get(
                "content"
            ):
                last = time.perf_counter()
                first = first or last
                count += 1
    return (count - 1) / (last - first)
