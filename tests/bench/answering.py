"""`python -m tests.bench.answering`: how well a head learned from notes_and_questions.txt tells near misses.

Nothing ships of it; tests/bench/README.md says why. A head is a bilinear form on centred e5 vectors, with a
hidden layer beside the matrix of each side. It has not seen what it is judged by, near_misses.txt. Some
two minutes of two cores.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from assistant.memory.centre import unit
from assistant.memory.scan import Floats
from tests.bench.given import Given
from tests.bench.precision import near_misses

LINES = Path(__file__).parents[1] / "data" / "notes_and_questions.txt"
COUNTS = (137, 274, 631, 927)
"""Lines learned from, always the same ones first."""
HEADS, ROUNDS, BATCH = 2, 40, 256
WIDTH, HIDDEN, DROPPED = 256, 128, 0.6
APART, AT_RANDOM = 0.6, 0.3
"""Weights of a pair that does not belong together: of one line, and of two."""
KEPT = 0.95

Line = tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
"""Questions, and the notes that answer each of them, three times."""


class Head(torch.nn.Module):
    """How likely a note answers a question, as a logit."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.drop = torch.nn.Dropout(DROPPED)
        self.flat = torch.nn.ModuleList(torch.nn.Linear(dim, WIDTH) for _ in range(2))
        self.bent = torch.nn.ModuleList(
            torch.nn.Sequential(
                torch.nn.Linear(dim, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, WIDTH)
            )
            for _ in range(2)
        )
        self.scale = torch.nn.Parameter(torch.ones(WIDTH))
        self.out = torch.nn.Linear(2, 1)

    def forward(self, asked: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """Of pairs, row by row; vectors of unit length."""
        sides = []
        for side, rows in enumerate((asked, told)):
            rows = self.drop(rows * 4)
            sides.append(self.flat[side](rows) + self.bent[side](rows))
        product = (sides[0] * sides[1] * self.scale).sum(-1) / 10
        return self.out(torch.stack([product, 5 * (asked * told).sum(-1)], -1)).squeeze(-1)


def main() -> None:
    """Print a row for each count of lines."""
    given, every = Given(), lines()[: COUNTS[-1]]
    random.Random(2).shuffle(every)
    life = near_misses()
    pairs = [(question, text, True) for question, text in life.asked]
    notes = [text for _, text in life.asked for _ in range(2)]
    pairs += [(question, note, False) for question, note in zip(life.never, notes, strict=True)]
    asked, told, answers = zip(*pairs, strict=True)
    for count in COUNTS:
        scores = learned(given, every[:count])(given, asked, told)
        print(
            f"{count} lines: AUC and share silent at {KEPT:.0%} attempted", *judged(scores, answers)
        )


def lines() -> list[Line]:
    """All of the file."""
    rows = [row.split(" | ") for row in LINES.read_text("utf-8").splitlines() if row[:1] != "#"]
    return [
        ((tuple(row[:2]), tuple(row[2:4])), ((row[4],), (row[5],)), ((row[6],), (row[7],)))
        for row in rows
    ]


class Scores:
    """Some heads, and where the middle of their vectors was."""

    def __init__(self, heads: Sequence[Head], questions: Floats, notes: Floats) -> None:
        self._heads, self._middles = heads, (questions, notes)

    def __call__(self, given: Given, asked: Sequence[str], told: Sequence[str]) -> Floats:
        rows = (given.vectors(asked, "query"), given.vectors(told))
        sides = [
            torch.tensor(unit(row - middle))
            for row, middle in zip(rows, self._middles, strict=True)
        ]
        with torch.no_grad():
            return torch.stack([head(*sides) for head in self._heads]).mean(0).numpy()


def learned(given: Given, some: Sequence[Line]) -> Scores:
    """Heads of different seeds."""
    asked, told, answers, weights = zip(*_pairs(some, random.Random(1)), strict=True)
    rows = (given.vectors(asked, "query"), given.vectors(told))
    middles = [row.mean(axis=0) for row in rows]
    sides = [torch.tensor(unit(row - middle)) for row, middle in zip(rows, middles, strict=True)]
    wanted, weight = torch.tensor(answers), torch.tensor(weights)
    heads = [_fit(seed, *sides, wanted, weight) for seed in range(HEADS)]
    return Scores(heads, *middles)


def judged(scores: Floats, answers: Sequence[bool]) -> tuple[float, float]:
    """AUC, and the share of the others below what KEPT of the answers reach."""
    right = np.array(answers)
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores)] = np.arange(1, len(scores) + 1)
    count = int(right.sum())
    area = (ranks[right].sum() - count * (count + 1) / 2) / (count * (len(scores) - count))
    bound = np.quantile(scores[right], 1 - KEPT)
    return round(float(area), 3), round(float((scores[~right] < bound).mean()), 2)


def _pairs(some: Sequence[Line], rng: random.Random) -> Iterator[tuple[str, str, float, float]]:
    for line in some:
        for n, (questions, _) in enumerate(line):
            for m, (_, notes) in enumerate(line):
                weight = 1.0 if n == m else APART
                yield from ((q, note, float(n == m), weight) for q in questions for note in notes)
        for _ in range(4):
            other = rng.choice(some)
            if other is not line:
                question, note = rng.choice(line)[0][0], rng.choice(other)[1][0]
                yield question, note, 0.0, AT_RANDOM


def _fit(
    seed: int, asked: torch.Tensor, told: torch.Tensor, wanted: torch.Tensor, weight: torch.Tensor
) -> Head:
    torch.manual_seed(seed)
    head = Head(asked.shape[1])
    steps = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.05)
    each = -(-len(wanted) // BATCH)
    pace = torch.optim.lr_scheduler.OneCycleLR(steps, 3e-3, total_steps=ROUNDS * each)
    for _ in range(ROUNDS):
        for part in torch.randperm(len(wanted)).split(BATCH):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                head(asked[part], told[part]), wanted[part], weight=weight[part]
            )
            steps.zero_grad()
            loss.backward()
            steps.step()
            pace.step()
    return head.eval()


if __name__ == "__main__":
    main()
