"""Our own daemon as a server under test, with what only we offer: conversations, memories, warming."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from assistant.config import load_paths
from assistant.engine.catalogue import Catalogue
from tests.bench import llama_server, python_server
from tests.bench.progress import say
from tests.bench.servers import THREADS, Peer, Server, Unavailable
from tests.bench.stream import Failed, body, complete
from tests.running import RunningDaemon

NAME = "Nestor"
MODEL = os.environ.get("NESTOR_BENCH_MODEL") or "starter"
"""Of ours and of the peers: a catalogue id or the path of a GGUF."""
_VECTORS_S = 120.0
_TYPING_S = 1.5
"""Between a draft and the question, at least."""
_WARM_S = 60.0
_REPORT_S = 1.2
"""The engine's counters are in the status at most this late."""


class Nestor(Server):
    """A daemon in a home of its own."""

    def __init__(self, home: Path, *, model: str = MODEL, **env: str) -> None:
        self.daemon = RunningDaemon(home, model=model, env=_threads() | env)
        self._begin()

    def _begin(self) -> None:
        self.daemon.up()
        assert self.daemon.process is not None
        headers = {"Authorization": f"Bearer {self.daemon.token}"}
        super().__init__(NAME, self.daemon.port, self.daemon.process.pid, headers)

    def load(self) -> None:
        """Have the model in memory and its kernels run once, no chat with it."""
        complete(self, body([{"role": "user", "content": "Say yes."}], 2))

    def restart(self) -> None:
        """Stop the daemon as a user would, start it again in the same home, and load the model."""
        self.daemon.stop()
        self._begin()
        self.load()

    def status(self) -> dict[str, Any]:
        """GET status."""
        return self._get("status")

    def timing(self) -> dict[str, float]:
        """What the engine counted since it loaded: `busy_s`, `decode_s`, `sample_s`. Raises Failed."""
        time.sleep(_REPORT_S)
        found = self.status().get("engine") or {}
        if "busy_s" not in found:
            raise Failed("the status has no engine timing")
        return dict(found)

    def rss(self, child: str | None = None) -> float:
        """MB of the daemon or of one of its children, as the operating system counts them now."""
        status = self.status()
        pid = status["pid"]
        if child:
            pid = next(c["pid"] for c in status["children"] if c["name"] == child)
        return psutil.Process(pid).memory_info().rss / 1e6

    def remember(self, facts: Sequence[str]) -> None:
        """Store memories and wait until each has its vector. Raises Failed if they never come."""
        rows = [{"text": text, "kind": "fact"} for text in facts]
        self._post("memories/import", rows)
        deadline = time.monotonic() + _VECTORS_S
        while self.status()["memory"]["pending"]:
            if time.monotonic() > deadline:
                raise Failed("the memories have no vectors after two minutes")
            time.sleep(0.2)

    def search(self, query: str) -> None:
        """Look something up, so that whatever recall needs is loaded."""
        self._post("memories/search", {"query": query})

    def warm(self, conversation: str, draft: str) -> None:
        """Send a draft ahead and wait until it is read. Raises Failed if this cannot be done."""
        wanted = {"conversation": conversation, "draft": draft}
        deadline = time.monotonic() + _WARM_S
        state = self._post("warm", wanted)["state"]
        time.sleep(_TYPING_S)
        while state in ("loading", "warming") and time.monotonic() < deadline:
            time.sleep(0.1)
            state = self._post("warm", wanted)["state"]
        if state != "ready":
            raise Failed(f"a draft that was sent ahead is {state}")

    def until_idle(self, seconds: float = 30.0) -> None:
        """Wait until nothing is queued and the engine stopped computing. Raises Failed."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.status()["queue"]["length"] and self.cpu_share(0.2) < 0.3:
                return
        raise Failed("the daemon does not come to rest")

    def conversation(self) -> str:
        """A new one's id."""
        return str(self._post("conversations", {})["id"])

    def _get(self, path: str) -> dict[str, Any]:
        response = self.daemon.api.get(f"/api/v1/{path}")
        response.raise_for_status()
        return dict(response.json())

    def _post(self, path: str, value: Any) -> dict[str, Any]:
        response = self.daemon.api.post(f"/api/v1/{path}", json=value)
        if response.is_error:
            raise Failed(f"POST {path} answered {response.status_code}")
        return dict(response.json())


@contextlib.contextmanager
def nestor(home: Path, *, model: str = MODEL, **env: str) -> Iterator[Nestor]:
    """A daemon with its model loaded; stopped on the way out."""
    server = Nestor(home, model=model, **env)
    try:
        server.load()
        yield server
    finally:
        server.daemon.stop()


@contextlib.contextmanager
def peers(ours: Nestor, *, python: bool = False) -> Iterator[dict[str, Peer]]:
    """llama-server, and with `python` llama_cpp.server, on our model and context; what can be had."""
    model = ours.status()["model"]
    path = Catalogue(load_paths().models).resolve(MODEL).path
    safe, context = bool(model["safe_mode"]), model["context"]
    found: dict[str, Peer] = {}
    try:
        for name, launch in (
            (llama_server.NAME, lambda log: llama_server.launch(path, context, log, safe=safe)),
            (python_server.NAME, lambda log: python_server.launch(path, context, log)),
        ):
            if name == python_server.NAME and not python:
                continue
            try:
                found[name] = launch(ours.daemon.home / f"{name}.log")
            except Unavailable as exc:
                say(str(exc))
                continue
            complete(found[name], body([{"role": "user", "content": "Say yes."}], 2))
            found[name].sleep()
        yield found
    finally:
        for peer in found.values():
            peer.stop()


def _threads() -> dict[str, str]:
    """Ours chooses by itself where that comes to the peers' number."""
    return {} if psutil.cpu_count(logical=False) == THREADS else {"NESTOR_THREADS": str(THREADS)}
