"""Pairs of a question and a note, to learn from whether it answers: from tests/data/*notes_and_questions.txt
and dossiers.txt.

A line is some notes about one thing, and the questions that each answers: three in the first files, four to
ten, each on its own line, in the last. Most pairs are of one line. Others are with notes that are alike, by
their words or to the embedder, and some have a name swapped for another or left out (names.py).
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from assistant.memory.embed import E5
from assistant.memory.scan import Floats
from tests.bench.names import Line, Named, Pair, Unnamed, words_of

_DATA = Path(__file__).parents[1] / "data"
LINES = tuple(_DATA / f"{name}.txt" for name in ("notes_and_questions", "near_notes_and_questions"))
"""Notes of the second are nearer to each other: the same kind of answer, of another detail or thing."""
DOSSIERS = _DATA / "dossiers.txt"
ANSWERS, OF_THE_LINE = 4, 4
"""Pairs of a line of three in one round: that belong together, and that do not."""
OF_A_FACT = 2
"""The same of each fact of a dossier."""
ALIKE, NEAR_BY, COMMON = 8, 15, 0.2
NEAREST, TOO_NEAR = 22, 1
"""Notes by cosine; the very nearest one is left out, as it may well answer."""


def lines() -> list[Line]:
    """All of the files."""
    rows = [row.split(" | ") for row in texts()]
    return [
        ((tuple(row[:2]), tuple(row[2:4])), ((row[4],), (row[5],)), ((row[6],), (row[7],)))
        for row in rows
    ] + dossiers()


def dossiers() -> list[Line]:
    """Those of DOSSIERS: two questions that ask the same and two notes that answer it, a fact."""
    some = DOSSIERS.read_text("utf-8").strip().split("\n\n")
    facts = [[row.split(" | ") for row in one.splitlines() if row[:1] != "#"] for one in some]
    return [tuple((tuple(row[:2]), tuple(row[2:])) for row in one) for one in facts]


def texts() -> list[str]:
    """The lines as they are written."""
    every = (row for path in LINES for row in path.read_text("utf-8").splitlines())
    return [row for row in every if row[:1] != "#"]


class Lines:
    """Pairs to learn from, others in each round. With `near` of `nearest`, some are with those notes."""

    def __init__(self, every: Sequence[Line], near: dict[str, list[str]] | None = None) -> None:
        self._lines = every
        self._near = near or {}
        self._named, self._unnamed = Named(every), Unnamed(every)
        self._notes = [
            (n, note) for n, line in enumerate(every) for _, some in line for note in some
        ]
        self._holding: dict[str, list[int]] = defaultdict(list)
        for at, (_, note) in enumerate(self._notes):
            for word in words_of(note):
                self._holding[word].append(at)

    def round(self, rng: random.Random) -> list[Pair]:
        """In no order."""
        found = [pair for n in range(len(self._lines)) for pair in self._of(n, rng)]
        rng.shuffle(found)
        return found

    def _of(self, number: int, rng: random.Random) -> Iterator[Pair]:
        line = self._lines[number]
        every = [
            (q, note, float(a is b)) for a in line for b in line for q in a[0] for note in b[1]
        ]
        small = len(line) == 3
        answers, others = (ANSWERS, OF_THE_LINE) if small else [OF_A_FACT * len(line)] * 2
        yield from rng.sample([pair for pair in every if pair[2]], answers)
        yield from rng.sample([pair for pair in every if not pair[2]], others)
        for _ in range(len(line) // 3):
            question = rng.choice([q for questions, _ in line for q in questions])
            owner, note = self._other(question, number, rng)
            if owner != number:
                yield question, note, 0.0
            if near := self._near.get(question):
                yield question, rng.choice(near), 0.0
            yield from self._named.swapped(number, rng)
            yield from self._unnamed.left_out(number, rng)

    def _other(self, question: str, number: int, rng: random.Random) -> tuple[int, str]:
        """A note with the same rare words, of a line near by (most are about like things), or any."""
        chance = rng.random()
        if chance < 0.6 and (alike := self._alike(question, number)):
            return self._notes[rng.choice(alike)]
        if chance < 0.8:
            near = min(max(number + rng.randint(-NEAR_BY, NEAR_BY), 0), len(self._lines) - 1)
            return near, rng.choice(rng.choice(self._lines[near])[1])
        return rng.choice(self._notes)

    def _alike(self, question: str, number: int) -> list[int]:
        score: Counter[int] = Counter()
        for word in words_of(question):
            holding = self._holding.get(word, [])
            if 0 < len(holding) < COMMON * len(self._notes):
                weight = math.log(len(self._notes) / len(holding))
                for at in holding:
                    score[at] += weight  # type: ignore[assignment]
        best = [at for at, _ in score.most_common(5 * ALIKE) if self._notes[at][0] != number]
        return best[:ALIKE]


def nearest(every: Sequence[Line]) -> dict[str, list[str]]:
    """By question, the notes of other lines that the embedder finds nearest. Takes minutes."""
    asked = [(n, q) for n, line in enumerate(every) for questions, _ in line for q in questions]
    told = [(n, note) for n, line in enumerate(every) for _, some in line for note in some]
    of_asked = _vectors([question for _, question in asked], "query")
    of_told = _vectors([note for _, note in told], "passage")
    found = {}
    for (number, question), vector in zip(asked, of_asked, strict=True):
        best = np.argsort(-(of_told @ vector))[: NEAREST + 8]
        others = [told[at][1] for at in best if told[at][0] != number]
        found[question] = others[TOO_NEAR:NEAREST]
    return found


def _vectors(texts: list[str], purpose: str) -> Floats:
    """About their mean, of length one."""
    made = np.frombuffer(E5().embed(texts, purpose), np.float32).reshape(len(texts), -1)
    apart = made - made.mean(axis=0)
    unit: Floats = apart / np.linalg.norm(apart, axis=1, keepdims=True)
    return unit
