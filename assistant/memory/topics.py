"""What a plain sentence about somebody is about, where its words say so, and what a question asks about.

"Beatrix is going out with Anselm" cannot say what her job is. A sentence of several clauses is left
alone, and so is one whose words name no topic.
"""

from __future__ import annotations

import re
from typing import Final

from assistant.memory.holds import NUMBERS

_TOLD: Final = {
    name: re.compile(rf"\b(?:{cues})")
    for name, cues in {
        "home": r"lives? (?:in|at|near|above)\b|moved into\b|new place of\b|resides\b|habite\b",
        "move": r"moved to\b",
        "origin": r"raised (?:in|at)\b|grew up in\b|childhood in\b|comes from\b",
        "place": r"(?:sleeps|lies|is kept|are kept|bed of .* is) (?:in|on|at|behind|under)\b",
        "team": r"roots for\b",
        "being": r"(?:is|was) an? (?:[\w-]+ )?[\w-]+(?: these days| now)?\W*$",
        "birth": r"born (?:on|in)\b|birthday\b|turns (?:another|\d)|celebrates on\b|née? (?:à|en|le)\b|anniversaire\b",
        "phone": r"(?:reached|called) at\b|call \w+ (?:on|at) \d|phone number\b",
        "children": rf"(?:father|mother|parent) of\b|has (?:{NUMBERS}|an?) (?:\w+ )?(?:sons?|daughters?|boys|girls|child|children|kids)\b",
        "partner": r"married to\b|got (?:married|engaged)\b|(?:are|is|been) together with\b|going out with\b",
        "health": r"suffers? from\b|doctors found\b|allergic\b|rash\b|arthritis\b",
        "job": r"works? (?:as|at|for|in)\b|(?:earns|for) an? living\b|job\b|profession\b|travaille\b",
        "music": r"plays? the (?!lottery)|(?:piano|guitar|violin|viola|cello|flute|clarinet|accordion|trumpet|drums?|singing|harp|sax\w*) lessons\b",
        "food": r"tastes?\b|orders\b|eats?\b|drinks?\b|can['’]?t stand the\b|beats\b",
        "gift": r"for christmas\b|present\b|wishes\b",
        "travel": r"off to\b|holidays?\b|travels?\b",
        "car": r"drives?\b|second-hand\b",
        "study": r"stud(?:y|ied|ies)\b|reads law\b|degree\b",
    }.items()
}
_TOLD_NAMED: Final = {
    "team": re.compile(r"\bsupports [A-Z]"),
    "language": re.compile(
        r"\b(?:speaks?(?: fluent| good| some| only| no| a little| a bit of)?|learn(?:ed|s|ing)) [A-Z]"
    ),
}
"""The same, with a name behind it."""
_ALSO: Final = {
    "health": ("food",),
    "food": ("health",),
    "car": ("job",),
    "music": ("job",),
    "job": ("study", "language"),
    "study": ("job", "language"),
    "language": ("study",),
    "move": ("home", "study", "job", "travel"),
    "origin": ("home", "language"),
    "being": ("job", "music", "study", "health", "food"),
}
"""What a sentence about one of these may tell as well: an allergy what not to eat, driving a trade."""
_ASKED: Final = tuple(
    (re.compile(asked), name)
    for asked, name in (
        (r"\b(?:job|profession|occupation|métier)\b|\bdo for (?:a living|work)\b", "job"),
        (r"\binstrument\b", "music"),
        (r"^(?:what|which) .*\b(?:car|vehicle)\b|^what does .* drive\b", "car"),
        (r"\b(?:languages?|tongue)\b", "language"),
        (r"^what .*\b(?:give|gift|wish for)\b", "gift"),
        (r"^(?:what|which) .*\b(?:eat|food|meal|drink|cook for|serve)\b", "food"),
        (r"\btravel(?:ling)?\b", "travel"),
        (r"\bdegree\b|^what .*\bstud(?:y|ied|ying)\b", "study"),
        (r"\b(?:health|illness|disease)\b", "health"),
        (r"\bring\b|\bphone\b", "phone"),
    )
)
_CLAUSES = re.compile(r",| and | but | et | mais ")
_BESIDES = re.compile(r", (?:my|our|his|her|the|mon|ma|notre|le|la) [^,]+,")
"""What somebody is called besides: "Marko, my older brother, drives"."""


def asked_about(question: str) -> frozenset[str]:
    """The topics that a question names."""
    return frozenset(name for rule, name in _ASKED if rule.search(question.lower()))


def elsewhere(text: str, asked: frozenset[str]) -> bool:
    """Whether a text is about other topics only."""
    if _CLAUSES.search(_BESIDES.sub("", text).strip(" .,")):
        return False
    lower = text.lower()
    told = {name for name, rule in _TOLD.items() if rule.search(lower)}
    told |= {name for name, rule in _TOLD_NAMED.items() if rule.search(text)}
    close = told.union(*(_ALSO.get(name, ()) for name in told))
    return bool(told) and not close & asked
