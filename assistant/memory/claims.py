"""Pure: what a short text states about somebody, read by rules. No model, no database.

A text becomes segments, each a sentence that stands alone, and the claims in it: (who, attribute,
value). Read are plain statements alone: no question, no "if" or "maybe", nothing quoted, nobody's
hearsay. What the rules do not know stays text without claims; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from assistant.memory import predicates
from assistant.memory.attributes import key, of_noun
from assistant.memory.kin import KIN, POSSESSIVES
from assistant.memory.language import STOP_WORDS

READ_CHARS = 500
"""Longer texts are notes; nobody states one fact in so many words."""
NAME_WORDS = 3


class Who(msgspec.Struct, frozen=True):
    """Somebody as a text names them."""

    shown: str
    """As said: `my sister Ana`."""
    role: str = ""
    """What they are to the speaker, as in `kin.KIN`; empty if it was not said."""
    name: str = ""
    me: bool = False
    pronoun: bool = False
    """Only `she` or `he`: whoever was spoken of before."""


ME = Who("I", me=True)


class Claim(msgspec.Struct, frozen=True):
    """One statement."""

    who: Who
    attribute: str
    value: str
    negated: bool = False
    """It holds no longer."""

    @property
    def key(self) -> str:
        """What two claims of the same value share."""
        return key(self.value)


class Segment(msgspec.Struct, frozen=True):
    """A piece of a text that stands alone, with what it claims."""

    text: str
    claims: tuple[Claim, ...] = ()


_MINE = "|".join(sorted(map(re.escape, POSSESSIVES), key=len, reverse=True))
_KIN = "|".join(sorted(map(re.escape, KIN), key=len, reverse=True))
_ME = frozenset("i we je nous ich yo io eu".split())
_PRONOUNS = frozenset("she he elle il sie er ella lei lui ela ele".split())
_PRONOUN = re.compile(rf"(?:{'|'.join(sorted(_PRONOUNS))})\s+", re.I)
_ARTICLES = frozenset(["la", "il", "a", "o"])
DROPPED = re.compile(r"\b(?:vivo|abito|moro|me mudé|mudei|mi sono)\b", re.I)
"""Verbs that are said without their subject."""
_MYSELF = frozenset(
    ["i", "me", "myself", "my", "moi", "je", "mich", "mí", "mim", "mon", "ma", "mes"]
)
FIRST_PERSON = _ME | _MYSELF
"""Words by which somebody speaks of themselves."""
_TITLE = "|".join(rf"(?<=\b{one})" for one in "Dr Mr Mrs Ms Prof Mme Mlle Hr Fr Sr Sra Dra".split())
_SENTENCE = re.compile(rf"[^.!?;\n]*(?:(?:\.(?=\w)|(?:{_TITLE})\.(?=\s+\w))[^.!?;\n]*)*[.!?;\n]*")
"""A dot within a number or name, or after a title, ends no sentence."""
_JOINT = re.compile(
    r"\s*,\s+(?:and|but|et|mais|und|y|e)\s+|\s*,\s+|\s+(?:and|but|et|mais|und)\s+", re.I
)
_APPOSITION = re.compile(rf"\b({_MINE})\s+({_KIN}),\s+([^\W\d_][\w'’.-]*),\s+", re.I)
_LEAD = re.compile(
    r"^(?:(?:no|non|nope|actually|in fact|en fait|well|ok|okay|btw|by the way|fyi|hey|hi|hello|so|oh|"
    r"yes|yeah|sorry|correction|update|au fait|alors|donc|bon|oui|salut|bonjour|nestor|nein|also|"
    r"and|but|et|mais|that|que|qu'|maintenant|now|désormais)\b[\s,:!–—-]*)+",
    re.I,
)  # fmt: skip
_HEDGED = re.compile(
    r"\b(?:if|whether|unless|would|could|might|maybe|perhaps|probably|imagine|imagining|suppose|"
    r"supposing|pretend|wish|hope|hypothetically|let's say|dream\w*|used to|kidding|jok(?:e|es|ing)|"
    r"lol|haha\w*|says?|said|saying|told|tells|wrote|writes|according|thinks?|thought|believes?|"
    r"si|s'il|s'ils|peut-être|imagine[zr]?|imaginons|disons|supposons|supposer|rêve|rêvé|aimerais|"
    r"voudrais|pourrais|serais|plaisante|mdr|dit que|dit|disait|raconte|selon|autrefois|croit|pense|"
    r"dirait|wenn|vielleicht|quizás|tal vez|forse|talvez)\b",
)
"""For text in lower case, as `predicates.TRIGGER`."""
_QUOTED = re.compile(r"[\"“«][^\"”»]*\s[^\"”»]*\s[^\"”»]*[\"”»]|^\s*>")
_CONTRACTIONS = (
    (re.compile(r"\bI'm\b", re.I), "I am"), (re.compile(r"\bwe're\b", re.I), "we are"),
    (re.compile(r"\b(I|we)'ve\b", re.I), r"\1 have"), (re.compile(r"\bcan't\b", re.I), "can not"),
    (re.compile(r"\bcannot\b", re.I), "can not"), (re.compile(r"n't\b", re.I), " not"),
    (re.compile(r"\b(she|he)'s\b", re.I), r"\1 is"),
)  # fmt: skip
_NO_NAMES = frozenset().union(*STOP_WORDS.values()) | frozenset(POSSESSIVES) | frozenset(
    "this that there here what who please remember note today tomorrow yesterday everyone everybody "
    "somebody someone nobody people nothing something it they you everything cela ceci tout personne".split()
)  # fmt: skip


def read(
    text: str, *, about: Who | None = None, known: Callable[[str], bool] | None = None
) -> tuple[Segment, ...]:
    """The text in segments, with their claims; put together they say all that it says.

    `about` is whom a pronoun means. `known` tells which names in small letters are names.
    """
    if len(text) > READ_CHARS or not predicates.TRIGGER.search(text.lower()):
        return (Segment(text.strip()),)
    plain = _APPOSITION.sub(r"\1 \2 \3 ", text) if "," in text else text
    segments: list[Segment] = []
    for sentence in filter(str.strip, _SENTENCE.findall(plain)):
        found = list(_sentence(sentence.strip(), about, known or (lambda name: False)))
        segments += found or [Segment(sentence.strip())]
        about = next((c.who for s in reversed(found) for c in s.claims if not c.who.me), about)
    return tuple(segments)


def claims(text: str, **how: object) -> tuple[Claim, ...]:
    """All claims of a text."""
    return tuple(c for segment in read(text, **how) for c in segment.claims)  # type: ignore[arg-type]


def who(text: str, known: Callable[[str], bool] = lambda name: True) -> Who | None:
    """Whom a phrase like `my sister`, `Ana's`, `de ma sœur` or `me` names; None if nobody."""
    plain = text.replace("’", "'").strip(" .?!,")
    plain = re.sub(r"^(?:de |d'|about |of |sur |à )", "", plain, flags=re.I)
    plain = re.sub(r"'s$", "", plain)
    if plain.casefold() in _MYSELF:
        return ME
    words = plain.split()
    return next((one for one, left in _subjects(words, known) if not left), None)


def quote(text: str, value: str) -> str:
    """The user's own words around a value, no more of the message than that."""
    parts = [part for one in _SENTENCE.findall(text) for part in _JOINT.split(one)]
    wanted = value.casefold()
    return next((one.strip() for one in parts if wanted in one.casefold()), text.strip())[
        :READ_CHARS
    ]


