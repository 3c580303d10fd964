"""Pure: what a short text states about somebody, read by rules. No model, no database.

A text becomes segments, each a sentence that stands alone, and the claims in it: (who, attribute,
value). Read are plain statements alone: no question, no "if" or "maybe", nothing quoted, nobody's
hearsay. What the rules do not know stays text without claims; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from assistant.memory import earnest, predicates, pronouns, rules
from assistant.memory.attributes import NEW, key, of_noun
from assistant.memory.kin import KIN, POSSESSIVES
from assistant.memory.pronouns import NO_NAMES, PRONOUNS
from assistant.memory.sentences import CEST, DROP, JOINT, LEAD, NOW, SENTENCE, SIGNS, plain, small
from assistant.memory.values import person

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
    state: bool = False
    """Told as what is, not as what has changed."""

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
_US = _ME | frozenset("on wir nos".split())
_ARTICLES = frozenset(["la", "il", "a", "o"])
DROPPED = re.compile(rf"\b(?:(?:ya )?no |non |(?:já )?não )?{DROP}\b", re.I)
"""Verbs that are said without their subject."""
_MYSELF = frozenset(
    ["i", "me", "myself", "my", "moi", "je", "mich", "mí", "mim", "mon", "ma", "mes"]
)
FIRST_PERSON = _ME | _MYSELF
"""Words by which somebody speaks of themselves."""
_APPOSITION = re.compile(rf"\b({_MINE})\s+({_KIN}),\s+([^\W\d_][\w'’.-]*),\s+", re.I)


def read(
    text: str, *, about: Who | None = None, known: Callable[[str], bool] | None = None
) -> tuple[Segment, ...]:
    """The text in segments, with their claims; put together they say all that it says.

    `about` is whom a pronoun means. `known` tells which names in small letters are names.
    """
    if len(text) > READ_CHARS or not rules.TRIGGER.search(text.lower()) or earnest.in_jest(text):
        return (Segment(text.strip()),)
    plain = _APPOSITION.sub(r"\1 \2 \3 ", text) if "," in text else text
    segments: list[Segment] = []
    heard = _Heard(known or (lambda name: False), about)
    for sentence in filter(str.strip, SENTENCE.findall(plain)):
        found = list(_sentence(sentence.strip(), heard))
        segments += found or [Segment(sentence.strip())]
        if not found:
            heard.passes(sentence)
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
    parts = [part for one in SENTENCE.findall(text) for part in JOINT.split(one)]
    wanted = value.casefold()
    return next((one.strip() for one in parts if wanted in one.casefold()), text.strip())[
        :READ_CHARS
    ]


def stating(text: str, quote: str) -> str | None:
    """The sentence of a text that has these very words; None if none has, or it states nothing plainly."""
    if len(text) > READ_CHARS or earnest.in_jest(text):
        return None
    wanted = " ".join(quote.replace("’", "'").split()).casefold().strip(" .!")
    for sentence in SENTENCE.findall(text):
        plain = " ".join(sentence.replace("’", "'").split())
        if wanted and wanted in plain.casefold():
            bare = LEAD.sub("", plain)
            return None if earnest.hedged(bare) else bare.strip(" .!;") or None
    return None


def clause(sentence: str, quote: str, value: str) -> str:
    """The part of a sentence that states a value, back to where its subject stands; the quote whole."""
    parts = [part.strip() for part in JOINT.split(sentence) if part.strip()]
    wanted = value.casefold().strip(" .,!")
    at = next((at for at, part in enumerate(parts) if wanted in part.casefold()), len(parts) - 1)
    begins = next((i for i in range(at, 0, -1) if _has_subject(parts[i])), 0)
    return f"{', '.join(parts[begins : at + 1])} ; {quote}"


def _has_subject(part: str) -> bool:
    first = plain(part).split()[0].casefold()
    return first in _US | PRONOUNS | POSSESSIVES.keys() or first.startswith("j'")


def alone(sentence: str, whose: Who) -> str:
    """A sentence with whom it means in place of a pronoun at its beginning, where that may be meant."""
    first = sentence.partition(" ")[0].casefold()
    if first in PRONOUNS and not whose.me and pronouns.may_be(whose.role, whose.name, first):
        sentence = pronouns.FIRST.sub(f"{whose.shown} ", sentence, count=1)
    return sentence[:1].upper() + sentence[1:]


# --- one sentence ----------------------------------------------------------------------------


class _Heard(msgspec.Struct):
    """What is known while a text is read."""

    known: Callable[[str], bool]
    about: Who | None = None
    """Whom a pronoun means."""
    small: bool = False
    """The sentence is written without capitals."""

    def passes(self, words: str) -> None:
        """Words that name somebody else: a pronoun after them may mean either."""
        one = self.about
        if one and pronouns.speaks_of_another(words, one.shown, one.name or one.shown):
            self.about = None


def _sentence(sentence: str, heard: _Heard) -> Iterator[Segment]:
    sentence = SIGNS.sub("", sentence)
    bare = CEST.sub(r"\1 est ", LEAD.sub("", sentence).rstrip(" .!;\n").strip())
    if sentence.endswith("?") or earnest.hedged(bare):
        return
    heard.small = small(sentence)
    parts = [part.strip() for part in JOINT.split(bare) if part.strip()]
    subject: Who | None = None
    last: predicates.Match | None = None
    loose = ""
    for part in parts:
        said = NOW.sub("", part)
        bare = plain(said)
        found = _part(bare, heard)
        if found and heard.about and pronouns.FIRST.match(bare):
            said = pronouns.FIRST.sub(f"{heard.about.shown} ", bare)
        if (
            found is None
            and subject is not None
            and (match := predicates.match(bare, small=heard.small))
        ):
            found, said = (subject, match), f"{subject.shown} {said}"
        if (
            found is None
            and last
            and subject
            and (other := predicates.instead(last, bare, small=heard.small))
        ):
            found = subject, other
        if found is None and last and subject and predicates.lists(last.attribute, part):
            found = subject, msgspec.structs.replace(last, value=part, canonical=True)
        heard.passes(part)
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
        if not subject.me:
            heard.about = subject
    if loose:
        yield Segment(loose)


def _part(part: str, heard: _Heard) -> tuple[Who, predicates.Match] | None:
    """The subject and what is said of it."""
    known = heard.known
    for one in predicates.owned(part):
        attribute, whose = of_noun(one.noun), who(one.holder, known) if one.holder else ME
        if whose and whose.role and attribute == "name" and _is_name(one.value, known):
            named = predicates.Match(whose.role, one.value, one.negated)
            return (ME, named) if person(one.value, small=known(one.value)) else None
        if whose and not whose.pronoun and predicates.ownable(attribute, one, small=heard.small):
            return whose, predicates.Match(attribute, one.value, one.negated, noun=one.noun)
    words = part.split()
    if (kin := predicates.kinship(part)) and _is_name(kin[0], known):
        return ME, predicates.Match(KIN[kin[1].casefold()], kin[0], kin[2])
    for whom, left in _subjects(words, known):
        whose = heard.about if whom.pronoun else whom
        if whose is None or (
            whom.pronoun and not pronouns.may_be(whose.role, whose.name, whom.shown)
        ):
            continue
        rest = " ".join(left)
        name = predicates.naming(rest) if whose.role and not whose.name else None
        if name and _names_somebody(*name, known):
            return ME, predicates.Match(whose.role, name[0])
        match = predicates.match(rest, small=heard.small)
        if match and (words[0].casefold() != "on" or match.attribute == "home"):
            return whose, match
    return None


def _names_somebody(name: str, doubtful: bool, known: Callable[[str], bool]) -> bool:
    if known(name):
        return True
    return not doubtful and _is_name(name, known) and person(name)


def _subjects(
    words: Sequence[str], known: Callable[[str], bool]
) -> Iterator[tuple[Who, Sequence[str]]]:
    """The ways to read whom these words begin with, and what is left; the shortest name first."""
    if not words:
        return
    first = words[0].casefold()
    if first in _US and not DROPPED.match(" ".join(words)):
        yield ME, words[1:]
    elif first.startswith("j'"):
        yield ME, [words[0][2:], *words[1:]]
    elif first in PRONOUNS:
        yield Who(words[0], pronoun=True), words[1:]
    elif DROPPED.match(" ".join(words)):
        yield ME, words
    at = 1 if first in _ARTICLES and len(words) > 1 else 0
    if words[at].casefold() in POSSESSIVES:
        yield from _kin(words, at + 1, known)
        return
    for count in range(1, min(NAME_WORDS, len(words)) + 1):
        name = " ".join(words[:count])
        if _is_name(name, known) and not DROPPED.match(" ".join(words[count:])):
            yield Who(name, name=name), words[count:]


def _kin(
    words: Sequence[str], at: int, known: Callable[[str], bool]
) -> Iterator[tuple[Who, Sequence[str]]]:
    if len(words) > at + 1 and words[at].casefold() in NEW:
        words = [*words[:at], *words[at + 1 :]]
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
    if not words or len(words) > NAME_WORDS or any(w.casefold() in NO_NAMES for w in words):
        return False
    return all(word[0].isupper() or word[0].lower() == word[0].upper() for word in words) or known(
        name
    )


def _segment(whose: Who, match: predicates.Match, part: str) -> Segment:
    text = predicates.render(whose.shown, match, me=whose.me) if match.canonical else part
    names = (match.attribute, *match.also)
    read = [Claim(whose, one, match.value, match.negated, not match.canonical) for one in names]
    return Segment(text[:1].upper() + text[1:], tuple(read))


def _goes_on(part: str) -> bool:
    """Whether a part that nothing was read in begins with a verb, so that it lacks its subject."""
    first = part.split()[0].casefold()
    return first in predicates.VERBS or (first.endswith(("s", "ed")) and len(part.split()) > 1)
