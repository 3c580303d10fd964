"""What recall hands to the reader: how much of it was wanted, and whether it stays silent when it should.

A life in a hundred sentences (tests/data/told.txt), with older versions that are closed, rows of other
scopes, and small talk around them. Each question wants one row. A question that gets nothing counts as
precision 0. Development was done on the other lives, tests/memory/life.py, untold.py and
tests/data/near_misses.txt, which are shown too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.config import LIMITS
from assistant.types import NewMemory
from tests.bench.given import Given
from tests.bench.recalling import Store
from tests.bench.table import Row
from tests.memory import life

_DATA = Path(__file__).parents[1] / "data"
CHATTER = 600
PRECISION, RECALL = 0.85, 0.9
ATTEMPTED, ABSTAINED = 95.0, 90.0
SCOPE = "home"
_TOLD_AT = "2026-01-15T10:00:00Z"


@dataclass
class Life:
    """Questions with the text that answers each, what else there is, and questions nobody can answer."""

    asked: list[tuple[str, str]]
    older: dict[str, str] = field(default_factory=dict)
    foreign: list[tuple[str, str]] = field(default_factory=list)
    never: list[str] = field(default_factory=list)


def held_out() -> Life:
    """Written for this benchmark; nothing was tuned on it."""
    found = Life([])
    for line in _lines("told.txt"):
        parts = [part.strip() for part in line.lstrip("~").split("|")]
        if line.startswith("~"):
            found.foreign.append((parts[0], parts[1]))
            continue
        found.asked.append((parts[0], parts[1]))
        if len(parts) > 2:
            found.older[parts[1]] = parts[2]
    found.never = _lines("never_told.txt")[:200]
    return found


def development() -> Life:
    """The life that the unit tests know, and questions that it almost answers."""
    asked = [(question, life.FACTS[key]) for question, key in (*life.ENGLISH, *life.FRENCH)]
    almost = [line[1:].strip() for line in _lines("near_misses.txt") if line.startswith("?")]
    return Life(asked, never=[*life.UNRELATED, *almost])


def near_misses() -> Life:
    """Of each thing that is told, two others are asked."""
    found = Life([])
    for line in _lines("near_misses.txt"):
        if not line.startswith("?"):
            question, text, never = (part.strip() for part in line.split("|"))
            found.asked.append((question, text))
            found.never += [one.strip() for one in never.split(";")]
    return found


def measure(home: Path, _runs: int, _series: dict[str, Any]) -> Iterator[Row]:
    """Precision, recall, closed and foreign rows, attempts and silence."""
    from tests.bench.untold import half_told  # which makes a Life

    given = Given()
    yield from rows("development life", Outcome(home / "dev", development(), given), limits=False)
    yield from rows("near misses", Outcome(home / "near", near_misses(), given), limits=False)
    yield from rows("half-told life", Outcome(home / "half", half_told(11), given), limits=False)
    yield from rows("held-out life", Outcome(home / "held", held_out(), given), limits=True)


class Outcome:
    """What the questions of a life bring, asked of a new memory."""

    def __init__(self, home: Path, what: Life, given: Given) -> None:
        self.cases: list[tuple[str, str, list[str]]] = []
        """Question, wanted text, found texts."""
        with Store(home) as store:
            tell(store, what, given)
            for question, text in what.asked:
                self.cases.append((question, text, _handed(store, question)))
            self.never = [(question, _handed(store, question)) for question in what.never]
        wrong = set(what.older.values()) | {text for _, text in what.foreign}
        every = [text for *_, found in self.cases for text in found]
        every += [text for _, found in self.never for text in found]
        self.wrong = sum(text in wrong for text in every)

    @property
    def precision(self) -> float:
        """Mean share of what was handed over that was wanted."""
        shares = [(text in found) / max(1, len(found)) for _, text, found in self.cases]
        return sum(shares) / len(shares)

    @property
    def recall(self) -> float:
        """Share of questions whose row was handed over."""
        return sum(text in found for _, text, found in self.cases) / len(self.cases)

    @property
    def attempted(self) -> float:
        """Percent of answerable questions that got anything."""
        return 100 * sum(bool(found) for *_, found in self.cases) / len(self.cases)

    @property
    def abstained(self) -> float:
        """Percent of unanswerable questions that got nothing."""
        return 100 * sum(not found for _, found in self.never) / max(1, len(self.never))


def tell(store: Store, what: Life, given: Given) -> None:
    """All of a life, each older text before what took its place, among CHATTER rows of small talk."""
    facts = list(dict.fromkeys(text for _, text in what.asked))
    first = [what.older.get(text, text) for text in facts]
    chat = life.chatter(CHATTER)
    told = [NewMemory(text, scope=SCOPE, said_at=_TOLD_AT) for text in first]
    ids = store.add(told, given.vectors(first))
    store.add([NewMemory(text, scope=SCOPE) for text in chat], given.vectors(chat))
    if what.foreign:
        texts = [text for _, text in what.foreign]
        others = [NewMemory(text, scope=scope) for scope, text in what.foreign]
        store.add(others, given.vectors(texts))
    for memory_id, text in zip(ids, facts, strict=True):
        if text in what.older:
            store.run(store.service.memories.edit(memory_id, text=text))
    store.settle()


def rows(name: str, outcome: Outcome, *, limits: bool) -> Iterator[Row]:
    """As a table."""
    handed = [len(found) for *_, found in outcome.cases]
    note = f"{len(outcome.cases)} questions, {sum(handed) / len(handed):.2f} rows handed over each"

    def least(value: float) -> float | None:
        return value if limits else None

    yield Row(f"{name}: mean precision", "", [outcome.precision], least=least(PRECISION), note=note)
    yield Row(f"{name}: recall", "", [outcome.recall], least=least(RECALL))
    yield Row(f"{name}: closed or foreign rows", "", [outcome.wrong], most=0 if limits else None)
    yield Row(
        f"{name}: answerable questions attempted", "%", [outcome.attempted], least=least(ATTEMPTED)
    )
    yield Row(f"{name}: silent where nothing was told", "%", [outcome.abstained],
              least=least(ABSTAINED), note=f"{len(outcome.never)} questions")  # fmt: skip


def _handed(store: Store, question: str) -> list[str]:
    found = store.search(question, k=LIMITS.recalled_rows, gate=True, scope=SCOPE)
    return [one.text for one in found]


def _lines(name: str) -> list[str]:
    text = (_DATA / name).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
