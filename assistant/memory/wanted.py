"""What kind of answer a question wants, and whether a text can hold one: a time, a number, a name, a wife.

A row about the right person that lacks what is asked for is near in every vector; its words show
that it cannot be the answer. Only what is plain is refused: a question or a text of a language
without rules here, and a question that no rule knows, lets every row through. English and French.
"""

from __future__ import annotations

import re
from typing import Final

from assistant.memory.kin import KIN
from assistant.memory.kinds import NUMBERS, RULES, Test, proper
from assistant.memory.language import UNKNOWN, detect

_LANGUAGES: Final = frozenset({"en", "fr", UNKNOWN})
_SEVERAL = re.compile(r"[,;:.!?]\s+\w|\b(?:and|or|et|ou|but|mais)\b", re.I)
"""In what is no single plain question; of that only some part may be asked of any one text."""
_WORDS = 16
"""Of a plain question, at most."""
_LONG = 400
"""Characters; in more, whatever is asked for has its words somewhere, and reading them takes milliseconds."""
_FOREIGN = re.compile(r"[^\W\d_a-zA-ZàâæçéèêëîïôœùûüÿÀÂÆÇÉÈÊËÎÏÔŒÙÛÜŸ]")
"""A letter of other languages: a short text may be in one that was not recognised."""

_ABOUT: Final = {
    name: re.compile(rf"\b(?:{cues})", re.I)
    for name, cues in {
        "home": r"lives? (?:in|at|near|above|on)\b|moved (?:in)?to\b|new place of\b|resides\b|habite\b",
        "birth": r"born\b|birthday\b|turns (?:another|\d)|celebrates on\b|née? (?:à|en|le)\b|anniversaire\b",
        "phone": r"(?:reached|called) at\b|call \w+ (?:on|at) \d|phone number\b",
        "children": rf"(?:father|mother|parent) of\b|has (?:{NUMBERS}|an?) (?:\w+ )?(?:sons?|daughters?|boys|girls|child|children|kids)\b",
        "partner": r"married to\b|got (?:married|engaged)\b|together with\b|going out with\b",
        "health": r"suffers? from\b|doctors found\b|allergic\b|rash\b|ambulance\b|arthritis\b",
        "job": r"works? (?:as|at|for|in)\b|(?:earns|for) an? living\b|these days\b|job\b|profession\b|travaille\b",
        "music": r"plays? the (?!lottery)|lessons\b",
        "food": r"tastes?\b|orders\b|eats?\b|drinks?\b|beats\b|stand\b",
        "gift": r"for christmas\b|present\b|wishes\b",
        "travel": r"off to\b|holidays?\b|travels?\b",
        "language": r"speaks?\b|learn(?:ed|s|ing)\b|talks?\b",
        "car": r"drives?\b|(?:second-hand|car)\b",
        "study": r"stud(?:y|ied|ies)\b|reads law\b|degree\b",
    }.items()
}
"""What a plain sentence is about, where its words say so."""
_ALSO: Final = {"health": ("food",), "car": ("job",), "music": ("job",), "job": ("study",)}
"""What a sentence about one of these may tell as well: an allergy what not to eat, driving a trade."""
_ASKS: Final = tuple(
    (re.compile(asked, re.I), name)
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

_FAMILY = frozenset({
    "sister", "brother", "mother", "father", "wife", "husband", "partner", "daughter", "son", "child",
    "grandmother", "grandfather", "aunt", "uncle", "cousin", "niece", "nephew",
})  # fmt: skip
_SAME = (
    frozenset({"wife", "husband", "partner"}),
    frozenset({"daughter", "child"}),
    frozenset({"son", "child"}),
)
_MINE = re.compile(r"(?:I|My|Je|J['’]|Mon|Ma)\b")


class Wanted:
    """What one question wants."""

    def __init__(self, question: str, language: str) -> None:
        question = " ".join(question.replace("’", "'").split())
        plain = len(question.split()) <= _WORDS and _SEVERAL.search(question) is None
        tests = [test for asked, test in RULES if asked.search(question)]
        tests += [test for make in (_elsewhere, _of_others) if (test := make(question))]
        self._tests = tuple(tests) if plain and language in _LANGUAGES else ()
        self._asked = frozenset(map(_plain, question.split()))

    def __bool__(self) -> bool:
        """Whether any rule knows the question."""
        return bool(self._tests)

    def allows(self, text: str) -> bool:
        """Whether a text can hold the answer, as far as rules can tell."""
        if not self._tests or len(text) > _LONG:
            return True
        if detect(text) not in _LANGUAGES or _FOREIGN.search(text):
            return True
        text = text.replace("’", "'")
        fresh = " ".join(word for word in text.split() if _plain(word) not in self._asked)
        return all(test(text, fresh) for test in self._tests)


def _elsewhere(question: str) -> Test | None:
    """Refuses a plain sentence that is about other things only."""
    asked = {name for rule, name in _ASKS if rule.search(question)}
    if not asked:
        return None

    def test(text: str, _fresh: str) -> bool:
        if _CLAUSES.search(text.strip(" .,")):
            return True
        told = {name for name, rule in _ABOUT.items() if rule.search(text)}
        close = told.union(*(_ALSO.get(name, ()) for name in told))
        return not told or bool(close & asked)

    return test


def _of_others(question: str) -> Test | None:
    """Refuses what is told of other relatives than the question's, or of nobody but me."""
    asked = _kin(question)
    if not asked:
        return None

    def test(text: str, fresh: str) -> bool:
        if told := _kin(text):
            return bool(told & asked)
        return _MINE.match(text) is None or proper(text, fresh)

    return test


def _kin(text: str) -> set[str]:
    words = re.findall(r"[\w-]+", text.casefold())
    # German "Kind" is a child, but "what kind of" is English.
    found = {KIN[word] for word in words if word in KIN and word != "kind"} & _FAMILY
    for some in _SAME:
        found |= some if found & some else set()
    return found


def _plain(word: str) -> str:
    return re.sub(r"['’]s$", "", word.strip('.,;:!?"()').casefold())
