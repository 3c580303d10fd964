"""`python -m tests.bench.weighing`: fit what memory/verdicts.py weighs the signs with, and show the outcome.

On the development lives only, each kind as heavy as the others, and once for each kind without it: what is
printed for that one was fitted on the others.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from assistant.config import LIMITS
from assistant.memory import verdicts
from assistant.memory.recall import Evidence
from assistant.memory.scan import Floats, Mask
from tests.bench.given import Given
from tests.bench.precision import SCOPE, Life, development, near_misses, tell
from tests.bench.progress import say
from tests.bench.recalling import Store
from tests.bench.untold import half_told

ODDS = (0.06, 0.08, 0.1, 0.12, 0.15, 0.2)
"""That a row answers; which of them it needs is chosen by what is attempted."""
REGULAR = 1.0


@dataclass(frozen=True)
class Case:
    """One question: what stood for its rows, and which of them answers."""

    signs: Floats
    gate: Mask
    """What the gate hands over: all that there is without the judge, with it of the rows it did not read."""
    left: tuple[Mask, Mask]
    """What the judge did not read; see `verdicts.unread`."""
    right: Mask
    answerable: bool


@dataclass
class Kind:
    """The cases of lives of one kind."""

    name: str
    cases: list[Case] = field(default_factory=list)

    def outcome(self, weights: Floats, needed: float) -> tuple[float, float, float]:
        """Silent where nothing was told and attempted, in percent, and precision."""
        silent, attempted, precise = [], [], []
        for case in self.cases:
            total = case.signs @ weights
            handed = verdicts.settled(total >= needed, case.gate, case.left)
            if case.answerable:
                attempted.append(handed.any())
                precise.append((handed & case.right).sum() / max(1, handed.sum()))
            else:
                silent.append(not handed.any())
        return (
            100 * float(np.mean(silent)),
            100 * float(np.mean(attempted)),
            float(np.mean(precise)),
        )

    def without(self) -> tuple[float, float]:
        """Silent and attempted, as the gate alone decides."""
        told = [case.gate.any() for case in self.cases if case.answerable]
        never = [not case.gate.any() for case in self.cases if not case.answerable]
        return 100 * float(np.mean(never)), 100 * float(np.mean(told))


def main() -> None:
    """Print the fit on all kinds, and on all but each."""
    kinds = list(gathered())
    for kind in kinds:
        print(
            f"{kind.name}, gate alone: silent {kind.without()[0]:.1f} attempted {kind.without()[1]:.1f}"
        )
    weights, base = fitted(kinds)
    print("WEIGHTS", dict(zip(verdicts.WEIGHTS, weights.round(2).tolist(), strict=True)))
    for odds in ODDS:
        needed = float(np.log(odds / (1 - odds))) - base
        print(f"odds {odds}: NEEDED {needed:.2f}", *(_shown(one, weights, needed) for one in kinds))
    for left_out in kinds:
        weights, base = fitted([one for one in kinds if one is not left_out])
        for odds in ODDS:
            needed = float(np.log(odds / (1 - odds))) - base
            print(f"fitted without it, odds {odds}:", _shown(left_out, weights, needed))


def _shown(kind: Kind, weights: Floats, needed: float) -> str:
    silent, attempted, precision = kind.outcome(weights, needed)
    return f"{kind.name} {silent:.1f} / {attempted:.1f}, {precision:.3f};"


def fitted(kinds: Sequence[Kind]) -> tuple[Floats, float]:
    """Weights of the signs, and the intercept, from rows that were judged; each kind is as heavy."""
    lines, answers, heavy = [], [], []
    for kind in kinds:
        some = [(case, ~np.isnan(case.signs).any(1)) for case in kind.cases]
        count = sum(int(judged.sum()) for _, judged in some)
        for case, judged in some:
            lines.append(case.signs[judged])
            answers.append(case.right[judged])
            heavy.append(np.full(int(judged.sum()), 1 / count))
    weight = np.concatenate(heavy)
    model = LogisticRegression(C=REGULAR, max_iter=1000)
    model.fit(np.concatenate(lines), np.concatenate(answers), weight * len(weight) / weight.sum())
    return model.coef_[0].astype(np.float32), float(model.intercept_[0])


def gathered() -> Iterator[Kind]:
    """What the real service makes of each development life."""
    given = Given()
    some = {
        "development": [development()],
        "near misses": [near_misses()],
        "half told": [half_told(seed) for seed in (11, 12, 13)],
    }
    for name, lives in some.items():
        kind = Kind(name)
        for life in lives:
            with tempfile.TemporaryDirectory() as home:
                kind.cases += _cases(Path(home), life, given)
            say(f"{name}: {len(kind.cases)} questions asked")
        yield kind


def _cases(home: Path, life: Life, given: Given) -> Iterator[Case]:
    asked = [*life.asked, *((question, "") for question in life.never)]
    with Store(home) as store, _noted() as noted:
        tell(store, life, given)
        for question, wanted in asked:
            noted.clear()
            found = store.search(question, k=LIMITS.recalled_rows, gate=True, scope=SCOPE)
            if noted:
                yield _case(store, noted[-1], wanted)
            else:  # not judged: the gate decides, whatever the weights are
                right = np.array([one.text == wanted for one in found], bool)
                unread = np.full((len(found), len(verdicts.WEIGHTS)), np.nan, np.float32)
                every = np.ones(len(found), bool)
                yield Case(unread, every, (every, every), right, bool(wanted))


Noted = tuple[Evidence, float, Mapping[int, float], Mask, Collection[int]]


def _case(store: Store, noted: Noted, wanted: str) -> Case:
    evidence, near, logits, gate, long = noted
    texts = store.texts([int(seq) for seq in evidence.seqs])
    right = np.array([texts[int(seq)] == wanted for seq in evidence.seqs], bool)
    signs = verdicts.signs(evidence, near, logits)
    left = verdicts.unread(evidence, signs.sum(axis=1), logits, long)
    return Case(signs, gate, left, right, bool(wanted))


@contextmanager
def _noted() -> Iterator[list[Noted]]:
    """What the finder hands to `verdicts.passing`, while it goes on as ever."""
    noted: list[Noted] = []
    passing = verdicts.passing

    def heard(*what: Any) -> Mask:
        noted.append(what)
        return passing(*what)

    verdicts.passing = heard
    try:
        yield noted
    finally:
        verdicts.passing = passing


if __name__ == "__main__":
    main()
