"""Pure: what is said of somebody in a few words, read by `rules` and put into plain sentences again.

Each rule is anchored at both ends: what it does not read whole, it does not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from assistant.memory.attributes import ATTRIBUTES, FUNCTIONAL, NEW, attribute
from assistant.memory.kin import KIN, POSSESSIVES
from assistant.memory.rules import ADV, AVANT, RULES
from assistant.memory.values import MONTHS, NO_VALUE, NUMBERED, VALUE_WORDS, fits, said_of

_NAMED = frozenset(KIN.values()) | frozenset(
    "home employer birthplace origin name school car".split()
)


class Match(msgspec.Struct, frozen=True):
    """What was read."""

    attribute: str
    value: str
    negated: bool = False
    canonical: bool = False
    """The words said tell how it changed, or only part of it: `render` says what holds now."""
    noun: str = ""
    """The noun that was said, where the attribute has another name."""
    language: str = "en"
    link: str = ""
    """The preposition that the value stands with."""
    also: tuple[str, ...] = ()
    """What else may be denied by the same words: who leaves a place may live or work there."""


VERBS = frozenset(
    "is are am was were has have had will can does do did est sont suis a ai ont était aime adore".split()
)
_END = re.compile(
    r"[\s,]*\b(?:now|these days|nowadays|at the moment|right now|currently|instead|again|too|as well|by the way|"
    r"thanks|thank you|merci|danke|gracias|"
    r"actually|for good|pour de bon|définitivement|today|yesterday|recently|already|since .+|because .+|last (?:week|month|year|\w+day|spring|summer|autumn|winter)|"
    r"this (?:week|month|year|morning)|(?:a|two|three|\d+) (?:days?|weeks?|months?|years?) ago|"
    r"maintenant|désormais|aujourd'hui|hier|depuis .+|parce que .+|en ce moment|actuellement|"
    r"(?:la semaine|le mois|l'an|l'année) derni(?:er|ère)|il y a .+|du coup|finalement|"
    r"(?:el año|la semana|el mes) pasad[oa]|l'anno scorso|la settimana scorsa|(?:letztes|letzte|letzten) (?:jahr|woche|monat)|"
    r"o ano passado|jetzt|ahora|adesso|ora|agora)$",
    re.I,
)
_PLACE_END = re.compile(
    r"[\s,]+(?:(?:with|near|for|as|at|next to|comme|avec|dans|chez|près de|close to|from now|on|mit|con|com) .+|"
    r"together|alone|ensemble|seule?|by (?:myself|ourselves)|proper|"
    rf"(?:in|en|last|this) (?:early |late |mid-?)?{MONTHS})$",
    re.I,
)
_HOW_ONE_WORKS = re.compile(
    r"(?<=\w) (?:(?:in|à|en|au) (?:the )?[A-ZÀ-Þ].*|remotely|full[- ]time|part[- ]time|from home|à (?:plein|mi-)\W?temps)$"
)
_OTHER_TIMES = re.compile(
    rf"\b(?:(?:in|en|around|vers) (?:early |late |{MONTHS} )?(?:19|20)\d\d|when(?:ever)?|while|as an? (?:child|kid|boy|girl|"
    r"teen\w*|student|baby)(?! \w)|during|until|till|before|once|quand|lorsque|pendant|jusqu\w*|avant|als (?:ich|kind)|cuando|"
    rf"from (?:next|this|monday|tuesday|wednesday|thursday|friday|saturday|sunday|{MONTHS})|starting|as of|"
    r"next (?:week|month|year|\w+day|spring|summer|autumn|winter)|tomorrow|soon|for now|à partir d\w*|dès|demain|"
    r"bientôt|(?:la semaine|le mois|l'an|l'année) prochaine?|"
    r"for (?:the|an?|two|three|four|\d+|some|several) (?:\w+ )?(?:days?|weeks?|weekend|months?|years?|summer|winter|spring|autumn|"
    r"fall|holidays?|semester|season|while)|pour (?:l'|les? |la |une? |\w+ )(?:\w+ )?(?:jours?|semaines?|mois|ans?|année|été|"
    r"hiver|vacances|week-end)|temporarily|temporairement|in the (?:(?:19|20)?\d0s|'\d0s|\w+ties)|"
    r"dans les années|at (?:the age of )?\d+|aged \w+|in my (?:teens|youth|childhood|\w+ties)|part of|half (?:the|of))\b",
    re.I,
)
"""With these words a state of today is not what is told."""
_YEARS_AGO = re.compile(r"\b(?:years? ago|il y a (?:\S+ )?ans)\b", re.I)
"""What began so may be over; what ended so has ended."""
_STATES = frozenset("home employer job status activity pregnancy car diet school".split())
_LEAVING = re.compile(
    r"\b(?:this (?:morning|afternoon|evening)|today|tonight|hours? ago|minutes? ago|early|late|at \d.*|"
    r"by (?:train|car|plane|bus)|for (?:the|a|an|two|\d+|lunch) .*|ce (?:matin|soir)|aujourd'hui|tôt|tard|pour (?:le|la|les|un|une|\d+) .*)$",
    re.I,
)
"""So one leaves a place for a while."""
_ANY_MORE = re.compile(r"[\s,]*\b(?:any ?more|any longer|no more|no longer)$", re.I)
_MINE = "|".join(sorted(map(re.escape, POSSESSIVES), key=len, reverse=True))
_IS = (
    r"(?:(?:is|are|est|sont|ist|es|è|é)(?: (?P<neg>not|no longer|pas|plus|nicht(?: mehr)?))?|"
    r"n(?:'est|e sont) (?P<neg2>pas|plus)|(?P<neg3>(?:ya )?no es|non è|(?:já )?não é)|(?:has )?changed to)"
)
_OWNED = (
    re.compile(rf"(?P<h>.{{2,40}}?)'s (?P<n>.{{2,40}}?) {_IS} {ADV}(?P<v>.+)", re.I),
    re.compile(
        rf"(?P<h>)(?:(?:il|la|o|a) )?(?:{_MINE}) (?P<n>.{{2,40}}?) {_IS} (?:{ADV}{AVANT})(?P<v>.+)",
        re.I,
    ),
    re.compile(rf"(?P<h>)the (?P<n>.{{2,40}}?) {_IS} {ADV}(?P<v>.+)", re.I),
    re.compile(
        rf"(?:le |la |l')(?P<n>.{{2,40}}?) (?:de |d')(?P<h>.{{2,30}}?) {_IS} {AVANT}(?P<v>.+)", re.I
    ),
    re.compile(rf"(?:le |la |l')(?P<n>.{{2,40}}?) {_IS} {AVANT}(?P<h>)(?P<v>.+)", re.I),
)
_BARE = frozenset({2, 4})
"""Of these, the ones that say of nobody that it is theirs."""
_KIN_WORDS = "|".join(sorted(map(re.escape, KIN), key=len, reverse=True))
_KINSHIP = re.compile(
    rf"(?P<n>.{{2,40}}?) {_IS} (?:now |maintenant )?(?:{_MINE}) (?:(?:{'|'.join(sorted(NEW))}) )?(?P<k>{_KIN_WORDS})",
    re.I,
)
_NAMING = re.compile(
    r"(?:(?:is|are) (?:called|named)|s'appelle(?:nt)?|heißt|se llama|si chiama|se chama|"
    r"(?:(?P<de>ist)|is|est)(?: now| maintenant| jetzt)?) (?P<v>.+)",
    re.I,
)


class Owned(msgspec.Struct, frozen=True):
    """`my phone number is 5`: whose, what, its value."""

    holder: str
    noun: str
    value: str
    negated: bool = False
    bare: bool = False
    """Only `the phone number is 5`."""


def match(rest: str, *, small: bool = False) -> Match | None:
    """What the words after a subject say; None where no rule reads all of them.

    `small`: whoever wrote them uses no capitals.
    """
    whole = rest.strip(" .!,")
    rest, any_more = _tail(whole)
    if len(rest.split()) > VALUE_WORDS + 6:
        return None
    for language, names, change, rule in RULES:
        found = rule.fullmatch(rest)
        if found is None:
            continue
        name, *also = names.split()
        if also and _LEAVING.search(whole):
            return None
        groups = found.groupdict()
        value = groups.get("v") or groups.get("w") or ""
        negated = bool(groups.get("neg") or groups.get("neg2"))
        if groups.get("not"):
            # "I don't like tea" is a dislike; "... any more" only ends the liking.
            name, negated = ("likes", True) if any_more else ("dislikes", False)
        elif any_more and not negated:
            return None
        if name in _STATES and (
            _OTHER_TIMES.search(whole) or (not negated and _YEARS_AGO.search(whole))
        ):
            return None
        kept = _value(name, value)
        if kept is None:
            return None
        if not (negated or fits(name, kept, small=small)):
            continue
        also = also if kept == value else []
        return Match(
            name,
            kept,
            negated,
            change,
            language=language,
            link=groups.get("link") or "",
            also=(*also,),
        )
    return None


def plausible(name: str, value: str) -> bool:
    """Whether a few words can be the value of such a fact: a place has a capital, a number digits."""
    words = value.split()
    if not words or len(words) > VALUE_WORDS or not fits(name, value):
        return False
    if name in _NAMED:
        return len(words) <= 4 and (value[0].isupper() or value[0].lower() == value[0].upper())
    return len(words) <= 4 or name in NUMBERED


def trim(value: str) -> str:
    """A value without time words and signs around it."""
    return _tail(value.strip(" .,!:;\"'"))[0]


def owned(part: str) -> Iterator[Owned]:
    """`my phone number is 5` → ("", "phone number", "5"); `Ana's email is x` → ("Ana", "email", "x")."""
    plain, _ = _tail(part)
    for at, rule in enumerate(_OWNED):
        if found := rule.fullmatch(plain):
            noun, value = found["n"].strip(), found["v"].strip(" .!")
            value = re.sub(
                r"^(?:in|à|en) " if noun.casefold() == "home" else r"^on (?=.*\d)", "", value
            )
            yield Owned(found["h"].strip(), noun, value, _negated(found), at in _BARE)


def ownable(name: str, said: Owned, *, small: bool = False) -> bool:
    """Whether "the noun of somebody is value" is a fact rather than an opinion, or a remark on the thing."""
    if name in KIN.values() or len(said.value.split()) > VALUE_WORDS:
        return False
    listed = name in ATTRIBUTES
    favourite = re.match(r"favou?rite |.+ préférée?$", said.noun, re.I)
    if not (listed or favourite or FUNCTIONAL.search(said.noun.casefold())):
        return False
    # "The password is wrong", "the name is odd": nothing says that it is the speaker's.
    return not (said.bare and listed) and said_of(name, said.value, small=small)


def kinship(part: str) -> tuple[str, str, bool] | None:
    """`Ana is my sister` → ("Ana", "sister", False); True where it is denied."""
    found = _KINSHIP.fullmatch(_tail(part)[0])
    return (found["n"], found["k"], _negated(found)) if found else None


def _negated(found: re.Match[str]) -> bool:
    return any(found[group] for group in ("neg", "neg2", "neg3"))


_TITLE = re.compile(
    r"(?:le|la|the|der|die|el) (?:docteure?|doctor|professeure?|professor|doctora?) (?-i:(?=[A-ZÀ-Þ]))",
    re.I,
)


def naming(rest: str) -> tuple[str, bool] | None:
    """The name in what follows `my sister`: `is called Ana`, `s'appelle Ana`, `is Ana`.

    True where it may be a noun as well, as German ones have capitals too: `ist Ärztin`.
    """
    found = _NAMING.fullmatch(_tail(rest.strip(" .!"))[0])
    # "le docteur Besson" is called Besson; "Dr. Besson" stays as it is.
    return (_TITLE.sub("", found["v"].strip()), bool(found["de"])) if found else None


_INSTEAD = re.compile(
    r"(?P<it>(?:it(?:'s| is)|that(?:'s| is)|c'est|es ist|sondern) )?(?:now |maintenant )?"
    r"(?:(?P<link>in|at|à|en|au|aux|chez) |le )?(?P<v>\S.*)",
    re.I,
)


def instead(denied: Match, part: str, *, small: bool = False) -> Match | None:
    """What holds, after what does not: `my number isn't 5, it's 6`, `I don't live in Lyon but in Nice`."""
    found = _INSTEAD.fullmatch(_tail(part)[0])
    name = denied.attribute
    if not denied.negated or found is None or not attribute(name).single:
        return None
    certain = found["it"] or found["link"] or name in NUMBERED or name == "email"
    if not certain or not (
        plausible(name, found["v"]) or (small and fits(name, found["v"], small=True))
    ):
        return None
    return Match(
        name,
        found["v"],
        canonical=True,
        noun=denied.noun,
        language=denied.language,
        link=found["link"] or "",
    )


def lists(name: str, part: str) -> bool:
    """Whether a short part after such a claim is one more value: `tea and coffee`."""
    words = part.split()
    return (
        not attribute(name).single
        and name in {"likes", "dislikes", "speaks", "allergy", "hobby", "owns"}
        and len(words) <= 3
        and words[0].casefold() not in VERBS
        and NO_VALUE.match(part) is None
    )


def render(subject: str, said: Match, *, me: bool) -> str:
    """A sentence that says it plainly, in the language it was said in."""
    if said.language == "fr":
        return _french(subject, said, me=me)
    verb = {"home": "live{} in", "employer": "work{} at", "job": "work{} as", "likes": "like{}",
            "dislikes": "dislike{}", "speaks": "speak{}"}.get(said.attribute)  # fmt: skip
    who = "I" if me else subject[:1].upper() + subject[1:]
    if verb:
        return f"{who} {verb.format('' if me else 's')} {said.value}"
    be = "am" if me else "is"
    if said.attribute in ("diet", "status", "age", "condition", "activity", "pregnancy"):
        return f"{who} {be} {said.value}"
    if said.attribute == "allergy":
        return f"{who} {be} allergic to {said.value}"
    noun = said.noun or said.attribute.replace("_", " ")
    return f"{'My' if me else who + chr(39) + 's'} {noun} is {said.value}"


def _french(subject: str, said: Match, *, me: bool) -> str:
    who = "Je" if me else subject[:1].upper() + subject[1:]
    if said.attribute == "home":
        return f"{'J' + chr(39) if me else who + ' '}habite {said.link or 'à'} {said.value}"
    if said.attribute == "employer":
        return f"{who} travaille {said.link or 'chez'} {said.value}"
    if said.attribute in ("likes", "dislikes"):
        if said.attribute == "dislikes":
            return f"{who} n'aime pas {said.value}"
        return f"{'J' + chr(39) if me else who + ' '}aime {said.value}"
    if said.attribute in ("diet", "status", "condition", "activity", "pregnancy"):
        return f"{who} {'suis' if me else 'est'} {said.value}"
    if said.attribute == "speaks":
        return f"{who} parle {said.value}"
    noun = said.noun or said.attribute.replace("_", " ")
    return f"{noun[:1].upper()}{noun[1:]}{'' if me else ' de ' + subject} : {said.value}"


def _tail(rest: str) -> tuple[str, bool]:
    """Without time words at the end; whether "any more" was among them."""
    any_more = False
    while True:
        shorter = _ANY_MORE.sub("", rest)
        any_more |= shorter != rest
        shorter = _END.sub("", shorter).strip(" ,")
        if shorter == rest:
            return rest, any_more
        rest = shorter


def _value(name: str, value: str) -> str | None:
    value = value.strip(" .,!:;\"'")
    if name in {"home", "employer", "birthplace", "origin"}:
        value = _PLACE_END.sub("", value)
        if name == "employer":
            value = _HOW_ONE_WORKS.sub("", value)
        if len(value.split()) > 5:
            return None
    if name == "car":
        value = re.sub(r"(?<=\w) (?:to|at|every|on|in|for|from|around|pour|à) .*$", "", value)
    if name == "job":
        value = re.sub(r"^(?:an?|the|un|une)\s+", "", value)
    if not value or len(value.split()) > VALUE_WORDS or NO_VALUE.match(value):
        return None
    return value
