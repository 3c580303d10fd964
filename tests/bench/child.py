"""The engine's child without a daemon: how soon nothing is computed any more for a client that left."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import random
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from assistant.config import Settings, load_paths
from assistant.engine.catalogue import Catalogue
from assistant.engine.fallback import Remembered
from assistant.engine.loader import Loader
from assistant.engine.local import LocalEngine
from assistant.types import Message, Prefilled, Request, Sampling
from assistant.worker import Child
from tests.bench import texts
from tests.bench.nestor import MODEL
from tests.bench.progress import say
from tests.bench.servers import THREADS
from tests.bench.stream import Failed
from tests.bench.table import Row

EACH_RUN = 40
MOST_MS = 500.0
PROMPT_TOKENS = (50, 3_000)
_TRIAL_TOKENS = 700
_LEAST_STAY_S = 0.05
"""Until then a request may not have reached the child."""
_STAY_S = 1.0
"""The longest stay after an answer began."""
_PATIENCE_S = 20.0


@dataclass(frozen=True)
class Visit:
    """One client: what it asks, and when it means to leave."""

    number: int
    tokens: int
    """About so many, of its prompt."""
    reading: bool
    """Whether it leaves while its prompt is read."""
    stay_s: float
    """From asking, if `reading`; else from when its answer began."""


@dataclass(frozen=True)
class Left:
    """What came of a visit."""

    ms: float
    """From leaving until the child said that nothing runs and nothing waits."""
    reading: bool
    """Whether the prompt was still being read."""


def visits(rng: random.Random, tokens_per_s: float) -> Iterator[Visit]:
    """Without end, every other one while its prompt is read; short prompts are as likely as long ones."""
    least, most = map(math.log, PROMPT_TOKENS)
    for number in itertools.count():
        reading = number % 2 == 0
        tokens = round(math.exp(rng.uniform(least, most)))
        stay = 0.9 * tokens / tokens_per_s if reading else _STAY_S
        yield Visit(number, tokens, reading, rng.uniform(_LEAST_STAY_S, stay))


def rows(found: list[Left]) -> Iterator[Row]:
    """The slowest of all, held to the limit; and each."""
    late = sum(left.ms > MOST_MS for left in found)
    reading = [left.ms for left in found if left.reading]
    answered = [left.ms for left in found if not left.reading]
    yield Row(
        "a client that left: until the engine computes nothing, slowest",
        "ms",
        [max(left.ms for left in found)],
        most=MOST_MS,
        note=f"{len(found) - late} of {len(found)} in time, "
        f"{len(reading)} of them while their prompt was read",
    )
    yield Row("the same, each, while its prompt was read", "ms", reading)
    yield Row("the same, each, while its answer was written", "ms", answered)


def measure(home: Path, runs: int) -> list[Left]:
    """40 clients a run, one after the other. 7 minutes for 5 runs. Raises Failed."""
    return asyncio.run(_visited(home, EACH_RUN * runs))


async def _visited(home: Path, count: int) -> list[Left]:
    found: list[Left] = []
    async with _engine(home) as (engine, child):
        speed = await _tokens_per_s(engine)
        say(f"leaving the engine: it reads {speed:.0f} tokens/s")
        for visit in itertools.islice(visits(random.Random(6), speed), 2 * count):
            left = await _visit(engine, child, visit)
            if left is None:
                continue
            found.append(left)
            if len(found) % 20 == 0:
                slowest = max(left.ms for left in found)
                say(f"leaving the engine: {len(found)} of {count}, slowest {slowest:.0f} ms")
            if len(found) == count:
                return found
    raise Failed("most answers ended before their clients left")


@contextlib.asynccontextmanager
async def _engine(home: Path) -> AsyncIterator[tuple[LocalEngine, Child]]:
    """As the daemon builds it."""
    home.mkdir(parents=True, exist_ok=True)
    child = Child("engine", "assistant.engine.service")
    threads = 0 if psutil.cpu_count(logical=False) == THREADS else THREADS
    settings = Settings(model=MODEL, threads=threads)
    catalogue = Catalogue(load_paths().models)
    remembered = Remembered(home / "engine.json")
    loader = Loader(child, catalogue, settings, remembered, home / "chats", bytes(32))
    engine = LocalEngine(child, catalogue, settings, loader)
    try:
        await engine.warm()
        yield engine, child
    finally:
        await engine.close()


async def _tokens_per_s(engine: LocalEngine) -> float:
    for seed in (1, 2):
        begun = time.perf_counter()
        read = await engine.prefill(_request(seed, _TRIAL_TOKENS))
        speed = read.tokens / (time.perf_counter() - begun)
    return speed


async def _visit(engine: LocalEngine, child: Child, visit: Visit) -> Left | None:
    """Ask, stay, leave; None if the answer ended first."""
    begun = asyncio.Event()
    asking = asyncio.create_task(_listen(engine, visit, begun))
    asking.add_done_callback(lambda _: begun.set())
    if not visit.reading:
        await begun.wait()
    await asyncio.sleep(visit.stay_s)
    if asking.done():
        return await asking
    reading, left = not begun.is_set(), time.perf_counter()
    asking.cancel()
    await _until_free(child, left)
    ms = (time.perf_counter() - left) * 1000
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    return Left(ms, reading)


async def _listen(engine: LocalEngine, visit: Visit, begun: asyncio.Event) -> None:
    request = _request(100 + visit.number, visit.tokens, chat=f"c_{visit.number}")
    place = engine.reserve()
    try:
        async with contextlib.aclosing(place.stream(request)) as items:
            async for item in items:
                if isinstance(item, Prefilled):
                    begun.set()
    finally:
        place.release()


def _request(seed: int, tokens: int, *, chat: str = "") -> Request:
    text = texts.essay(seed, tokens) + "\n\nWrite a long story about all of this."
    return Request((Message.of("user", text),), Sampling(temperature=0), chat)


async def _until_free(child: Child, left: float) -> None:
    while any((await child.call("occupancy")).values()):
        if time.perf_counter() - left > _PATIENCE_S:
            raise Failed("a client that left is still worked for")
