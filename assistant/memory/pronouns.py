"""Pure: whom "she" and "he" may mean, and which words make it doubtful."""

from __future__ import annotations

import re

from assistant.memory.kin import KIN, POSSESSIVES
from assistant.memory.language import STOP_WORDS
from assistant.memory.sentences import SENTENCE
from assistant.memory.words import words_in

_KIN = "|".join(sorted(map(re.escape, KIN), key=len, reverse=True))
_SHE, _HE = frozenset("she elle sie ella lei ela".split()), frozenset("he il er lui ele".split())
PRONOUNS = _SHE | _HE
_WOMEN = frozenset("sister mother wife daughter grandmother aunt niece".split())
_MEN = frozenset("brother father husband son grandfather uncle nephew".split())
_FEMALE = re.compile(
    r"(?:a(?<!andrea)(?<!nikita)(?<!mika)(?<!sacha)(?<!sasha)|elle|ette|ine|ise|lie|anne|enne|ène|ée)$|^(?:alice|amy|ann|beth|carol|chloe|chloé|claire|emily|grace|helen|"
    r"ingrid|jane|kate|lucy|margaret|mary|rachel|ruth|sarah|susan|zoe|zoé|agnès|inès|iris|manon|carmen|pilar)$"
)
_MALE = frozenset(
    """adam alan andrew anton antoine arthur ben bob bruno carlos dan daniel david denis edward
    eric étienne felix frank fred gabriel george guillaume hans harry henri henry hugo ian ivan jack jacques james jan
    joe john jonas joshua josé juan jules julien karl kevin leo léo louis luca lucas luis luke marc mark marko martin
    matt max michael michel mike miguel nick nicolas noah noé olivier oscar otto pablo paul pedro peter
    philip philippe pierre rené richard robert samuel sean simon stefan stephen steve theo théo thomas
    tim tobias tom tomás tony victor vincent william yann yves attila elia ezra""".split()
)
"""As far as the commonest names tell; in doubt either may be meant."""
FIRST = re.compile(rf"(?:{'|'.join(sorted(PRONOUNS))})\s+", re.I)
"""A pronoun at the beginning."""
NO_NAMES = frozenset().union(*STOP_WORDS.values()) | frozenset(POSSESSIVES) | frozenset(
    """this that there here what who please remember note today tomorrow yesterday everyone everybody somebody
    someone nobody people nothing something it they you everything cela ceci tout personne ahora hoy ya
    adesso agora hoje jetzt heute finally actually currently recently maybe perhaps clearly sometimes
    usually never neither either only even also new hello thanks thank well work home""".split()
)  # fmt: skip
"""Words with a capital that begin a sentence, and are no name."""
_OTHERS = re.compile(
    r"(?<=[\w,'’)] )(?<!\bin )(?<!\bat )(?<!\bnear )(?<!\ben )(?<!\bà )(?<!move to )(?<!moved to )(?<!go to )"
    r"(?<!went to )(?<!for )(?<!chez )(?!I\b)[A-ZÀ-ÖØ-Þ]\w+|"
    r"^\W*(?!I\b)[A-ZÀ-ÖØ-Þ]\w+(?=(?:['’]s|,)? (?:\w+ed|is|was|has|had|and|lives?|works?|came|went|just|est|a|était|et|vit|habite|travaille)\b)"
)
"""Words with a capital that may be somebody's name: within a sentence, and first where a verb follows."""
_ROLES = re.compile(
    rf"\b(?:{_KIN}|wom[ae]n|m[ae]n|guy|girl|boy|lady|person|somebody|someone|client|customer|teacher|homme|fille|"
    r"garçon|type|gars|dame|monsieur|quelqu'un|cliente?|personne)\b",
    re.I,
)
"""Somebody who is not named."""
_OF_THEIRS = re.compile(rf"['’]s (?:\w+ )?(?:{_KIN})\b|\b(?:{_KIN}) (?:of|de|d['’])", re.I)


def may_be(role: str, name: str, pronoun: str) -> bool:
    """Whether "she" or "he" may mean somebody: a sister is no "he", and Ana hardly is."""
    first = name.casefold().split()[0] if name else ""
    if pronoun.casefold() in _SHE:
        return role not in _MEN and (role in _WOMEN or first not in _MALE)
    return role not in _WOMEN and (role in _MEN or first in _MALE or not _FEMALE.search(first))


def may_mean(role: str, name: str, pronoun: str, text: str) -> bool:
    """As `may_be`, in a text that speaks of nobody else."""
    return may_be(role, name, pronoun) and not speaks_of_another(text, name, name)


def names_another(text: str, shown: str) -> bool:
    """Whether a text names somebody besides, or the same name with another after it: "Tom Cruise"."""
    if _OF_THEIRS.search(text):
        return True
    named = (
        one for sentence in SENTENCE.findall(text) for one in _OTHERS.findall(sentence.strip())
    )
    known = set(words_in(shown)) | NO_NAMES
    return any(not set(words_in(one)) <= known for one in named)


def speaks_of_another(text: str, shown: str, name: str) -> bool:
    """As `names_another`, or it speaks of a woman, a colleague and the like without naming this one."""
    if names_another(text, shown):
        return True
    return bool(_ROLES.search(text)) and not set(words_in(name)) <= set(words_in(text))