def stating(text: str, quote: str) -> str | None:
    """The sentence of a text that has these very words; None if none has, or it states nothing plainly."""
    if len(text) > READ_CHARS:
        return None
    wanted = " ".join(quote.replace("’", "'").split()).casefold().strip(" .!")
    for sentence in _SENTENCE.findall(text):
        plain = " ".join(sentence.replace("’", "'").split())
        if wanted and wanted in plain.casefold():
            hedged = plain.endswith("?") or _HEDGED.search(plain.lower()) or _QUOTED.search(plain)
            return None if hedged else _LEAD.sub("", plain).strip(" .!;") or None
    return None


def alone(sentence: str, whose: Who) -> str:
    """A sentence with whom it means in place of a pronoun at its beginning."""
    if not whose.me:
        sentence = (
            _PRONOUN.sub(f"{whose.shown} ", sentence, count=1)
            if _PRONOUN.match(sentence)
            else sentence
        )
    return sentence[:1].upper() + sentence[1:]


# --- one sentence ----------------------------------------------------------------------------


def _sentence(sentence: str, about: Who | None, known: Callable[[str], bool]) -> Iterator[Segment]:
    if sentence.endswith("?") or _HEDGED.search(sentence.lower()) or _QUOTED.search(sentence):
        return
    bare = _LEAD.sub("", sentence).rstrip(" .!;\n").strip()
    parts = [part.strip() for part in _JOINT.split(bare) if part.strip()]
    subject: Who | None = None
    last: predicates.Match | None = None
    loose = ""
    for part in parts:
        plain = _plain(part)
        found, said = _part(plain, about, known), part
        if found and about and _PRONOUN.match(plain):
            said = _PRONOUN.sub(f"{about.shown} ", plain)
        if found is None and subject is not None and (match := predicates.match(plain)):
            found, said = (subject, match), f"{subject.shown} {part}"
        if found is None and last and subject and predicates.lists(last.attribute, part):
            found = subject, msgspec.structs.replace(last, value=part, canonical=True)
        if found is None:
            last = None
            lead = f"{subject.shown} " if subject and not loose and _goes_on(part) else ""
            loose = f"{loose}, {part}" if loose else f"{lead}{part}"
            continue
        if loose:
            yield Segment(loose)
            loose = ""
        subject, last = found
        yield _segment(subject, last, said)
    if loose:
        yield Segment(loose)


