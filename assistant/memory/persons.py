"""Whom a question and a row speak of: the user, people by their role, people by name; in six languages.

Vectors hardly tell "I live in Bergen" from "my grandmother lives in Bergen". Among rows of one
language, words do; from one language to another, this does.
"""

from __future__ import annotations

import re

import msgspec
import numpy as np
from sqlite_utils import Database

from assistant.memory import subjects, tables
from assistant.memory.claims import DROPPED, FIRST_PERSON
from assistant.memory.kin import POSSESSIVES, roles
from assistant.memory.language import detect, stop_words
from assistant.memory.question import Question
from assistant.memory.signals import members
from assistant.memory.slots import Candidates
from assistant.memory.words import Found, words_in

READ_MOST, READ_CHARS = 32, 300
"""Rows that are read for one question, the nearest, and how much of each."""

_MORE = "j m us mine mir uns nosotros nosotras noi"
_ME = (FIRST_PERSON | frozenset(_MORE.split())) - POSSESSIVES.keys()
_ASKING_WHO = "who whom whose qui wer wem wen wessen quién quiénes chi quem"
_WHO = frozenset(_ASKING_WHO.split())
_TITLES = frozenset(["frau"])
"""Before a name, no role."""
_CAPITALISED = re.compile(r"\b[A-ZÀ-ÖØ-Þ]\w+")


class Persons(msgspec.Struct, frozen=True):
    """Those a short text speaks of."""

    me: bool = False
    """Whoever speaks, and not only as somebody's relative."""
    roles: frozenset[str] = frozenset()
    """Said to be the speaker's, or first thing, as `kin.KIN` has them."""
    loose: frozenset[str] = frozenset()
    """All roles that a word of the text may mean."""
    names: frozenset[str] = frozenset()
    """In lower case."""

    def __bool__(self) -> bool:
        return self.me or bool(self.roles or self.names)


def read(text: str, language: str = "", names: frozenset[str] = frozenset()) -> Persons:
    """Whom a text speaks of; `names` are those of people, in lower case."""
    words = words_in(text)
    stop = stop_words(language or detect(text))
    kin = roles(words)
    mine = {at + 1 for at, word in enumerate(words) if word in POSSESSIVES}
    loose = {at: role for at, role in kin.items() if words[at] not in stop or at in mine}
    close = {loose[at] for at in loose if at in mine or (at == 0 and words[0] not in _TITLES)}
    me = bool(DROPPED.search(text) or _ME & frozenset(words) or mine - kin.keys())
    return Persons(me, frozenset(close), frozenset(loose.values()), names & frozenset(words))


def strangers(asked: Persons, told: Persons) -> bool:
    """Whether one text is about somebody and the other about somebody else. In doubt it is not."""
    shared = (asked.me and told.me) or asked.loose & told.loose or asked.names & told.names
    if shared or not asked or not told:
        return False
    # A role and a name may be one person's.
    alike = (asked.roles and told.roles) or (asked.names and told.names)
    return bool(asked.me or told.me or alike)


def told_apart(
    db: Database, question: Question, candidates: Candidates, found: Found
) -> Candidates:
    """The candidates, with those marked that are in another language and about somebody else.

    None are for a question that asks who: what answers it is about somebody else.
    """
    if not candidates.foreign.any() or _WHO & frozenset(words_in(question.text)):
        return candidates
    asked = _asked(db, question)
    if not asked:
        return candidates
    # What somebody in particular said is about them where it says "I".
    unknown = candidates.by_nobody & ~members(candidates, found.named)
    at = np.flatnonzero(candidates.foreign & unknown)
    at = at[np.argsort(-np.nan_to_num(candidates.own[at]), kind="stable")[:READ_MOST]]
    texts = tables.texts(db, candidates.seqs[at].tolist(), READ_CHARS)
    names = subjects.told(db, _capitalised(*texts.values()))
    others = np.zeros(len(candidates.seqs), np.bool_)
    others[at] = [
        strangers(asked, read(texts.get(seq, ""), names=names))
        for seq in candidates.seqs[at].tolist()
    ]
    return msgspec.structs.replace(candidates, others=others)


def _asked(db: Database, question: Question) -> Persons:
    names = subjects.told(db, _capitalised(question.text)) | question.speakers
    if question.about_somebody:
        names |= question.names
    return read(question.text, question.language, names)


def _capitalised(*texts: str) -> frozenset[str]:
    return frozenset(name.lower() for text in texts for name in _CAPITALISED.findall(text))
