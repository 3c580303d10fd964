"""How fast rows come in that have their vectors already: ours and the peers, in batches and one by one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from assistant.memory.scan import Floats
from assistant.types import NewMemory
from tests.bench import stores
from tests.bench.given import Given
from tests.bench.languages import distractors
from tests.bench.progress import say
from tests.bench.recalling import Store
from tests.bench.servers import Unavailable
from tests.bench.table import Row, ratio

ROWS, BATCH, SINGLY = 10_000, 100, 500
LEAST_BATCHES, LEAST_SINGLY, LEAST_WORDS = 1.0, 2.0, 5_000.0


def measure(home: Path, runs: int, _series: dict[str, Any]) -> Iterator[Row]:
    """Runs are interleaved: ours, then each peer."""
    lines, given = distractors(), Given()
    texts = [f"{line} {n}" for n in range(ROWS // len(lines)) for line in lines]
    vectors = given.vectors(lines)[[n % len(lines) for n in range(ROWS)]]
    speeds: dict[str, list[float]] = {}
    singly: dict[str, list[float]] = {}
    problems: dict[str, str] = {}
    for run in range(runs):
        speeds.setdefault("Nestor", []).append(_ours(home / f"b{run}", texts, vectors, BATCH))
        singly.setdefault("Nestor", []).append(
            _ours(home / f"s{run}", texts[:SINGLY], vectors[:SINGLY], 1)
        )
        for peer in stores.PEERS:
            few = ROWS if peer != "mem0" else ROWS // 10  # its speed does not depend on it
            try:
                speeds.setdefault(peer, []).append(_peer(peer, texts[:few], vectors[:few], BATCH))
                if peer == "chromadb":
                    singly.setdefault(peer, []).append(
                        _peer(peer, texts[:SINGLY], vectors[:SINGLY], 1)
                    )
            except Unavailable as exc:
                say(str(exc))
                problems[peer] = str(exc)
    for name, values in speeds.items():
        yield Row(f"{name}: stored, vectors given, batches of {BATCH}", "rows/s", values,
                  problem=problems.get(name, ""))  # fmt: skip
    best = max(
        (max(values), name) for name, values in speeds.items() if name != "Nestor" and values
    )[1]
    yield ratio(f"the same, of {best}'s", speeds["Nestor"], speeds[best], least=LEAST_BATCHES)
    for name, values in singly.items():
        yield Row(f"{name}: stored one by one", "rows/s", values)
    yield ratio("the same, each durable first, of chromadb's", singly["Nestor"],
                singly.get("chromadb", []), least=LEAST_SINGLY)  # fmt: skip
    yield Row("Nestor: stored without vectors, batches of 1,000", "rows/s",
              [_ours(home / f"w{run}", texts, None, 1_000) for run in range(runs)],
              least=LEAST_WORDS)  # fmt: skip


def _ours(home: Path, texts: Sequence[str], vectors: Floats | None, batch: int) -> float:
    rows = [NewMemory(text) for text in texts]
    with Store(home, embedder="e5" if vectors is not None else "none:") as store:
        begun = time.perf_counter()
        store.add(rows, vectors, batch)
        return len(rows) / (time.perf_counter() - begun)


def _peer(name: str, texts: Sequence[str], vectors: Floats, batch: int) -> float:
    return len(texts) / stores.run(name, texts, vectors, batch=batch).ingest_s
