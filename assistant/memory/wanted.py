"""What kind of answer a question wants, and whether a text can hold one: a time, a number, a name, a wife.

A row about the right person that lacks what is asked for is near in every vector; its words show
that it cannot be the answer. Only what is plain is refused: a question or a text of a language
without rules here, and a question that no rule knows, lets every row through. English and French.
"""

from __future__ import annotations

import re
from typing import Final

from assistant.memory.kin import roles
from assistant.memory.kinds import RULES, Test, proper
from assistant.memory.language import UNKNOWN, detect, stop_words
from assistant.memory.topics import asked_about, elsewhere
from assistant.memory.words import words_in

_LANGUAGES: Final = frozenset({"en", "fr", UNKNOWN})
_SEVERAL = re.compile(r"[,;:.!?]\s+\w|\b(?:and|or|et|ou|but|mais)\b", re.I)
"""In what is no single plain question; of that only some part may be asked of any one text."""
_WORDS = 16
"""Of a plain question, at most."""
LONG = 400
"""Characters; in more, whatever is asked for has its words somewhere, and reading them takes milliseconds."""
_FOREIGN = re.compile(r"[^\W\d_a-zA-ZàâæçéèêëîïôœùûüÿÀÂÆÇÉÈÊËÎÏÔŒÙÛÜŸ]")
"""A letter of other languages: a short text may be in one that was not recognised."""

_FAMILY = frozenset({
    "sister", "brother", "mother", "father", "wife", "husband", "partner", "daughter", "son", "child",
    "grandmother", "grandfather", "aunt", "uncle", "cousin", "niece", "nephew",
})  # fmt: skip
_SAME = (
    frozenset({"wife", "husband", "partner"}),
    frozenset({"daughter", "child"}),
    frozenset({"son", "child"}),
)
_FOR_PEOPLE = re.compile(r"^(?:who|whom|whose|qui|à qui|avec qui|chez qui)\b", re.I)
"""Asked of one relative, and answered by another: who looks after my son? My mother."""
_SAYS = re.compile(
    r"\b(?:says?|said|tells?|told|thinks?|reckons|mention\w*|heard|dit|raconte|pense)\b", re.I
)
_THEIRS = re.compile(
    r"\b(?:he|him|his|she|hers?|they|them|their|il|elle|lui|son|sa|ses|leurs?)\b", re.I
)
_MINE = re.compile(r"(?:I|My|Je|J['’]|Mon|Ma)\b")


class Wanted:
    """What one question wants."""

    def __init__(self, question: str, language: str) -> None:
        question = " ".join(question.replace("’", "'").split())
        lower = question.lower()
        plain = len(question.split()) <= _WORDS and _SEVERAL.search(question) is None
        tests = [test for asked, test in RULES if asked.search(lower)]
        others = _of_others(question, stop_words(language))
        tests += [test for test in (_elsewhere(question), others) if test]
        self._tests = tuple(tests) if plain and language in _LANGUAGES else ()
        self._asked = frozenset(map(_plain, question.split()))

    def __bool__(self) -> bool:
        """Whether any rule knows the question."""
        return bool(self._tests)

    def allows(self, text: str) -> bool:
        """Whether a text can hold the answer, as far as rules can tell."""
        if not self._tests or len(text) > LONG:
            return True
        plain = text.replace("’", "'")
        fresh = " ".join(word for word in plain.split() if _plain(word) not in self._asked)
        if all(test(plain, fresh) for test in self._tests):
            return True
        return detect(text) not in _LANGUAGES or _FOREIGN.search(text) is not None


def _elsewhere(question: str) -> Test | None:
    """Refuses a plain sentence that is about other things only."""
    asked = asked_about(question)
    return (lambda text, _fresh: not elsewhere(text, asked)) if asked else None


def _of_others(question: str, stop: frozenset[str]) -> Test | None:
    """Refuses what is told of other relatives than the question's, or of nobody but me."""
    asked = _family(question, stop)
    if not asked or _FOR_PEOPLE.search(question):
        return None

    def test(text: str, fresh: str) -> bool:
        if not (told := _family(text, stop)):
            return _MINE.match(text) is None or bool(_THEIRS.search(text)) or proper(text, fresh)
        return bool(told & asked) or _SAYS.search(text) is not None

    return test


def _family(text: str, stop: frozenset[str]) -> set[str]:
    words = words_in(text)
    # German "Kind" is a child, but "what kind of" is English; French "son" is a son in English.
    other = stop | {"kind"}
    found = {role for at, role in roles(words).items() if words[at] not in other} & _FAMILY
    for some in _SAME:
        found |= some if found & some else set()
    return found


def _plain(word: str) -> str:
    return re.sub(r"['’]s$", "", word.strip('.,;:!?"()').casefold())
