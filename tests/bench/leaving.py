"""Clients that leave, while their prompt is read or their answer written: how soon their place is free."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench import child
from tests.bench.nestor import Nestor, nestor
from tests.bench.progress import say
from tests.bench.stream import Failed
from tests.bench.table import Row

EACH_RUN = 40
MOST_MS = 500.0
_STAY_S = 1.2
_PATIENCE_S = 20.0
_WORDS = (
    "river",
    "lamp",
    "stone",
    "market",
    "winter",
    "letter",
    "garden",
    "harbour",
    "music",
    "bread",
)


def measure(home: Path, runs: int, series: dict[str, Any]) -> Iterator[Row]:
    """Five runs are 200 clients of the engine's child, and 200 of a daemon. 12 minutes."""
    left = child.measure(home / "child", runs)
    series["leaving the engine"] = [one.ms for one in left]
    yield from child.rows(left)
    rng = random.Random(5)
    times = []
    with nestor(home / "leaving") as server:
        for n in range(EACH_RUN * runs):
            if n % 20 == 0:
                say(f"leaving: client {n} of {EACH_RUN * runs}")
            times.append(_leave(server, rng))
    late = sum(ms > MOST_MS for ms in times)
    note = f"{len(times) - late} of {len(times)} in time"
    yield Row(
        "a client that left: until its place in the daemon's queue is free, slowest",
        "ms",
        [max(times)],
        most=MOST_MS,
        note=note,
    )
    yield Row("the same, each", "ms", times)
    series["leaving"] = times


def _leave(server: Nestor, rng: random.Random) -> float:
    """Ask, stay for a while, hang up; milliseconds until nothing is asked any more."""
    prompt = " ".join(rng.choice(_WORDS) for _ in range(rng.randrange(50, 900)))
    asked = {"messages": [{"role": "user", "content": prompt}], "stream": True, "max_tokens": 400}
    body = json.dumps(asked).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Authorization: {server.headers['Authorization']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head.encode() + body)
        time.sleep(rng.uniform(0.0, _STAY_S))
    left = time.perf_counter()
    while server.status()["queue"]["length"]:
        if time.perf_counter() - left > _PATIENCE_S:
            raise Failed("a client that left kept its place")
        time.sleep(0.01)
    return (time.perf_counter() - left) * 1000