def _part(
    part: str, about: Who | None, known: Callable[[str], bool]
) -> tuple[Who, predicates.Match] | None:
    """The subject and what is said of it."""
    for holder, noun, value in predicates.owned(part):
        attribute, whose = of_noun(noun), who(holder, known) if holder else ME
        if whose and whose.role and attribute == "name" and _is_name(value, known):
            return ME, predicates.Match(whose.role, value)
        if whose is not None and not whose.pronoun and predicates.ownable(attribute, noun, value):
            return whose, predicates.Match(attribute, value, noun=noun)
    words = part.split()
    if (kin := predicates.kinship(part)) and _is_name(kin[0], known):
        return ME, predicates.Match(KIN[kin[1].casefold()], kin[0])
    for one, left in _subjects(words, known):
        whose = about if one.pronoun else one
        if whose is None:
            continue
        rest = " ".join(left)
        name = predicates.naming(rest) if whose.role and not whose.name else None
        if name and _is_name(name, known):
            return ME, predicates.Match(whose.role, name)
        if match := predicates.match(rest):
            return whose, match
    return None


def _subjects(
    words: Sequence[str], known: Callable[[str], bool]
) -> Iterator[tuple[Who, Sequence[str]]]:
    """The ways to read whom these words begin with, and what is left; the shortest name first."""
    if not words:
        return
    first = words[0].casefold()
    if first in _ME:
        yield ME, words[1:]
    elif first.startswith("j'"):
        yield ME, [words[0][2:], *words[1:]]
    elif first in _PRONOUNS:
        yield Who(words[0], pronoun=True), words[1:]
    elif DROPPED.match(" ".join(words)):
        yield ME, words
    at = 1 if first in _ARTICLES and len(words) > 1 else 0
    if words[at].casefold() in POSSESSIVES:
        yield from _kin(words, at + 1, known)
        return
    for count in range(1, min(NAME_WORDS, len(words)) + 1):
        name = " ".join(words[:count])
        if _is_name(name, known):
            yield Who(name, name=name), words[count:]


def _kin(
    words: Sequence[str], at: int, known: Callable[[str], bool]
) -> Iterator[tuple[Who, Sequence[str]]]:
    for length in (2, 1):
        role = KIN.get(" ".join(words[at : at + length]).casefold().strip(","))
        if role is None or len(words) < at + length:
            continue
        end = at + length
        yield Who(" ".join(words[:end]), role), words[end:]
        for count in range(1, min(NAME_WORDS, len(words) - end) + 1):
            name = " ".join(words[end : end + count])
            if _is_name(name, known):
                yield Who(" ".join(words[: end + count]), role, name), words[end + count :]
        return


def _is_name(name: str, known: Callable[[str], bool]) -> bool:
    words = name.split()
    if not words or len(words) > NAME_WORDS or any(w.casefold() in _NO_NAMES for w in words):
        return False
    return all(word[0].isupper() or word[0].lower() == word[0].upper() for word in words) or known(
        name
    )


def _segment(whose: Who, match: predicates.Match, part: str) -> Segment:
    text = predicates.render(whose.shown, match, me=whose.me) if match.canonical else part
    claim = Claim(whose, match.attribute, match.value, match.negated)
    return Segment(text[:1].upper() + text[1:], (claim,))


def _goes_on(part: str) -> bool:
    """Whether a part that nothing was read in begins with a verb, so that it lacks its subject."""
    first = part.split()[0].casefold()
    return first in predicates.VERBS or (first.endswith(("s", "ed")) and len(part.split()) > 1)


def _plain(part: str) -> str:
    part = part.replace("’", "'")
    if "'" in part or "cannot" in part.lower():
        for pattern, plain in _CONTRACTIONS:
            part = pattern.sub(plain, part)
    return part
