"""Recall among 100,000 and 1,000,000 memories: time, memory, disk, and how exact the vector part is.

Rows are turns of talk, in threads of forty as they were said, each with a part of another line mixed into
its text and its vector: a million near-duplicates, the hard case for compressed search. The files are
kept in the user's cache folder, for a million rows
take minutes to store. Sizes come from NESTOR_BENCH_ROWS, `100000,1000000` if it is not set.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from platformdirs import user_cache_path

from assistant.memory.centre import Asked, unit
from assistant.memory.language import UNKNOWN
from assistant.memory.scan import Floats
from assistant.memory.slots import Filter
from assistant.memory.vectors import NOTHING
from assistant.types import NewMemory
from tests.bench.given import Given
from tests.bench.progress import say
from tests.bench.recalling import Store
from tests.bench.table import Row
from tests.bench.talk import NOW, talk

SIZES = tuple(map(int, os.environ.get("NESTOR_BENCH_ROWS", "100000,1000000").split(",")))
MOST_MS = {100_000: 10.0, 1_000_000: 50.0}
EXACT = 0.95
QUESTIONS, CHECKED, K = 200, 60, 10
_BLOCK = 50_000
_STORED_AT_ONCE = 1_000
_THREAD = 40
_DAY_S = 86_400


def measure(_home: Path, _runs: int, _series: dict[str, Any]) -> Iterator[Row]:
    """Every size."""
    source = _Source()
    for rows in SIZES:
        yield from _size(rows, source)


class _Source:
    """Lines, their vectors, and questions with theirs."""

    def __init__(self) -> None:
        given = Given()
        self.lines = [turn.text for turn in talk(1, held_out=False).turns]
        self.vectors = given.vectors(self.lines)
        self.questions = [ask.text for ask in talk(1, held_out=False).questions[:QUESTIONS]]
        self.asked = given.vectors(self.questions, "query")

    def block(self, number: int, count: int) -> tuple[list[NewMemory], Floats]:
        """Rows `number * _BLOCK` and on; the same each time."""
        rng = np.random.default_rng(number)
        starts = rng.integers(0, len(self.lines) - _THREAD, -(-count // _THREAD))
        first = (starts[:, None] + np.arange(_THREAD)).ravel()[:count]
        second = rng.integers(0, len(self.lines), count)
        share = rng.uniform(0.6, 0.9, (count, 1)).astype(np.float32)
        mixed = share * self.vectors[first] + (1 - share) * self.vectors[second]
        begin = NOW.timestamp() - 2_000 * _DAY_S
        rows = []
        for n, (one, two) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
            at = number * _BLOCK + n
            words = self.lines[one].split(), self.lines[two].split()
            text = " ".join([*words[0][: 1 + len(words[0]) // 2], *words[1][len(words[1]) // 2 :]])
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin + at * 100))
            rows.append(
                NewMemory(f"{text} {at % 30_011:x}", thread=f"t{at // _THREAD}", said_at=moment)
            )
        return rows, unit(mixed)


def _size(rows: int, source: _Source) -> Iterator[Row]:
    home = user_cache_path("nestor-bench", appauthor=False) / f"memories-{rows}"
    if not (home / "complete").exists():
        yield _fill(home, rows, source)
    label = f"{rows:,} memories"
    resident = psutil.Process().memory_info().rss
    begun = time.perf_counter()
    with Store(home, moment=NOW.isoformat()) as store:
        yield Row(f"{label}: open, words answer", "s", [time.perf_counter() - begun])
        while not store.service.memories.finder.index.settled:
            store.run(asyncio.sleep(0.05))
        store.recall("anything at all", k=1)
        yield Row(f"{label}: open, vectors answer", "s", [time.perf_counter() - begun])
        grown = (psutil.Process().memory_info().rss - resident) / rows
        yield Row(f"{label}: resident memory a row", "bytes", [grown])
        size = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
        yield Row(f"{label}: disk a row", "bytes", [size / rows])
        spent = _ask(store, source)
        most = MOST_MS.get(rows)
        yield Row(f"{label}: recall p95", "ms", [float(np.percentile(spent, 95))], most=most,
                  note=f"p50 {np.median(spent):.1f}, {len(spent)} questions, without the question's"
                  " embedding")  # fmt: skip
        share = _exactness(store, source, rows)
        yield Row(f"{label}: vector part, of exact search's {K}", "", [share], least=EXACT)


def _fill(home: Path, rows: int, source: _Source) -> Row:
    begun = time.perf_counter()
    spent = 0.0
    with Store(home, moment=NOW.isoformat()) as store:
        have = store.run(store.service.memories.count()).count
        for number in range(have // _BLOCK, -(-rows // _BLOCK)):
            block, vectors = source.block(number, min(_BLOCK, rows - number * _BLOCK))
            before = time.perf_counter()
            store.add(block, vectors, _STORED_AT_ONCE)
            spent += time.perf_counter() - before
            say(
                f"{number * _BLOCK + len(block):,} of {rows:,} rows, {time.perf_counter() - begun:.0f} s"
            )
    (home / "complete").touch()
    return Row(f"{rows:,} memories: stored with their vectors", "rows/s", [(rows - have) / spent])


def _ask(store: Store, source: _Source) -> list[float]:
    """Milliseconds of each question, its vector known beforehand; a first round warms caches."""
    memories = store.service.memories
    known = dict(zip(source.questions, source.asked, strict=True))

    async def vector(text: str) -> Floats:
        return known.get(text, source.asked[0])

    memories.finder._vector = vector  # type: ignore[method-assign]
    spent: list[float] = []
    for text in (*source.questions[:20], *source.questions):
        begun = time.perf_counter()
        found = store.run(memories.recall(text, k=K))
        spent.append(1000 * (time.perf_counter() - begun))
        assert len(found) == K
    return spent[20:]


def _exactness(store: Store, source: _Source, rows: int) -> float:
    """Of the ten rows that float32 finds among all, with neighbours mixed in, the share found here."""
    index = store.service.memories.finder.index
    centre, asked = index._centre, source.asked[:CHECKED]
    assert centre is not None
    queries = np.stack([centre.question("en", one) for one in asked])
    means = centre.neutral + centre.drift
    tops: list[tuple[Floats, Sequence[int]]] = []
    for number in range(-(-rows // _BLOCK)):
        _, vectors = source.block(number, min(_BLOCK, rows - number * _BLOCK))
        first = number * _BLOCK
        slots = np.arange(first, first + len(vectors))
        # Threads do not cross blocks, so neighbours are in the same one.
        vectors = unit(
            vectors.astype(np.float16).astype(np.float32) - means[index._codes.groups[slots]]
        )
        mixed = vectors.copy()
        for side in (index._lines.before[slots], index._lines.after[slots]):
            there = side >= 0
            mixed[there] += 0.3 * vectors[side[there] - first]
        cosines = queries @ unit(mixed).T
        part = np.argpartition(-cosines, K, axis=1)[:, :K]
        tops.append((np.take_along_axis(cosines, part, axis=1), part + first))
    cosines, slots = (np.concatenate([top[n] for top in tops], axis=1) for n in (0, 1))
    shares = []
    allowed = index._columns.allowed(Filter())
    for n, query in enumerate(queries):
        exact = set(slots[n][np.argsort(-cosines[n])[:K]].tolist())
        (found, *_) = index._nearest(Asked(UNKNOWN, query, query), allowed, K, NOTHING)
        shares.append(len(exact & set(found.tolist())) / K)
    return float(np.mean(shares))
