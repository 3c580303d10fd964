"""Pure: which fact a question or a phrase is about: whose, and what of it."""

from __future__ import annotations

import re

import msgspec

from assistant.memory import claims
from assistant.memory.attributes import NOUNS
from assistant.memory.claims import ME, Who
from assistant.memory.kin import POSSESSIVES
from assistant.memory.words import words_in

_VERBS: tuple[tuple[str, str], ...] = (
    ("home", r"\b(?:live|lives|lived|living|reside|habit\w*|viv(?:ais|ait|re|ons)|vis|vit|logeais|wohn\w*)\b"),
    ("employer", r"\b(?:work|works|worked|working|employed|travaill\w*|boss(?:ais|ait))\b(?!.*\b(?:as|comme)\b)"),
    ("job", r"\b(?:do for a living|work\w* as|travaill\w* comme)\b"),
    ("dislikes", r"\b(?:hate|hated|dislike|disliked|détest\w*)\b"),
    ("likes", r"\b(?:like|liked|love|loved|enjoy|enjoyed|aim(?:e|ais|ait|er)|adorais|adorait)\b"),
    ("diet", r"\b(?:eat|diet|vegetarian|vegan|végétarien\w*|régime)\b"),
    ("speaks", r"\b(?:speak|spoke|parl(?:e|ais|ait|er))\b"),
    ("car", r"\b(?:drive|drove|conduis\w*)\b"),
    ("name", r"\b(?:am i called|my name|m'appell\w*)\b"),
    ("age", r"\b(?:how old|quel âge)\b"),
    ("allergy", r"\b(?:allerg\w*)\b"),
)  # fmt: skip
_COMPILED = tuple((name, re.compile(rule, re.I)) for name, rule in _VERBS)
_NOUNS = sorted(NOUNS, key=len, reverse=True)
_FAVOURITE = re.compile(r"\b(favou?rite \w+|\w+ préférée?)\b", re.I)
_OLD = re.compile(r"\b(?:old|previous|former|ancien(?:ne)?s?)\s+", re.I)
_MY = frozenset("i my me mine we our je j moi mon ma mes nous notre nos".split())


class Asked(msgspec.Struct, frozen=True):
    """What a phrase is about."""

    who: Who | None
    """None: nobody that the phrase names by itself."""
    attribute: str | None


def read(text: str) -> Asked:
    """Whose what: `where does my sister live` is (my sister, home)."""
    plain = _OLD.sub("", text.replace("’", "'")).strip(" ?!.")
    return Asked(_who(plain), _attribute(plain))


def _attribute(text: str) -> str | None:
    lowered = text.casefold()
    if favourite := _FAVOURITE.search(lowered):
        return favourite.group(1)
    for name, rule in _COMPILED:
        if rule.search(lowered):
            return name
    for noun in _NOUNS:
        if re.search(rf"\b{re.escape(noun)}\b", lowered):
            return NOUNS[noun]
    return None


def _who(text: str) -> Who | None:
    words = text.split()
    for at in range(len(words)):
        if words[at].casefold() in POSSESSIVES:
            for end in (at + 2, at + 3):
                phrase = " ".join(words[at:end]).split("'s")[0]
                found = claims.who(phrase)
                if found is not None and found.role:
                    return found
    if set(words_in(text)) & _MY:
        return ME
    for word in words[1:] if len(words) > 1 else words:
        bare = word.split("'s")[0].strip("?,.!")
        if bare[:1].isupper() and (found := claims.who(bare)) is not None and found.name:
            return found
    return claims.who(text) if len(words) <= 3 else None
