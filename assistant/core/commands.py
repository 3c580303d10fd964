"""Pure: the few things said to the memory itself, in English and French, told from all other talk.

Each rule is anchored at the beginning; what it does not know for certain is left to the model.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

CHARS = 600
"""Longer texts are no commands."""

Language = Literal["en", "fr"]


class Command(msgspec.Struct, frozen=True):
    """What is wanted."""

    verb: Literal["remember", "forget", "correct", "about", "past", "undo", "choose"]
    text: str = ""
    """What it is about, in the user's words; of `correct` the new value, of `choose` the answer."""
    language: Language = "en"


class Choice(msgspec.Struct, frozen=True):
    """An answer to "which of these?"."""

    all: bool = False
    numbers: tuple[int, ...] = ()

    @property
    def nothing(self) -> bool:
        """None of them."""
        return not (self.all or self.numbers)


_PLEASE = r"^(?:(?:hey |hi |ok |okay )?nestor[,:!]?\s+)?(?:please[,\s]+|can you |could you |s'il te plaît[,\s]+|peux-tu )?"
_RULES: tuple[tuple[str, Language, str], ...] = (
    ("past", "en", r"(?P<t>(?:what|where|who|which|how) (?:.*\bdid .+ use to\b|.*\b(?:i|we|my .+|our .+) used to\b).*|(?:what|where|who|which) (?:did|was|were) .*\b(?:before|previously|formerly|in the past)|what (?:was|were) (?:my|our|\w+(?: \w+)?'s) (?:old|previous|former) .+)\?*$"),
    ("past", "fr", r"(?P<t>(?:où|qui|que|qu'est-ce que|quel(?:le)?s?|comment|chez qui|de quoi) .*\b(?:avant|autrefois|auparavant)|quel(?:le)?s? (?:était|étaient) (?:mon|ma|mes|notre|l') ?anci?en(?:ne)?s? .+)\s*\?*$"),
    ("about", "en", r"(?:tell me )?(?:what (?:do|did) you (?:know|remember|have)|what you (?:know|remember)|everything you know|what have you (?:stored|remembered|saved)) (?:about|on) (?P<t>.+?)\s*\?*$"),
    ("about", "fr", r"(?:dis-moi |montre-moi )?(?:que sais-tu|qu'est-ce que tu sais|tu sais quoi|ce que tu sais|tout ce que tu sais|que te rappelles-tu|qu'as-tu retenu) (?:de |sur |d'|à propos de |au sujet de )(?P<t>.+?)\s*\?*$"),
    ("remember", "en", r"(?:remember|memorise|memorize|keep in mind|make a note|take a note|note|don'?t forget|never forget)(?: that |: ?| this: ?)(?P<t>.+)$"),
    ("remember", "en", r"remember[, ]+(?P<t>(?:i|we|my|our|the|(?-i:[A-Z][\w'-]+))\b .+)$"),
    ("remember", "fr", r"(?:souviens-toi|souvenez-vous|rappelle-toi|retiens(?: bien)?|note(?: bien)?|mémorise|n'oublie pas|garde en tête|sache)(?: que |, ?que | qu'|: ?| : ?| ça ?: ?)(?P<t>.+)$"),
    ("undo", "en", r"(?:undo|undo (?:that|this|it)|take (?:that|it) back|no,? undo(?: that)?)[.! ]*$"),
    ("undo", "fr", r"(?:annule|annule (?:ça|cela)|reviens en arrière|défais (?:ça|cela))[.! ]*$"),
    ("forget", "en", r"(?:forget|delete|erase)(?: (?:about|the (?:fact|memory|note)(?: about| that)?|what you know about|everything(?: you know)? about|that|all about))? (?P<t>.+?)[.! ]*$"),
    ("forget", "fr", r"(?:oublie|efface|supprime)(?: (?:que|le (?:fait que|souvenir (?:de|sur))|ce que tu sais (?:de|sur)|tout ce que tu sais (?:de|sur)|tout sur)|z)? (?P<t>.+?)[.! ]*$"),
    ("forget", "fr", r"oublie qu'(?P<t>.+?)[.! ]*$"),
    ("correct", "en", r"(?:no|nope|wrong|actually|that's wrong)[,.!:;]* *(?:actually[, ]+)?(?:it's|it is|that's|that is|they are|it's now|it is now)(?: now)? (?P<t>(?!not\b|a lie|fine|ok|okay|all|good|great|nothing|enough|true|false|wrong|right|what|because|just|only|too|so\b|about)[^?]{1,80})$"),
    ("correct", "fr", r"(?:non|faux|en fait|c'est faux)[,.!:;]* *(?:en fait[, ]+)?(?:c'est|ce n'est pas [^,]+, c'est)(?: maintenant| désormais)? (?P<t>(?!pas\b|bon|bien|tout|vrai|faux|ça|juste|parce|trop|rien|ce que)[^?]{1,80})$"),
)  # fmt: skip
_COMPILED = tuple(
    (verb, language, re.compile(_PLEASE + rule, re.I | re.S)) for verb, language, rule in _RULES
)
_STATED: tuple[tuple[Language, re.Pattern[str]], ...] = (
    ("en", re.compile(r"(?:no|nope|wrong|actually|that's wrong|you're wrong)[,.!:;]+ *(?:actually[, ]+)?(?P<t>[^?\n]{4,200})$", re.I)),
    ("fr", re.compile(r"(?:non|faux|en fait|c'est faux|tu te trompes)[,.!:;]+ *(?:en fait[, ]+)?(?P<t>[^?\n]{4,200})$", re.I)),
)  # fmt: skip
_IDIOMS = re.compile(r"(?:it|about it|that i asked|the (?:rest|above|last (?:message|question))|my (?:last )?(?:message|question)|me not|ça|cela|ce que j'ai dit)[.! ]*$", re.I)  # fmt: skip
_YES = frozenset("yes y yep yeah sure ok okay do oui ouais d'accord vas-y confirme confirm".split())
_ALL = frozenset("all both everything tout tous toutes deux".split())
_NO = frozenset("no n nope none cancel stop non aucun aucune annule rien laisse nothing".split())
_FILLER = frozenset(
    "please the it of them and et les le la numéro number numbers s'il te plaît , . !".split()
)


