"""A question in one language, the note in another: 200 hand-written pairs among 5,000 other lines."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.types import NewMemory
from tests.bench.given import Given
from tests.bench.recalling import Store
from tests.bench.table import Row
from tests.bench.talk import talk

_DATA = Path(__file__).parents[1] / "data"
DISTRACTORS, FOREIGN = 5_000, 600
LEAST = 80.0
HELD_OUT, DEVELOPMENT = "cross_language.txt", "cross_language_dev.txt"


@dataclass(frozen=True)
class Pair:
    """`asked` and `told` are languages."""

    asked: str
    told: str
    question: str
    note: str


def pairs(name: str = HELD_OUT) -> list[Pair]:
    """All of a file, as written."""
    rows = [[part.strip() for part in line.split("|")] for line in _lines(name)]
    return [Pair(*languages.split(), question, note) for languages, question, note in rows]


def distractors(count: int = DISTRACTORS, seed: int = 50) -> list[str]:
    """English talk, and some small talk in each other language; no line twice."""
    parts: dict[str, list[list[str]]] = {}
    for line in _lines("chatter_languages.txt"):
        name, *choices = (part.strip() for part in line.split("|"))
        parts.setdefault(name[:2], []).append(choices)
    foreign = []
    for choices in parts.values():
        every = [f"{a} {b}{c}" for a, b, c in itertools.product(*choices)]
        foreign += random.Random(seed // 10).sample(every, FOREIGN)
    english: dict[str, None] = {}
    for one in itertools.count(seed):
        english |= dict.fromkeys(turn.text for turn in talk(one, held_out=one % 2 == 1).turns)
        if len(english) >= count - len(foreign):
            break
    return [*list(english)[: count - len(foreign)], *foreign]


def measure(home: Path, _runs: int, _series: dict[str, Any]) -> Iterator[Row]:
    """Recall@5 both ways, and by language."""
    given, tests, lines = Given(), pairs(), distractors()
    with Store(home) as store:
        notes = [pair.note for pair in tests]
        ids = store.add([NewMemory(text) for text in notes], given.vectors(notes))
        store.add([NewMemory(text) for text in lines], given.vectors(lines))
        hits = [ids[n] in store.recall(pair.question, k=5) for n, pair in enumerate(tests)]
    for asked, told in sorted({(pair.asked, pair.told) for pair in tests}):
        some = [
            hit for hit, p in zip(hits, tests, strict=True) if (p.asked, p.told) == (asked, told)
        ]
        yield Row(f"question {asked}, note {told}: recall@5", "%", [100 * sum(some) / len(some)])
    yield Row("questions and notes of different languages: recall@5", "%",
              [100 * sum(hits) / len(hits)], least=LEAST,
              note=f"{len(tests)} pairs among {len(lines)} other lines")  # fmt: skip


def _lines(name: str) -> list[str]:
    text = (_DATA / name).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
