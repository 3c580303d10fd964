"""Rank candidates: words, vectors, neighbours, who and when, in the fixed mix that measured best."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime

import msgspec
import numpy as np

from assistant.memory import when
from assistant.memory.language import UNKNOWN, detect, stop_words
from assistant.memory.scan import Floats, Mask, Slots
from assistant.memory.slots import Candidates
from assistant.memory.words import Found, content_words, words_in

WORDS, VECTORS, NEIGHBOUR, WHO, WHEN = 0.4, 0.6, 0.2, 0.1, 0.15
"""Set once, not fitted: R@10 77 where plain vectors give 46 and words alone 61."""
COVERED = 0.5
FOREIGN_WORDS = 0.3
"""Share of a word match that counts where question and memory differ in language."""
GATE_NOISES, GATE_GROWTH = 2.6, 0.09
"""A cosine so many spreads above unrelated text is evidence by itself. The growth is per e-fold of
rows: the nearest of a thousand strangers is nearer than one stranger."""
GATE_NAMED = 0.7
"""Share of that which will do beside a match of a name or a rare word."""
GATE_OF_BEST = 0.6
"""With something clearly better at hand, less than this share of it is noise."""

MEANT_OF_BEST, MEANT_SHARE = 0.9, 0.5
"""What a row must have of the nearest one's cosine, and of the question's words, to be forgotten."""

_CAPITALISED = re.compile(r"(?<=[^\s.?!¿¡])\s+([A-ZÀ-ÖØ-Þ][\w-]+)")  # not at a sentence's start


class Question(msgspec.Struct, frozen=True):
    """A question, understood."""

    text: str
    language: str
    bare: str
    """Without the names of those who spoke: a name in a vector drowns the meaning."""
    words: tuple[str, ...]
    speakers: frozenset[str]
    """Names of known speakers in it, in lower case."""
    names: frozenset[str]
    """Other names in it, in lower case."""
    spans: tuple[when.Span, ...]


def understand(text: str, speakers: Sequence[str], now: datetime) -> Question:
    """Language, words, names and times of a question."""
    text = unicodedata.normalize("NFC", text)
    language = detect(text)
    spoken = {part.lower() for name in speakers for part in name.split() if len(part) > 1}
    spoken -= stop_words(language)
    said = set(words_in(text))
    names = {name.lower() for name in _CAPITALISED.findall(text)} - stop_words(language)
    return Question(
        text=text,
        language=language,
        bare=_without(text, spoken & said),
        words=tuple(content_words(text, language)),
        speakers=frozenset(spoken & said),
        names=frozenset(names - spoken),
        spans=when.spans(text, now),
    )


def _without(text: str, names: set[str]) -> str:
    if not names:
        return text
    pattern = r"\b(?:" + "|".join(map(re.escape, sorted(names))) + r")\b(?:['’]s)?"  # noqa: RUF001
    bare = re.sub(r"\s+", " ", re.sub(pattern, "", text, flags=re.IGNORECASE)).strip()
    return bare if re.search(r"\w", bare) else text


class Evidence(msgspec.Struct, frozen=True):
    """Candidates with all their signals, parallel arrays of 0 to 1, and the fused score."""

    seqs: Slots
    score: Floats
    own: Floats
    """Cosine to the row itself; NaN without a vector."""
    named: Floats
    """1 where a name or a rare word of the question is in the row."""


def fuse(question: Question, candidates: Candidates, found: Found, near: float = 0.0) -> Evidence:
    """Score every candidate; `near` as in `ranked`."""
    words = _words(question, candidates, found)
    base = WORDS * words + VECTORS * _cosines(candidates, words, near)
    beside = np.maximum(_at(base, candidates.previous), _at(base, candidates.next))
    who = _who(question, candidates, found)
    date = _when(question, candidates)
    rare = _members(candidates, found.rare, found.named)
    return Evidence(
        seqs=candidates.seqs,
        score=(base + NEIGHBOUR * beside + WHO * who + WHEN * date).astype(np.float32),
        own=candidates.own,
        named=rare,
    )


def ranked(evidence: Evidence, near: float, *, k: int, gate: bool) -> list[tuple[int, float]]:
    """The best `k` as (seq, score), best first; with `gate` only those there is evidence for.

    `near` is what `gate_for` says.
    """
    order = np.argsort(-evidence.score, kind="stable")
    if gate:
        passing = _passes(evidence, near)
        order = order[passing[order]]
    order = order[:k]
    strength = _strength(evidence, near)
    best = max(1.0, float(evidence.score.max(initial=0.0)))
    return [
        (int(evidence.seqs[i]), round(float(evidence.score[i]) / best * strength, 4)) for i in order
    ]


def gate_for(noise: float, rows: int) -> float:
    """The cosine that is evidence by itself among `rows` rows; 0 if there are no vectors yet."""
    return noise * (GATE_NOISES + GATE_GROWTH * math.log(max(1, rows)))


def clearly_meant(candidates: Candidates, found: Found, near: float) -> list[int]:
    """The rows, by `seq`, that are safe to forget for a question: near, among the nearest, and with
    most of its telling words. Measured with e5 among 666 rows: 15 of 64 questions that paraphrase
    take their row, 1 takes another, 16 unrelated ones take none; quoting words takes what has them.
    """
    own = np.nan_to_num(candidates.own)
    by_seq = dict(zip(found.seqs.tolist(), found.shares.tolist(), strict=True))
    shares = np.array([by_seq.get(int(seq), 0.0) for seq in candidates.seqs], np.float32)
    nearest = MEANT_OF_BEST * float(own.max(initial=0.0))
    meant = (own >= max(near, nearest, 1e-6)) & (shares >= MEANT_SHARE)
    return [int(seq) for seq in candidates.seqs[meant]]


def _passes(evidence: Evidence, gate: float) -> Mask:
    """Rows near enough by themselves, or nearly so with a name or rare word; without a vector, those."""
    own, named = np.nan_to_num(evidence.own), evidence.named > 0
    unseen = np.isnan(evidence.own)
    alone = max(gate, GATE_OF_BEST * float(own.max(initial=0.0)))
    near: Mask = ~unseen & ((own >= alone) | (named & (own >= GATE_NAMED * gate)))
    return near | (named & unseen)


def _strength(evidence: Evidence, gate: float) -> float:
    """How far the best row stands out, 0 to 1: makes scores of different questions comparable."""
    if not gate or np.isnan(evidence.own).all():
        return 0.5
    best = float(np.nan_to_num(evidence.own).max(initial=0.0))
    return float(np.clip(best / (2 * gate), 0.05, 1.0))


def _words(question: Question, candidates: Candidates, found: Found) -> Floats:
    by_seq = dict(zip(found.seqs.tolist(), found.scores.tolist(), strict=True))
    scores = np.array([by_seq.get(int(seq), 0.0) for seq in candidates.seqs], np.float32)
    scores /= max(float(scores.max(initial=0.0)), 1e-9)
    # The best match counts in full only if it has half of what was asked.
    scores *= min(1.0, found.coverage / COVERED)
    if question.language != UNKNOWN:
        foreign = [lang not in (question.language, UNKNOWN) for lang in candidates.langs]
        scores[np.array(foreign, bool)] *= FOREIGN_WORDS
    return scores


def _cosines(candidates: Candidates, words: Floats, near: float) -> Floats:
    """0 to 1. Where all is noise, the best of it is not 1; a row too new for a vector has its words."""
    top = max(
        float(np.nan_to_num(candidates.smooth).max(initial=0.0)),
        near,
        1e-6,
    )
    scaled: Floats = np.clip(candidates.smooth / top, 0.0, 1.0)
    return np.where(np.isnan(scaled), words, scaled)


def _who(question: Question, candidates: Candidates, found: Found) -> Floats:
    """1 where a person asked about speaks, or another name asked about is in the text."""
    who = _members(candidates, found.named)
    if question.speakers:
        for i, speaker in enumerate(candidates.speakers):
            if speaker and question.speakers & set(speaker.lower().split()):
                who[i] = 1.0
    return who


def _members(candidates: Candidates, *lists: Slots) -> Floats:
    return np.isin(candidates.seqs, np.concatenate(lists)).astype(np.float32)


def _when(question: Question, candidates: Candidates) -> Floats:
    if not question.spans:
        return np.zeros(len(candidates.seqs), np.float32)
    fits = [max(span.fits(int(at)) for span in question.spans) for at in candidates.said_at]
    return np.array(fits, np.float32)


def _at(values: Floats, positions: Slots) -> Floats:
    return np.where(positions >= 0, values[positions], 0.0) if len(values) else values
