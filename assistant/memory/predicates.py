"""Pure: what can be said of somebody, as rules for English and French, a few for their neighbours.

Each rule is anchored at both ends: what it does not read whole, it does not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from assistant.memory.attributes import ATTRIBUTES, FUNCTIONAL, attribute
from assistant.memory.kin import KIN, POSSESSIVES

VALUE_WORDS = 8


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


_ADV = r"(?:(?:now|currently|actually|just|recently|really|also|still|finally|already|always|officially)\s+)*"
_AVANT = r"(?:(?:maintenant|désormais|actuellement|vraiment|aussi|toujours|enfin|récemment|bien|beaucoup|finalement)\s+)*"
_BE, _HAVE = r"(?:am|are|is)", r"(?:(?:have|has)\s+)?"
_DIET = r"(?:vegetarian|vegan|pescatarian|pescetarian|flexitarian|coeliac|celiac|gluten-free|lactose intolerant)"
_REGIME = r"(?:végétarien(?:ne)?|végane?|vegane?|végétalien(?:ne)?|pescétarien(?:ne)?|flexitarien(?:ne)?|cœliaque)"
_STATUS = r"(?:single|married|divorced|engaged|widowed|retired|pregnant|unemployed)"
_STATUT = r"(?:célibataire|mariée?|divorcée?|fiancée?|veuf|veuve|retraitée?|enceinte)"
_IN = r"(?P<link>à|en|au|aux|dans|chez)"

# Language, attribute, whether the words tell a change, the rule. `neg` negates; `v` is the value.
_RULES: tuple[tuple[str, str, bool, str], ...] = (
    ("en", "home", False, rf"(?:(?P<neg>do not|does not|no longer)\s+)?{_ADV}(?:live|lives|reside|resides)\s+{_ADV}in (?P<v>.+)"),
    ("en", "home", False, rf"{_BE}\s+(?:(?P<neg>not|no longer)\s+)?{_ADV}(?:living|based) in (?P<v>.+)"),
    ("en", "home", True, rf"{_HAVE}{_ADV}(?:moved|relocated)\s+(?:house\s+|(?:back|over|away|out)\s+)?(?:from .+?\s+)?(?:back\s+)?to (?P<v>.+)"),
    ("en", "birthday", False, r"(?:was|were) born (?:on |in )(?P<v>(?:the )?.*\d.*)"),
    ("en", "birthplace", False, r"(?:was|were) born in (?P<v>\D+)"),
    ("en", "origin", False, rf"(?:come|comes|{_BE}) (?:originally )?from (?P<v>.+)"),
    ("en", "job", False, rf"(?:(?P<neg>do not|does not|no longer)\s+)?{_ADV}(?:work|works|{_BE} {_ADV}working)\s+{_ADV}as (?P<v>.+)"),
    ("en", "employer", False, rf"(?:(?P<neg>do not|does not|no longer)\s+)?{_ADV}(?:work|works|{_BE} {_ADV}working)\s+{_ADV}(?:at|for) (?P<v>.+)"),
    ("en", "employer", True, rf"{_HAVE}{_ADV}(?:joined|started (?:working )?at|started a (?:new )?job at|got a (?:new )?job (?:at|with)) (?P<v>.+)"),
    ("en", "employer", False, rf"{_HAVE}{_ADV}(?P<neg>left|quit|resigned from) (?:(?:my|her|his|the) job at )?(?-i:(?P<v>[^a-z].*))"),
    ("en", "diet", False, rf"{_BE} (?:(?P<neg>not|no longer)\s+)?{_ADV}(?:an? )?(?P<v>{_DIET})"),
    ("en", "diet", True, rf"{_HAVE}{_ADV}(?:became|become|turned|went|gone) (?:an? )?(?P<v>{_DIET})"),
    ("en", "status", False, rf"{_BE} (?:(?P<neg>not|no longer)\s+)?{_ADV}(?P<v>{_STATUS})(?: to .+)?"),
    ("en", "status", True, rf"{_HAVE}{_ADV}(?:got|gotten) (?P<v>{_STATUS})(?: to .+)?"),
    ("en", "allergy", False, rf"{_BE} (?:(?P<neg>not|no longer)\s+)?{_ADV}allergic to (?P<v>.+)"),
    ("en", "likes", False, rf"(?:(?P<neg>no longer)\s+)?{_ADV}(?:like|likes|love|loves|enjoy|enjoys|adore(?! l[ae]s? | l'| une? | mon | ma )|adores|prefer|prefers) (?P<v>.+)"),
    ("en", "likes", False, rf"(?P<not>do not|does not) {_ADV}(?:like|love|enjoy) (?P<v>.+)"),
    ("en", "dislikes", False, rf"(?:(?P<neg>no longer|do not|does not)\s+)?{_ADV}(?:hate|hates|dislike|dislikes|detest|detests|can not stand) (?P<v>.+)"),
    ("en", "speaks", False, r"(?:(?P<neg>do not|does not|no longer)\s+)?speaks? (?!to |with |about )(?P<v>.+)"),
    ("en", "car", False, rf"(?:(?P<neg>no longer)\s+)?{_ADV}drives? an? (?P<v>.+)"),
    ("en", "age", False, rf"{_BE} {_ADV}(?P<v>\d{{1,3}})(?: years old)?"),
    ("en", "name", False, rf"{_BE} (?:called|named) (?P<v>.+)|go(?:es)? by (?P<w>.+)"),
    ("fr", "home", False, rf"(?:(?P<neg>n'|ne ))?(?:habite|habitons|vis|vit|loge|réside)\s+(?:(?:plus|pas)\s+)?{_AVANT}{_IN} (?P<v>.+)"),
    ("fr", "home", True, rf"(?:ai|a|avons|viens de|vient de)\s+{_AVANT}(?:déménagé|emménagé|déménager|emménager)\s+{_AVANT}(?:de .+? )?{_IN} (?P<v>.+)"),
    ("fr", "home", True, rf"(?:me suis|s'est) {_AVANT}installée? {_IN} (?P<v>.+)"),
    ("fr", "birthday", False, r"(?:suis|est) née? (?:le |en )(?P<v>.*\d.*)"),
    ("fr", "birthplace", False, r"(?:suis|est) née? (?:à|en|au|aux) (?P<v>\D+)"),
    ("fr", "origin", False, r"(?:viens|vient|suis originaire|est originaire) (?:de |d'|du )(?P<v>.+)"),
    ("fr", "job", False, rf"(?:(?P<neg>ne ))?(?:travaille|bosse)\s+(?:(?:plus|pas)\s+)?{_AVANT}comme (?P<v>.+)"),
    ("fr", "employer", False, rf"(?:(?P<neg>ne ))?(?:travaille|bosse)\s+(?:(?:plus|pas)\s+)?{_AVANT}(?P<link>chez|pour|à|à la|au) (?P<v>.+)"),
    ("fr", "employer", False, r"(?:ai|a) (?P<neg>quitté) (?P<v>.+)"),
    ("fr", "diet", False, rf"(?:(?P<neg>ne |n'))?(?:suis|est)\s+(?:(?:plus|pas)\s+)?{_AVANT}(?P<v>{_REGIME})"),
    ("fr", "diet", True, rf"(?:suis|est) {_AVANT}devenue? (?P<v>{_REGIME})"),
    ("fr", "status", False, rf"(?:(?P<neg>ne |n'))?(?:suis|est)\s+(?:(?:plus|pas)\s+)?{_AVANT}(?P<v>{_STATUT})"),
    ("fr", "status", True, rf"(?:me suis|s'est) {_AVANT}(?P<v>{_STATUT})"),
    ("fr", "allergy", False, rf"(?:(?P<neg>ne |n'))?(?:suis|est)\s+(?:(?:plus|pas)\s+)?{_AVANT}allergique (?:à la |à l'|aux |au |à )(?P<v>.+)"),
    ("fr", "likes", False, rf"(?:(?P<neg>n'))?(?:aime|adore)\s+(?(neg)plus\s+){_AVANT}(?P<v>.+)"),
    ("fr", "likes", False, rf"(?P<not>n')aime\s+pas\s+{_AVANT}(?P<v>.+)"),
    ("fr", "likes", False, r"préfère (?P<v>.+)"),
    ("fr", "dislikes", False, rf"(?:déteste|hais|hait)\s+{_AVANT}(?P<v>.+)"),
    ("fr", "speaks", False, r"(?:(?P<neg>ne ))?parle (?(neg)(?:plus|pas) )(?!à |avec |de |du |d'|trop )(?P<v>.+)"),
    ("fr", "age", False, r"(?:ai|a) (?P<v>\d{1,3}) ans"),
    ("fr", "name", False, r"(?:m'appelle|s'appelle) (?P<v>.+)"),
    ("de", "home", False, r"(?:wohne|wohnt|lebe|lebt) (?:jetzt )?in (?P<v>.+)"),
    ("de", "home", False, r"(?:bin|ist) (?:gerade )?nach (?P<v>.+) (?:gezogen|umgezogen)"),
    ("es", "home", False, r"(?:vivo|vive) (?:ahora )?en (?P<v>.+)"),
    ("es", "home", False, r"(?:me mudé|se mudó) a (?P<v>.+)"),
    ("it", "home", False, r"(?:abito|abita|vivo|vive) (?:ora |adesso )?a (?P<v>.+)"),
    ("it", "home", False, r"(?:mi sono|si è) (?:trasferit[oa]) a (?P<v>.+)"),
    ("pt", "home", False, r"(?:moro|mora|vivo|vive) (?:agora )?em (?P<v>.+)"),
    ("pt", "home", False, r"(?:mudei-me|mudou-se|mudei|mudou) para (?P<v>.+)"),
)  # fmt: skip
_COMPILED = [(lang, name, change, re.compile(rule, re.I)) for lang, name, change, rule in _RULES]

TRIGGER = re.compile(
    r"\b(?:is|are|am|live|lives|living|reside|resides|moved|relocated|born|from|works?|working|joined|"
    r"started|got|left|quit|resigned|became|become|turned|went|likes?|loves?|enjoys?|adores?|prefers?|"
    r"hates?|dislikes?|detests?|stand|speaks?|drives?|go(?:es)?|changed|habite|habitons|vis|vit|loge|"
    r"réside|déménagé|emménagé|déménager|emménager|installée?|suis|est|sont|née?|viens|vient|travaille|"
    r"bosse|quitté|aime|préfère|déteste|hais|hait|parle|ans|appelle|wohne|wohnt|lebe|lebt|bin|ist|vivo|"
    r"vive|mudé|mudó|abito|abita|sono|moro|mora|mudei|mudou|es|è|é)\b|['’](?:m|s|re)\b",
)
"""A word that some rule needs: what has none of them is not read at all. For text in lower case: with
`re.I` in its place the same search takes four times as long."""

VERBS = frozenset(
    "is are am was were has have had will can does do did est sont suis a ai ont était aime adore".split()
)
_END = re.compile(
    r"[\s,]*\b(?:now|these days|nowadays|at the moment|right now|currently|instead|again|too|as well|"
    r"actually|today|yesterday|recently|already|since .+|because .+|last (?:week|month|year|\w+day|spring|summer|autumn|winter)|"
    r"this (?:week|month|year|morning)|(?:a|two|three|\d+) (?:days?|weeks?|months?|years?) ago|"
    r"maintenant|désormais|aujourd'hui|hier|depuis .+|parce que .+|en ce moment|actuellement|"
    r"(?:la semaine|le mois|l'an|l'année) derni(?:er|ère)|il y a .+|du coup|finalement|"
    r"jetzt|ahora|adesso|ora|agora)$",
    re.I,
)
_PLACE_END = re.compile(
    r"[\s,]+(?:with|near|for|as|comme|avec|près de|close to|from (?:next|now|monday)|mit|con|com) .+$",
    re.I,
)
_ANY_MORE = re.compile(r"[\s,]*\b(?:any ?more|any longer)$", re.I)
_NO_VALUE = re.compile(
    r"(?:it|that|this|them|you|him|her|me|us|there|here|so|how|what|when|where|who|ça|cela|"
    r"toi|vous|lui|elle|eux|que|qui|comment|quand|the idea|to (?:know|think|say|see you)|"
    r"not|pas|no|one|to)\b",
    re.I,
)
_NO_PLACE = re.compile(
    r"(?:an?|my|our|his|her|their|your|fear|hope|peace|poverty|sin|constant|un|une|mon|ma|mes|son|"
    r"sa|notre|la (?:même|peur|maison|campagne|rue)|le même|bed|town|bureau)\b|.*\b(?:house|flat|apartment|appartement)\b",
    re.I,
)
_MINE = "|".join(sorted(map(re.escape, POSSESSIVES), key=len, reverse=True))
_IS = r"(?:is|are|has changed to|changed to|est|sont|ist|es|è|é)"
_OWNED = (
    re.compile(rf"(?P<h>.{{2,40}}?)'s (?P<n>.{{2,40}}?) {_IS} {_ADV}(?P<v>.+)", re.I),
    re.compile(rf"(?P<h>)(?:{_MINE}) (?P<n>.{{2,40}}?) {_IS} (?:{_ADV}{_AVANT})(?P<v>.+)", re.I),
    re.compile(rf"(?P<h>)the (?P<n>.{{2,40}}?) {_IS} {_ADV}(?P<v>.+)", re.I),
    re.compile(
        rf"(?:le |la |l')(?P<n>.{{2,40}}?) (?:de |d')(?P<h>.{{2,30}}?) {_IS} {_AVANT}(?P<v>.+)",
        re.I,
    ),
    re.compile(rf"(?:le |la |l')(?P<n>.{{2,40}}?) {_IS} {_AVANT}(?P<h>)(?P<v>.+)", re.I),
)
_KIN_WORDS = "|".join(sorted(map(re.escape, KIN), key=len, reverse=True))
_KINSHIP = re.compile(rf"(?P<n>.{{2,40}}?) (?:is|est|ist|es|è|é) (?:now |maintenant )?(?:{_MINE}) (?P<k>{_KIN_WORDS})", re.I)  # fmt: skip
_NAMING = re.compile(
    r"(?:(?:is|are) (?:called|named)|s'appelle(?:nt)?|heißt|se llama|si chiama|se chama|(?:is|est|ist)(?: now| maintenant)?) (?P<v>.+)",
    re.I,
)


def match(rest: str) -> Match | None:
    """What the words after a subject say; None where no rule reads all of them."""
    rest, any_more = _tail(rest.strip(" .!,"))
    if len(rest.split()) > VALUE_WORDS + 6:
        return None
    for language, name, change, rule in _COMPILED:
        found = rule.fullmatch(rest)
        if found is None:
            continue
        groups = found.groupdict()
        value = groups.get("v") or groups.get("w") or ""
        negated = bool(groups.get("neg"))
        if groups.get("not"):
            # "I don't like tea" is a dislike; "... any more" only ends the liking.
            name, negated = ("likes", True) if any_more else ("dislikes", False)
        value = _value(name, value)
        if value is None:
            return None
        link = groups.get("link") or ""
        return Match(name, value, negated, change, language=language, link=link)
    return None


_NAMED = frozenset(KIN.values()) | {
    "home",
    "employer",
    "birthplace",
    "origin",
    "name",
    "school",
    "car",
}
_NUMBERED = frozenset("phone age birthday pin code size height weight salary rent".split())


def plausible(name: str, value: str) -> bool:
    """Whether a few words can be the value of such a fact: a place has a capital, a number digits."""
    words = value.split()
    if not words or len(words) > VALUE_WORDS or _NO_VALUE.match(value):
        return False
    if name in _NAMED:
        return len(words) <= 4 and (value[0].isupper() or value[0].lower() == value[0].upper())
    if name in _NUMBERED:
        return any(one.isdigit() for one in value)
    return "@" in value if name == "email" else len(words) <= 4


def trim(value: str) -> str:
    """A value without time words and signs around it."""
    return _tail(value.strip(" .,!:;\"'"))[0]


def owned(part: str) -> Iterator[tuple[str, str, str]]:
    """`my phone number is 5` → ("", "phone number", "5"); `Ana's email is x` → ("Ana", "email", "x")."""
    plain, _ = _tail(part)
    for rule in _OWNED:
        if found := rule.fullmatch(plain):
            value = re.sub(r"^on (?=.*\d)", "", found["v"].strip(" .!"))
            yield found["h"].strip(), found["n"].strip(), value


def ownable(name: str, noun: str, value: str) -> bool:
    """Whether "the noun of somebody is value" is a fact rather than an opinion."""
    if name in KIN.values() or len(value.split()) > VALUE_WORDS:
        return False
    listed = name in ATTRIBUTES
    favourite = re.match(r"favou?rite |.+ préférée?$", noun, re.I)
    if not (listed or favourite or FUNCTIONAL.search(noun.casefold())):
        return False
    # "my phone is broken", "ma voiture est en panne" say something else.
    return not (name in {"car", "phone", "bank", "job", "school", "employer"} and not re.search(r"\d|[A-ZÀ-Þ]", value))  # fmt: skip


def kinship(part: str) -> tuple[str, str] | None:
    """`Ana is my sister` → ("Ana", "sister")."""
    found = _KINSHIP.fullmatch(_tail(part)[0])
    return (found["n"], found["k"]) if found else None


_TITLE = re.compile(
    r"(?:le|la|the|der|die|el) (?:docteure?|doctor|professeure?|professor|doctora?) (?-i:(?=[A-ZÀ-Þ]))",
    re.I,
)


def naming(rest: str) -> str | None:
    """The name in what follows `my sister`: `is called Ana`, `s'appelle Ana`, `is Ana`."""
    found = _NAMING.fullmatch(_tail(rest.strip(" .!"))[0])
    # "le docteur Besson" is called Besson; "Dr. Besson" stays as it is.
    return _TITLE.sub("", found["v"].strip()) if found else None


def lists(name: str, part: str) -> bool:
    """Whether a short part after such a claim is one more value: `tea and coffee`."""
    words = part.split()
    return (
        not attribute(name).single
        and name in {"likes", "dislikes", "speaks", "allergy", "hobby", "owns"}
        and len(words) <= 3
        and words[0].casefold() not in VERBS
        and _NO_VALUE.match(part) is None
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
    if said.attribute in ("diet", "status", "age"):
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
    if said.attribute in ("diet", "status"):
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
        if _NO_PLACE.match(value) or len(value.split()) > 5:
            return None
    if name == "job":
        value = re.sub(r"^(?:an?|the|un|une)\s+", "", value)
    if not value or len(value.split()) > VALUE_WORDS or _NO_VALUE.match(value):
        return None
    return value
