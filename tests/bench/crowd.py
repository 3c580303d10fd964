"""A hundred clients at once: nobody is lost, no answer goes to another, and the daemon stays awake."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.nestor import MODEL, Nestor, nestor
from tests.bench.progress import say
from tests.bench.pulse import pulse
from tests.bench.servers import Server
from tests.bench.table import Row, p95

CLIENTS = 100
MOST_REFUSAL_MS, MOST_HEALTH_MS = 100.0, 50.0
_TOKENS = 8
_PATIENCE_S = 180.0
_REQUEST = """\
POST /v1/chat/completions HTTP/1.1\r
Host: 127.0.0.1:{port}\r
Authorization: {token}\r
Content-Type: application/json\r
Content-Length: {length}\r
Connection: close\r
\r
"""


@dataclass(frozen=True)
class Client:
    """How it went for one of them."""

    code: str
    """The number it asked to have repeated, its own."""
    text: str
    """Empty: lost."""
    refusals: tuple[float, ...]
    """Milliseconds until each 429."""
    problem: str = ""


@dataclass(frozen=True)
class Rush:
    """One run."""

    clients: Sequence[Client]
    health: Sequence[float]
    seconds: float

    @property
    def lost(self) -> int:
        """Clients without an answer."""
        return sum(not client.text for client in self.clients)

    @property
    def crossed(self) -> int:
        """Clients whose answer has another's number in it."""
        codes = {client.code for client in self.clients}
        return sum(any(code in c.text for code in codes - {c.code}) for c in self.clients)

    @property
    def own(self) -> int:
        """Clients whose answer has their own number in it."""
        return sum(client.code in client.text for client in self.clients)

    @property
    def refusals(self) -> list[float]:
        """Milliseconds until every 429."""
        return [ms for client in self.clients for ms in client.refusals]


def measure(home: Path, runs: int, series: dict[str, Any]) -> Iterator[Row]:
    """Every row, with a scripted model that repeats what it is told and with a real one. 4 minutes."""
    script = home / "script.json"
    home.mkdir(parents=True, exist_ok=True)
    script.write_text(json.dumps({"word_pause_s": 0.02}))
    for name, model in (("scripted", f"fake:{script}"), (MODEL, MODEL)):
        with nestor(home / name, model=model) as ours:
            rushes = []
            for run in range(runs):
                rushes.append(_rush(ours, run))
                say(
                    f"{CLIENTS} clients, {name} model, run {run + 1} of {runs}: {_told(rushes[-1])}"
                )
        yield from _rows(name, rushes)


def _told(rush: Rush) -> str:
    first = next((c.problem for c in rush.clients if c.problem), "")
    return (
        f"{rush.lost} lost, {rush.crossed} crossed, {len(rush.refusals)} refusals, "
        f"all done in {rush.seconds:.1f} s{first and ': '}{first}"
    )


def _rows(name: str, rushes: Sequence[Rush]) -> Iterator[Row]:
    kind = f"{CLIENTS} clients at once, {name} model"
    own = f"{min(rush.own for rush in rushes)} or more repeat their own number"
    yield Row(f"{kind}: lost", "clients", [r.lost for r in rushes], most=0)
    yield Row(f"{kind}: crossed", "clients", [r.crossed for r in rushes], most=0, note=own)
    refused = [p95(rush.refusals) for rush in rushes if rush.refusals]
    yield Row(f"{kind}: p95 until a 429", "ms", refused, most=MOST_REFUSAL_MS,
              note=f"{sum(len(rush.refusals) for rush in rushes)} of them")  # fmt: skip
    health = [p95(rush.health) for rush in rushes if rush.health]
    yield Row(f"{kind}: p95 of /health", "ms", health, most=MOST_HEALTH_MS)
    yield Row(f"{kind}: until the last is done", "s", [rush.seconds for rush in rushes])


def _rush(ours: Nestor, run: int) -> Rush:
    begun = time.perf_counter()
    with pulse(ours.port) as health:
        clients = asyncio.run(_all(ours, run))
    return Rush(clients, health, time.perf_counter() - begun)


async def _all(ours: Server, run: int) -> list[Client]:
    codes = random.Random(run).sample(range(100_000, 1_000_000), CLIENTS)
    return await asyncio.gather(*(_client(ours, str(code)) for code in codes))


async def _client(ours: Server, code: str) -> Client:
    """Ask, come back when told to, until there is an answer."""
    refusals: list[float] = []
    deadline = time.perf_counter() + _PATIENCE_S
    wanted = {
        "messages": [{"role": "user", "content": f"Repeat this number: {code}"}],
        "max_tokens": _TOKENS, "temperature": 0,
    }  # fmt: skip
    request = json.dumps(wanted).encode()
    head = _REQUEST.format(
        port=ours.port, token=ours.headers["Authorization"], length=len(request)
    ).encode()
    while time.perf_counter() < deadline:
        try:
            status, headers, answer, ms = await _exchange(ours.port, head + request)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as exc:
            return Client(code, "", tuple(refusals), type(exc).__name__)
        if status == 200:
            text = json.loads(answer)["choices"][0]["message"]["content"]
            return Client(code, text, tuple(refusals))
        if status != 429:
            return Client(code, "", tuple(refusals), f"answered {status}")
        refusals.append(ms)
        # Without some chance in it all would come back at the same moment.
        await asyncio.sleep(float(headers["retry-after"]) * (0.5 + random.random()))
    return Client(code, "", tuple(refusals), "out of patience")


async def _exchange(port: int, request: bytes) -> tuple[int, dict[str, str], bytes, float]:
    """One request on a connection of its own: status, headers, body, milliseconds to the status."""
    begun = time.perf_counter()
    async with asyncio.timeout(_PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            status = int((await reader.readuntil(b"\r\n")).split()[1])
            ms = 1000 * (time.perf_counter() - begun)
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
            return status, headers, await reader.read(), ms
        finally:
            writer.close()
