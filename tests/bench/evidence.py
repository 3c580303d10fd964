"""Does a question about a long talk find the turns that answer it, and how often do peers find them?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from assistant.types import NewMemory
from tests.bench import stores
from tests.bench.given import Given
from tests.bench.progress import say
from tests.bench.recalling import Store
from tests.bench.servers import Unavailable
from tests.bench.table import Row, p95
from tests.bench.talk import NOW, Talk, talk

HELD_OUT_SEED, DEVELOPMENT_SEED = 2, 1
ABOVE = 20.0
K = 10
Found = Sequence[Sequence[int]]
"""For each question the places of turns, the best first."""


def measure(home: Path, _runs: int, _series: dict[str, Any]) -> Iterator[Row]:
    """Ours on both halves, peers on the one that was held out."""
    given = Given()
    held_out = talk(HELD_OUT_SEED, held_out=True)
    development = talk(DEVELOPMENT_SEED, held_out=False)
    yield _row(
        "Nestor, development half: recall@10", development, _ours(home / "dev", development, given)
    )
    found = _ours(home / "held", held_out, given)
    ours = _recall(held_out, found, K)
    note = f"{len(held_out.questions)} questions on {len(held_out.turns)} turns of 20 people"
    yield _row("Nestor: recall@10", held_out, found, note=note)
    yield Row("Nestor: recall@5", "%", [_recall(held_out, found, 5)])
    for timed, name in ((True, "time"), (False, "no time")):
        some = [n for n, ask in enumerate(held_out.questions) if ask.timed is timed]
        part = Talk(held_out.turns, [held_out.questions[n] for n in some])
        yield _row(f"Nestor, questions that name {name}: recall@10", part, [found[n] for n in some])
    best = 0.0
    for peer in stores.SEARCHED:
        try:
            row = _peer(peer, held_out, given)
        except Unavailable as exc:
            say(str(exc))
            yield Row(f"{peer}: recall@10", "%", [], problem=str(exc))
            continue
        best = max(best, row.median)
        yield row
    yield Row("recall@10 above the best peer", "points", [ours - best] if best else [], least=ABOVE)


def _ours(home: Path, said: Talk, given: Given) -> Found:
    """What the product finds, its own embedder asked for each question."""
    rows = [
        NewMemory(turn.text, speaker=turn.speaker, thread=turn.thread, said_at=turn.said_at)
        for turn in said.turns
    ]
    with Store(home, moment=NOW.isoformat()) as store:
        ids = store.add(rows, given.vectors([turn.text for turn in said.turns]))
        places = {memory_id: n for n, memory_id in enumerate(ids)}
        return [[places[one] for one in store.recall(ask.text, k=K)] for ask in said.questions]


def _peer(name: str, said: Talk, given: Given) -> Row:
    """The better of two forms: texts as they are, and with the speaker's name in front."""
    questions = [ask.text for ask in said.questions]
    asked = given.vectors(questions, "query")
    forms = {
        "text": [turn.text for turn in said.turns],
        "name: text": [f"{turn.speaker}: {turn.text}" for turn in said.turns],
    }
    rows = []
    for form, texts in forms.items():
        result = stores.run(name, texts, given.vectors(texts), questions, asked, k=K)
        note = f"{stores.version(name)}, rows as `{form}`, a search p95 {p95(result.ms):.1f} ms"
        rows.append(_row(f"{name}: recall@10", said, result.found, note=note))
    return max(rows, key=lambda row: row.median)


def _row(name: str, said: Talk, found: Found, note: str = "") -> Row:
    return Row(name, "%", [_recall(said, found, K)], note=note)


def _recall(said: Talk, found: Found, k: int) -> float:
    shares = [
        sum(place in places[:k] for place in ask.evidence) / len(ask.evidence)
        for ask, places in zip(said.questions, found, strict=True)
    ]
    return 100 * sum(shares) / len(shares)