def parse(text: str) -> Command | None:
    """The command that a text is; None if it is for the model."""
    text = text.strip()
    if not text or len(text) > CHARS:
        return None
    plain = text.replace("’", "'")  # noqa: RUF001
    for verb, language, rule in _COMPILED:
        found = rule.match(plain)
        if found is None:
            continue
        about = (found.groupdict().get("t") or "").strip()
        if verb == "remember" and (about.endswith("?") or len(about) < 3):
            continue
        if verb == "forget" and _IDIOMS.match(about):
            continue
        return Command(verb, about, language)  # type: ignore[arg-type]
    return None


def stated(text: str) -> tuple[str, Language] | None:
    """The statement that a text sets against what was said: "no, Ana lives in Nice now"; None if none."""
    plain = text.strip().replace("’", "'")  # noqa: RUF001
    for language, rule in _STATED:
        if found := rule.match(plain):
            return found["t"].strip(), language
    return None


def choice(text: str) -> Choice | None:
    """The answer that a text is to a question with numbered candidates; None if it is none."""
    words = re.findall(r"[\w'-]+", text.casefold().replace("’", "'"))  # noqa: RUF001
    words = [word for word in words if word not in _FILLER]
    if not words or len(words) > 8:
        return None
    numbers = [int(word) for word in words if word.isdecimal() and len(word) < 3]
    rest = {word for word in words if not word.isdecimal()}
    if numbers and rest <= _YES:
        return Choice(numbers=tuple(dict.fromkeys(numbers)))
    if not numbers and rest and rest <= _NO:
        return Choice()
    if not numbers and rest and rest <= _YES | _ALL:
        return Choice(all=True)
    return None
