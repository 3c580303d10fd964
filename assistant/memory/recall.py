"""Rank candidates by all that speaks for them, in one fixed mix, and keep those there is evidence for."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Final

import msgspec
import numpy as np

from assistant.memory.question import Question, understand
from assistant.memory.scan import Floats, Mask, Slots
from assistant.memory.signals import NAMES, apart, looked_up, rare, signals
from assistant.memory.slots import Candidates
from assistant.memory.words import Found

__all__ = [
    "Question", "clearly_meant", "contenders", "fuse", "gate_for", "lead", "passes", "ranked", "understand",
]  # fmt: skip

WEIGHTS: Final = {
    "words": 0.35, "meaning": 0.4, "own": 0.3, "before": 0.35, "after": 0.1, "answers": 0.25,
    "who": 0.7, "named": 0.1, "when": 0.4, "asks": -0.15, "length": 0.25, "abroad": 0.35,
}  # fmt: skip
"""Rounded from what a regression found on the development half of tests/bench/talk.py, nearer to each
other than there: the figures of the half that was held out are in tests/bench/README.md. What stands
for words weighs as they do."""
GATE_NOISES, GATE_GROWTH = 2.6, 0.09
"""A cosine so many spreads above unrelated text is evidence by itself. The growth is per e-fold of
rows: the nearest of a thousand strangers is nearer than one stranger."""
ENOUGH = 1.12
"""What the best row must have for a question to get an answer: its cosine in gates, and on top, so
many of them each, its share of the question's words and how far it is ahead of the next one."""
FOR_WORDS, FOR_LEAD = 0.17, 0.4
NOISE_AT_BEST = 0.9
UNNAMED = 0.4
"""So much more where the question names somebody and the row does not."""
OF_BEST = 0.9
"""Share of the best score that the others must have to be handed over beside it. ENOUGH to OF_BEST:
from a regression on the life of tests/memory/life.py and on questions about people it does not know."""

CONTENDERS = 64
"""So many of the best are looked at for what the question wants; the others are refused unread."""

MEANT_OF_BEST, MEANT_SHARE = 0.9, 0.5
"""What a row must have of the nearest one's cosine, and of the question's words, to be forgotten."""


class Evidence(msgspec.Struct, frozen=True):
    """Candidates with all their signals, parallel arrays of 0 to 1, and the fused score."""

    seqs: Slots
    score: Floats
    own: Floats
    """Cosine to the row itself; NaN without a vector."""
    named: Floats
    """1 where a name or a rare word of the question is in the row."""
    shares: Floats
    """Share of the question's words that the row has."""
    apart: Floats
    """1 where the question names somebody, and the row is neither by nor about them."""


def fuse(question: Question, candidates: Candidates, found: Found, near: float = 0.0) -> Evidence:
    """Score every candidate; `near` as in `ranked`."""
    columns = signals(question, candidates, found, near)
    return Evidence(
        seqs=candidates.seqs,
        score=columns @ _MIX,
        own=candidates.own,
        named=rare(candidates, found),
        shares=looked_up(candidates.seqs, found.seqs, found.shares),
        apart=apart(question, columns),
    )


def contenders(evidence: Evidence, of_best: float = OF_BEST) -> list[int]:
    """The rows, by `seq`, that have this share of the best score, best first."""
    order = np.argsort(-evidence.score, kind="stable")
    return [int(seq) for seq in evidence.seqs[order[_near_best(evidence, of_best)[order]]]]


def ranked(evidence: Evidence, near: float, passing: Mask | None = None) -> list[tuple[int, float]]:
    """As (seq, score), best first; only those of `passing`. `near` is what `gate_for` says."""
    order = np.argsort(-evidence.score, kind="stable")
    if passing is not None:
        order = order[passing[order]]
    strength = _strength(evidence, near)
    best = max(1.0, float(evidence.score.max(initial=0.0)))
    scores = np.round(evidence.score[order].astype(np.float64) / best * strength, 4)
    return list(zip(evidence.seqs[order].tolist(), scores.tolist(), strict=True))


def gate_for(noise: float, rows: int) -> float:
    """The cosine that is evidence by itself among `rows` rows; 0 if there are no vectors yet."""
    return noise * (GATE_NOISES + GATE_GROWTH * math.log(max(1, rows)))


def clearly_meant(candidates: Candidates, found: Found, near: float) -> list[int]:
    """The rows, by `seq`, that are safe to forget for a question: near, among the nearest, and with
    most of its telling words. Measured with e5 among 666 rows: 15 of 64 questions that paraphrase
    take their row, 1 takes another, 16 unrelated ones take none; quoting words takes what has them.
    """
    own = np.nan_to_num(candidates.own)
    shares = looked_up(candidates.seqs, found.seqs, found.shares)
    nearest = MEANT_OF_BEST * float(own.max(initial=0.0))
    meant = (own >= max(near, nearest, 1e-6)) & (shares >= MEANT_SHARE)
    return [int(seq) for seq in candidates.seqs[meant]]


def _near_best(evidence: Evidence, of_best: float = OF_BEST) -> Mask:
    close: Mask = evidence.score >= of_best * float(evidence.score.max(initial=0.0))
    return close


def lead(evidence: Evidence, gate: float) -> Floats:
    """How far each row's cosine is above the second one's; ahead of nothing is ahead of noise at best."""
    own = np.nan_to_num(evidence.own)
    second = float(np.partition(own, -2)[-2]) if len(own) > 1 else 0.0
    ahead: Floats = np.maximum(own - max(NOISE_AT_BEST * gate, second), 0.0)
    return ahead


def passes(evidence: Evidence, gate: float, refused: Collection[int]) -> Mask:
    """The best rows, if there is evidence for the very best of them; without vectors, names are that.

    `refused` are contenders that cannot hold the answer.
    """
    free = ~np.isin(evidence.seqs, list(refused))
    unseen, named = np.isnan(evidence.own), evidence.named > 0
    own = np.nan_to_num(evidence.own)
    if not gate or unseen.all():
        # Without the meaning, a long row of common words may well score more than any of these.
        sure: Mask = named & (evidence.score >= OF_BEST * evidence.score[named].max(initial=0.0))
        return sure & free
    near = _near_best(evidence) & free
    needed = ENOUGH + UNNAMED * evidence.apart
    has = own / gate + FOR_WORDS * evidence.shares + FOR_LEAD * lead(evidence, gate) / gate
    enough = np.where(unseen, named, has >= needed)
    passing: Mask = near & bool((near & enough).any())
    return passing


def _strength(evidence: Evidence, gate: float) -> float:
    """How far the best row stands out, 0 to 1: makes scores of different questions comparable."""
    if not gate or np.isnan(evidence.own).all():
        return 0.5
    best = float(np.nan_to_num(evidence.own).max(initial=0.0))
    return float(np.clip(best / (2 * gate), 0.05, 1.0))


_MIX = np.array([WEIGHTS[name] for name in NAMES], np.float32)
