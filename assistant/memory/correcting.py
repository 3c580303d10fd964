"""Which fact "no, it's Nice" puts right, and whether Nice can be its value; none where it is not certain."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from sqlite_utils import Database

from assistant.memory import asking, claims, predicates, statements, subjects, tables
from assistant.memory.attributes import attribute
from assistant.memory.claims import Who
from assistant.memory.kin import KIN
from assistant.memory.when import NAMES
from assistant.types import Memory

_PLACED = frozenset({"home", "employer", "birthplace", "origin", "school"})
_CALLED = _PLACED | {"name"} | set(KIN.values())
_BEING = frozenset({"diet", "status"})
_OF_A_SHAPE = frozenset({"phone", "age", "email"})
"""What `values.fits` takes for these is nothing else."""
_JOINING = (
    "de du des la le les sur sous en et and of the upon am an der von van di da do dos del y e"
)
_PARTICLES = frozenset(_JOINING.split())
_LINK = re.compile(r"(?:in|at|from|for|with|(?P<fr>à|en|au|aux|chez|de)|nach|bei|en)\s+", re.I)
_FRENCH = re.compile(r"\b(?:à|chez|aux|j'|je|habite|travaille)(?!\w)")
_NO_VALUE = re.compile(
    r"%|\b(?:morning|afternoon|evening|night|midnight|noon|o'clock|a\.?m|p\.?m|minutes?|hours?|percent|"
    r"raining|snowing|late|early|cold|hot|sunny|dark|over|broken|closed|open|here|there|mine|yours|"
    r"heures?|matin|soir|nuit|pour cent|next|soon|today|tomorrow|bientôt|demain)\b",
    re.I,
)
_CALLS = (
    "thanks thank sorry stop wait never please maybe really yes no ok okay well forget listen hello "
    "merci désolé pardon attends arrête jamais peut-être vraiment oui non bon danke"
)
_CALLED_OUT = frozenset(_CALLS.split())
"""Words that are no value, with a capital or without."""


class Wrong(msgspec.Struct, frozen=True):
    """The fact that is put right."""

    who: Who
    attribute: str
    value: str
    """The new one."""
    language: str
    link: str
    """The preposition it stands with."""


def fits(name: str, value: str) -> bool:
    """Whether a few words can be the value of such a fact, and are no hour, day or "thanks"."""
    words = value.split()
    if not predicates.plausible(name, value) or words[0].casefold().strip(",.!") in _CALLED_OUT:
        return False
    if name in _CALLED:
        names = [word for word in words if word not in _PARTICLES]
        return all(not one[0].islower() for one in names) and names[0].casefold() not in NAMES
    if name in _BEING:
        read = predicates.match(f"am {value}") or predicates.match(f"suis {value}")
        return read is not None and read.attribute == name
    return name in _OF_A_SHAPE or not _NO_VALUE.search(value)


def wrong(db: Database, said: str, asked: str, shown: Sequence[str]) -> Wrong | None:
    """The single-valued fact that was asked for whole; else the one memory just shown, where it was one.

    `shown` are those of an answer that no model gave: what a model answered may be about the world.
    """
    found = _meant(db, asked, shown)
    if found is None:
        return None
    who, name, memory = found
    language, link = _style(memory)
    value = predicates.trim(said)
    if name in _PLACED:
        if placed := _LINK.match(value):
            value, link = value[placed.end() :], placed["fr"] or link
        if subjects.is_name(db)(value):
            return None  # somebody was called
    return Wrong(who, name, value, language, link) if value and fits(name, value) else None


def _meant(db: Database, asked: str, shown: Sequence[str]) -> tuple[Who, str, Memory] | None:
    question = asking.asked(asked)
    if question.who is not None and question.attribute:
        if question.past or not attribute(question.attribute).single:
            return None
        subject = subjects.find(db, question.who)
        known = statements.live(db, subject, question.attribute) if subject else []
        return (question.who, question.attribute, known[-1]) if known else None
    there = [tables.get(db, one) for one in shown if tables.exists(db, one)]
    known = [one for one in there if one.valid_to is None]
    said = [one for memory in known for one in statements.claimed(db, memory.id)]
    if len(known) != 1 or len(said) != 1 or not attribute(said[0][1]).single:
        return None
    ((subject, name),), (memory,) = said, known
    called = subjects.shown(db, subject)
    return claims.who(called) or Who(called, name=called), name, memory


def _style(memory: Memory) -> tuple[str, str]:
    """The language of a memory and its preposition; short texts are too short to have one detected."""
    if memory.lang != "fr" and not _FRENCH.search(memory.text.casefold()):
        return "en", ""
    link = re.search(r"\b(à|en|au|aux|chez)\b", memory.text)
    return "fr", link.group(1) if link else ""
