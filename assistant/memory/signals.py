"""What speaks for each candidate, as numbers: words, meaning, neighbours, who, when, and its form."""

from __future__ import annotations

import numpy as np

from assistant.memory.question import Question
from assistant.memory.scan import Floats, Mask, Slots
from assistant.memory.slots import Candidates, place
from assistant.memory.words import Found

NAMES = (
    "words", "meaning", "own", "before", "after", "answers", "who", "named", "when",
    "asks", "length", "abroad",
)  # fmt: skip
"""The columns of `signals`. All lie between 0 and 1, but the length, between -1 and 1."""

WORDS, MEANING = 0.4, 0.6
"""The mix of both that says how good a neighbour is."""
COVERED = 0.5
FOREIGN_WORDS = 0.3
"""Share of a word match that counts where question and memory differ in language."""


def signals(question: Question, candidates: Candidates, found: Found, near: float) -> Floats:
    """One row a candidate, one column for each of NAMES; `near` is the cosine that is evidence."""
    words = _words(candidates, found)
    own = _cosines(candidates.own, words, near)
    meaning = _cosines(candidates.smooth, words, near)
    base = WORDS * words + MEANING * meaning
    before, after = _at(base, candidates.previous), _at(base, candidates.next)
    named = members(candidates, found.named)
    asked_before = _at(candidates.asks.astype(np.float32), candidates.previous)
    columns = (
        words,
        meaning,
        own,
        before,
        after,
        before * asked_before,
        # Who is asked about speaks, or is named in a row that nobody in particular said.
        (candidates.by_asked | candidates.by_nobody & named).astype(np.float32),
        named.astype(np.float32),
        _when(question, candidates),
        candidates.asks.astype(np.float32),
        _long(candidates),
        _abroad(candidates, words, own),
    )
    return np.stack(columns, axis=1).astype(np.float32)


def rare(candidates: Candidates, found: Found) -> Floats:
    """1 where a name or a rare word of the question is in the row."""
    return (members(candidates, found.rare) | members(candidates, found.named)).astype(np.float32)


def _words(candidates: Candidates, found: Found) -> Floats:
    scores = looked_up(candidates.seqs, found.seqs, found.scores)
    scores /= max(float(scores.max(initial=0.0)), 1e-9)
    # The best match counts in full only if it has half of what was asked.
    scores *= min(1.0, found.coverage / COVERED)
    scores[candidates.foreign] *= FOREIGN_WORDS
    return scores


def _abroad(candidates: Candidates, words: Floats, own: Floats) -> Floats:
    """What a row in another language lacks in words, which it cannot have, and has in meaning: as far
    as words count here. Nothing where it speaks of somebody else: that is what words would tell.
    """
    lifted = candidates.foreign
    if candidates.others is not None:
        lifted = lifted & ~candidates.others
    lacks = np.maximum(own * float(words.max(initial=0.0)) - words, 0.0)
    return np.where(lifted, lacks, 0.0).astype(np.float32, copy=False)


def apart(question: Question, columns: Floats) -> Floats:
    """1 where the question names somebody, and the row of `signals` is neither by nor about them."""
    if not question.about_somebody:
        return np.zeros(len(columns), np.float32)
    there = columns[:, [NAMES.index("who"), NAMES.index("named")]].max(axis=1, initial=0.0)
    away: Floats = (there == 0).astype(np.float32)
    return away


def _long(candidates: Candidates) -> Floats:
    """1 for four times the mean length, -1 for a quarter of it."""
    longer = np.clip(np.log2(np.maximum(candidates.lengths, 1e-3)) / 2, -1.0, 1.0)
    # Cosines from one language to another lie closer together: length would drown them.
    return np.where(candidates.foreign, 0.0, longer).astype(np.float32, copy=False)


def looked_up(seqs: Slots, keys: Slots, values: Floats) -> Floats:
    """The value of each of `seqs`, which rise; 0 where it has none."""
    found = np.zeros(len(seqs), np.float32)
    at, there = place(seqs, keys)
    found[at[there]] = values[there]
    return found


def _cosines(cosines: Floats, words: Floats, near: float) -> Floats:
    """0 to 1. Where all is noise, the best of it is not 1; a row too new for a vector has its words."""
    top = max(float(np.nan_to_num(cosines).max(initial=0.0)), near, 1e-6)
    scaled: Floats = np.clip(cosines / top, 0.0, 1.0)
    return np.where(np.isnan(scaled), words, scaled).astype(np.float32, copy=False)


def members(candidates: Candidates, seqs: Slots) -> Mask:
    """Which candidates are among these rows, which rise."""
    return place(seqs, candidates.seqs)[1]


def _when(question: Question, candidates: Candidates) -> Floats:
    if not question.spans:
        return np.zeros(len(candidates.seqs), np.float32)
    fits = [span.fits(candidates.said_at) for span in question.spans]
    best: Floats = np.maximum.reduce(fits)
    return best


def _at(values: Floats, positions: Slots) -> Floats:
    if not len(values):
        return values
    found: Floats = np.where(positions >= 0, values[positions], 0.0)
    return found
