"""First figures of the whole: start, first token, tokens per second, recall, memory of each process."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from assistant.config import load_paths
from assistant.engine.catalogue import Catalogue
from tests.bench import python_server
from tests.bench.progress import say
from tests.bench.servers import Unavailable
from tests.bench.stream import body, complete
from tests.bench.table import Row
from tests.running import RunningDaemon, events

QUESTION = "Explain in five sentences why the sky is blue and sunsets are red."
MEMORIES = 10_000
_PORT = 47_811


def measure(home: Path, runs: int) -> list[Row]:
    """Every row of the first table."""
    rows = [*_starting(home / "start", runs)]
    daemon = RunningDaemon(home / "model", model="starter").up()
    try:
        rows += _answering(daemon, runs)
        rows += _crashing(daemon, runs)
        rows += _rss(daemon, "idle memory, no rows")
    finally:
        daemon.stop()
    daemon = RunningDaemon(home / "recall").up()
    try:
        rows += _round_trip(daemon)
        rows += _recalling(daemon)
        rows += _rss(daemon, f"{MEMORIES} memories")
    finally:
        daemon.stop()
    return rows


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _starting(home: Path, runs: int) -> Iterator[Row]:
    health, ready, second, stop = [], [], [], []
    for n in range(runs):
        daemon = RunningDaemon(home / str(n), env={"NESTOR_PORT": str(_PORT)})
        daemon.home.mkdir(parents=True)
        command = [sys.executable, "-m", "assistant", "up", "--model", "fake"]
        begun = time.perf_counter()
        daemon.process = subprocess.Popen(command, env=daemon.env, stderr=subprocess.DEVNULL)
        state = ""
        while state != "ready":
            with contextlib.suppress(httpx.TransportError):
                state = httpx.get(f"http://127.0.0.1:{_PORT}/health").json()["state"]
                if len(health) == n:
                    health.append(time.perf_counter() - begun)
            time.sleep(0.005)
        ready.append(time.perf_counter() - begun)
        second.append(_timed(lambda d=daemon: d.cli("up")))
        stop.append(_timed(daemon.stop))
    yield Row("daemon start to /health", "s", health, most=1.0)
    yield Row("daemon start to a usable memory", "s", ready, note="new home")
    yield Row("second daemon refused", "s", second, most=1.0, note="exit code 75")
    yield Row("SIGTERM to exit", "s", stop, most=5.0)


def _answering(daemon: RunningDaemon, runs: int) -> Iterator[Row]:
    pid_before = _engine(daemon)
    assert pid_before is None
    cold = _first_token(daemon, QUESTION)
    yield Row("first token, model not loaded", "s", [cold], note="one cold run, page cache warm")
    new, again, speed = [], [], []
    for n in range(runs):
        new.append(_first_token(daemon, f"{n}: {QUESTION}"))
        conversation = daemon.conversation()
        daemon.ask("Say yes.", conversation)
        again.append(_first_token(daemon, QUESTION, conversation, speed))
    peer = _peers_speed(daemon.home, runs)
    yield Row("first token, new chat", "s", new)
    yield Row("first token, second turn", "s", again)
    yield Row("tokens/s, one stream, over HTTP", "tokens/s", speed)
    if peer:
        yield Row("the same, python -m llama_cpp.server", "tokens/s", peer, note="peer, same GGUF")
        ratio = sorted(speed)[len(speed) // 2] / sorted(peer)[len(peer) // 2]
        yield Row("ratio to that peer", "×", [ratio], least=0.9, note="equal, within noise")


def _peers_speed(home: Path, runs: int) -> list[float]:
    model = Catalogue(load_paths().models).resolve("starter").path
    try:
        peer = python_server.launch(model, 4_096, home / "peer.log")
    except Unavailable as exc:
        say(str(exc))
        return []
    try:
        wanted = body([{"role": "user", "content": QUESTION}], 200)
        return [complete(peer, wanted).tokens_per_s for _ in range(runs)]
    finally:
        peer.stop()


def _first_token(
    daemon: RunningDaemon, text: str, conversation: str | None = None, speed: list | None = None
) -> float:
    path = f"/api/v1/conversations/{conversation or daemon.conversation()}/turns"
    begun = time.perf_counter()
    first, last, count = 0.0, 0.0, 0
    with daemon.api.stream("POST", path, json={"text": text}) as response:
        for _, name, data in events(response.iter_lines()):
            if name == "token":
                last = time.perf_counter()
                first = first or last
            elif name == "receipt":
                count = data["tokens_out"]
            assert name != "failed", data
    if speed is not None:
        speed.append((count - 1) / (last - first))
    return first - begun


def _engine(daemon: RunningDaemon) -> int | None:
    children = daemon.api.get("/api/v1/status").json()["children"]
    return next(child["pid"] for child in children if child["name"] == "engine")


def _crashing(daemon: RunningDaemon, runs: int) -> Iterator[Row]:
    failed, back = [], []
    for _ in range(runs):
        path = f"/api/v1/conversations/{daemon.conversation()}/turns"
        with daemon.api.stream("POST", path, json={"text": QUESTION}) as response:
            stream = events(response.iter_lines())
            while next(stream)[1] != "token":
                pass
            os.kill(_engine(daemon), signal.SIGSEGV)
            begun = time.perf_counter()
            assert list(stream)[-1][1] == "failed"
            failed.append(time.perf_counter() - begun)
        back.append(_first_token(daemon, "Say yes."))
    yield Row("engine SIGSEGV to `failed` event", "s", failed, most=1.0)
    yield Row("first token after a crash", "s", back, note="child restarted, model reloaded")


def _round_trip(daemon: RunningDaemon) -> Iterator[Row]:
    times = [1000 * _timed(lambda: daemon.api.get("/api/v1/models")) for _ in range(100)]
    with socketserver.TCPServer(("127.0.0.1", 0), _Echo) as echo:
        threading.Thread(target=echo.serve_forever, daemon=True).start()
        bare = [1000 * _timed(lambda: _ping(echo.server_address)) for _ in range(100)]
        echo.shutdown()
    yield Row("round trip of a small request", "ms", times, most=20.0, note="40 with Nagle's delay")
    yield Row("bare TCP connect and echo", "ms", bare, note="the floor, same machine and run")


class _Echo(socketserver.BaseRequestHandler):
    """Sends back what it got."""

    def handle(self) -> None:
        self.request.sendall(self.request.recv(64))


def _ping(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"ping")
        connection.recv(64)


def _recalling(daemon: RunningDaemon) -> Iterator[Row]:
    rng = random.Random(7)
    rows = [{"text": _chatter(rng), "thread": f"day {n // 50}"} for n in range(MEMORIES)]
    begun = time.perf_counter()
    for at in range(0, MEMORIES, 2_000):
        body = json.dumps(rows[at : at + 2_000])
        response = daemon.api.post(
            "/api/v1/memories/import", content=body, headers={"Content-Type": "application/json"}
        )
        assert response.status_code == 201, response.text
    stored = time.perf_counter() - begun
    yield Row("import, words only", "rows/s", [MEMORIES / stored])
    last = MEMORIES
    while pending := daemon.api.get("/api/v1/status").json()["memory"]["pending"]:
        assert pending <= last
        last = pending
        time.sleep(2)
    embedded = time.perf_counter() - begun
    yield Row("import until every vector is there", "rows/s", [MEMORIES / embedded])
    times = []
    for _ in range(200):
        query = {"query": f"When did {_chatter(rng)[:-1]}?", "k": 10}
        times.append(
            1000 * _timed(lambda q=query: daemon.api.post("/api/v1/memories/search", json=q))
        )
    yield Row(
        f"recall at {MEMORIES} memories, over HTTP", "ms", times, note="query embedding included"
    )
    repeated = {"query": "Who went to Lyon with Ana?", "k": 10}
    daemon.api.post("/api/v1/memories/search", json=repeated)
    times = [
        1000 * _timed(lambda: daemon.api.post("/api/v1/memories/search", json=repeated))
        for _ in range(200)
    ]
    yield Row(
        f"recall at {MEMORIES} memories, vector cached", "ms", times, note="without embedding"
    )


def _chatter(rng: random.Random) -> str:
    who = rng.choice(["Ana", "Ben", "Chloé", "Dario", "my boss", "the neighbour", "I", "grandma"])
    what = rng.choice(["bought", "sold", "repaired", "painted", "lost", "borrowed", "photographed"])
    thing = rng.choice(
        ["a bicycle", "the red car", "two tickets", "an old radio", "a cake", "a tent"]
    )
    where = rng.choice(
        ["in Lyon", "at the market", "near the lake", "in Porto", "at work", "at home"]
    )
    when = rng.choice(
        ["in spring", "last week", "before the trip", "on Sunday", "at night", "in 2024"]
    )
    return f"{who} {what} {thing} {where} {when}, number {rng.randint(1, 9999)}."


def _rss(daemon: RunningDaemon, note: str) -> Iterator[Row]:
    time.sleep(1.5)  # the children report once a second
    status = daemon.api.get("/api/v1/status").json()
    yield Row("RSS daemon", "MB", [status["rss_bytes"] / 1e6], note=note)
    for child in status["children"]:
        if child["pid"]:
            yield Row(f"RSS {child['name']} child", "MB", [child["rss_bytes"] / 1e6], note=note)
