"""Pure: which questions the judge is asked, and which rows are handed over once it has spoken.

Only a question for a fact is judged. Advice, a text to be written or a plan is helped by notes that
answer nothing, and what is no question wants whatever is near.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

import numpy as np

from assistant.memory.language import UNKNOWN
from assistant.memory.question import Question
from assistant.memory.recall import Evidence, lead
from assistant.memory.scan import Floats, Mask

JUDGED: Final = 5
"""Rows that are read for one question, the best first."""
OF_BEST: Final = 0.5
"""Share of the best score that a row must have to be read."""
LONG: Final = 300
"""Characters; what is longer is no note, and takes the judge as long as ten of them."""

WEIGHTS: Final = {
    "own": 1.8, "shares": -1.0, "lead": 1.48, "apart": -1.29, "score": 3.0, "logit": 1.01,
}  # fmt: skip
"""From a logistic regression on the development lives of tests/bench, each kind as heavy as the others: of
the cosine in gates, the share of the question's words, the cosine's lead in gates, whether somebody named is
missing, the share of the best score, and the judge's logit."""
NEEDED: Final = 4.45
"""Odds of about one to six that it answers: a question that had its answer must not lose it, and beyond
these many more would."""
LEAST, MOST = -6.0, 4.0
"""Of a logit; beyond, it says no more."""

_LANGUAGES: Final = frozenset({"en", "fr", "de", "es"})
_WORDS: Final = 16
_ASKS: Final = re.compile(
    r"^\W*(?:(?:and|so|but|et|und|y|e)\s+)?(?:"
    r"who|whom|whose|what|which|when|where|why|how|is|are|was|were|do|does|did|has|have|had|"
    r"(?:à |de |chez |avec |dans )?(?:qui|que|qu|quoi|quel\w*)|quand|où|pourquoi|comment|combien|est|c'est|"
    r"wer|wem|wen|wessen|was|welche\w*|wann|wo|woher|wohin|warum|wieso|wie|wieviel\w*|"
    r"(?:a |de |con |por )?(?:qui[eé]n\w*|qu[eé]|cu[aá]l\w*)|cu[aá]ndo|d[oó]nde|c[oó]mo|cu[aá]nt\w*"
    r")\b",
    re.I,
)
_OPEN: Final = re.compile(
    r"\b(?:(?:should|shall|could|can|would|will|might) (?:i|we|you|one|be)|"
    r"recommend\w*|suggest\w*|ideas?|advice|advise|help|plan|"
    r"know about|remember about|tell me|write|think (?:of|about)|best way|going on|what if|"
    r"dev(?:rai[st]?|rions|ons|riez)|dois|pourr(?:ai[st]?|ions|iez)|p(?:eux|ouvons|ouvez|eut-on)|"
    r"conseil\w*|idées?|aid\w+|sais (?:de|sur)|parle|écri\w*|propos\w*|"
    r"(?:sollt?e?n?|könnt?e?n?|kann|würden?) (?:ich|wir|du|man|sie)|"
    r"empf\w*|vorschl\w*|ideen?|rat|hilf\w*|weißt du über|schreib\w*|"
    r"deber[ií]a(?:s|mos)?|debo|debemos|pued(?:o|es)|podemos|podr[ií]a(?:s|mos)?|"
    r"recom\w+|sugier\w+|ayud\w+|consej\w+|sabes (?:de|sobre)|escrib\w+|propon\w*)\b",
    re.I,
)
"""Advice or a text is wanted: what the speaker should, could or would do, not what others can or would."""


def for_a_fact(question: Question) -> bool:
    """Whether it is one plain question that a note can answer."""
    text = question.text.replace("’", "'").strip()  # noqa: RUF001
    plain = len(text.split()) <= _WORDS and "\n" not in text and not re.search(r"[.!?;]\s+\S", text)
    asks = _ASKS.match(text) is not None or (text.endswith("?") and question.language in _LANGUAGES)
    known = question.language in _LANGUAGES or question.language == UNKNOWN
    return plain and asks and known and not _OPEN.search(text)


def passing(
    evidence: Evidence, near: float, logits: Mapping[int, float], gate: Mask, long: Collection[int]
) -> Mask:
    """Which rows are handed over: of those that were judged, by `seq`, the ones there is enough for.

    Of the others those of `gate`. Where nothing that was judged is enough, only what could not be: it is
    too long, as those of `long`, or has no vector yet. `near` is what `gate_for` says, above 0.
    """
    total = signs(evidence, near, logits) @ np.array(list(WEIGHTS.values()), np.float32)
    return settled(total >= NEEDED, gate, unread(evidence, total, logits, long))


def unread(
    evidence: Evidence, total: Floats, logits: Mapping[int, float], long: Collection[int]
) -> tuple[Mask, Mask]:
    """Which rows were not weighed, and which of them could not be."""
    left: Mask = np.isnan(total)
    return left, left & np.isin(evidence.seqs, [*logits, *long])


def settled(enough: Mask, gate: Mask, left: tuple[Mask, Mask]) -> Mask:
    """What is handed over, of what there is enough for and of what `unread` says."""
    which: Mask = np.where(left[0], gate & (left[1] | enough.any()), enough)
    return which


def signs(evidence: Evidence, near: float, logits: Mapping[int, float]) -> Floats:
    """A line a candidate, a column a name of WEIGHTS; NaN somewhere where it was not judged."""
    logit = np.array([logits.get(int(seq), np.nan) for seq in evidence.seqs], np.float32)
    columns = {
        "own": evidence.own / near,
        "shares": evidence.shares,
        "lead": lead(evidence, near) / near,
        "apart": evidence.apart,
        "score": evidence.score / max(1e-6, float(evidence.score.max(initial=0.0))),
        "logit": np.clip(logit, LEAST, MOST),
    }
    table: Floats = np.stack([columns[name] for name in WEIGHTS], 1).astype(np.float32)
    return table
