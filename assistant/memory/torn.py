"""Turns deleted of conversations that stay: what was made from their words goes as well.

A title made from their question is made anew. Later answers of the same conversation were written
with them before the model's eyes: runs of words that stand there as the user said them go, as
`redact.MARK`. Single words stay, since any answer may have them; the proof of forgetting names those.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec
from sqlite_utils import Database

from assistant.memory.language import detect, stop_words
from assistant.memory.redact import MARK, Gone, clean_turns, is_telling

RUN_WORDS = 5
"""So many words in a row, as somebody said them, are a quotation; a text of fewer is one as a whole."""
TOLD = 2
"""Of these words, so many must not be among the commonest of their language."""
TITLE_CHARS = 60
SAMPLED = 300
"""Turns that a proof looks for; of more, so many spread over all of them."""
WORDS_CHARS = 2_000
"""A proof looks for single words of the beginning of what the user said, and for passages of all."""
_UNSPACED = r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
_WORD = re.compile(rf"{_UNSPACED}|(?:(?!{_UNSPACED})\w)+")
"""Thai, Chinese and Japanese put no spaces between words: each sign counts as one."""


class Said(msgspec.Struct, frozen=True):
    """What some turns said, for a proof that it is gone."""

    asked: Sequence[Gone] = ()
    """The user's words."""
    shown: Sequence[str] = ()
    """Answers, and what the model was shown with a question."""
    turns: int = 0
    """How many these were chosen from."""
    since: Mapping[str, int] = {}
    """Conversations that stay, with the number of the first turn that was deleted there."""

    @property
    def whole(self) -> bool:
        """Whether all turns are in it."""
        return len(self.asked) == self.turns


def said(db: Database, turn_ids: Sequence[str]) -> Said:
    """Of turns that will be deleted."""
    step = -(-len(turn_ids) // SAMPLED) or 1
    asked, shown = [], []
    for turn_id in turn_ids[::step]:
        sql = "SELECT text, reply, context FROM turns WHERE id = ?"
        text, *rest = db.execute(sql, [turn_id]).fetchone()
        asked.append(Gone(turn_id, text[:WORDS_CHARS], detect(text)))
        shown += [one for one in (text[WORDS_CHARS:], *rest) if one]
    return Said(asked, shown, len(turn_ids))


class Torn(msgspec.Struct, frozen=True):
    """A turn that will be deleted of a conversation that stays."""

    seq: int
    text: str


def of_chats_that_stay(db: Database, stood: Mapping[str, str]) -> dict[str, list[Torn]]:
    """By conversation, oldest first, of turns by id with the conversation of each."""
    by_chat: dict[str, list[str]] = {}
    for turn_id, chat in stood.items():
        by_chat.setdefault(chat, []).append(turn_id)
    found = {}
    for chat, turn_ids in by_chat.items():
        sql = "SELECT count(*) FROM turns WHERE conversation_id = ?"
        if db.execute(sql, [chat]).fetchone()[0] > len(turn_ids):
            sql = "SELECT seq, text FROM turns WHERE id = ?"
            rows = sorted(db.execute(sql, [one]).fetchone() for one in turn_ids)
            found[chat] = [Torn(seq, text) for seq, text in rows]
    return found


def mend(db: Database, chat: str, torn: Sequence[Torn]) -> frozenset[str]:
    """Take the words of deleted turns out of the conversation they stood in; the turns that had some."""
    _retitle(db, chat, [one.text for one in torn])
    runs = Runs()
    waiting = list(torn)
    changed = set()
    sql = "SELECT seq, id FROM turns WHERE conversation_id = ? AND seq > ? ORDER BY seq"
    for seq, turn_id in db.execute(sql, [chat, torn[0].seq]).fetchall():
        while waiting and waiting[0].seq < seq:
            runs.add(waiting.pop(0).text)
        if clean_turns(db, [seq], runs.clean):
            changed.add(turn_id)
    return frozenset(changed)


def _retitle(db: Database, chat: str, texts: Sequence[str]) -> None:
    (title,) = db.execute("SELECT title FROM conversations WHERE id = ?", [chat]).fetchone()
    if title and any(made_from(title, text) for text in texts):
        sql = "SELECT text FROM turns WHERE conversation_id = ? ORDER BY seq LIMIT 1"
        (first,) = db.execute(sql, [chat]).fetchone()
        db.execute("UPDATE conversations SET title = ? WHERE id = ?", [_title(first), chat])


def made_from(title: str, text: str) -> bool:
    """Pure: whether a title is a text in one line, or the beginning of it."""
    line, begins = " ".join(text.split()), title.rstrip("…").rstrip()
    return line == title or (line.startswith(begins) and (begins != title or is_telling(begins)))


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1] + "…"


class Runs:
    """Pure: finds what some texts say word for word."""

    def __init__(self) -> None:
        self._runs: set[tuple[str, ...]] = set()
        self._lengths: set[int] = set()

    def add(self, text: str) -> None:
        """Look for this one, too."""
        words = _WORD.findall(text.lower())
        length = min(RUN_WORDS, len(words))
        if length < RUN_WORDS and not is_telling(text):
            return
        common = stop_words(detect(text))
        told = {run for run in _each(words, length) if len(set(run) - common) >= min(TOLD, length)}
        if told:
            self._lengths.add(length)
            self._runs |= told

    def clean(self, value: str) -> str:
        """The value with a mark in place of each run of words that one of the texts has."""
        found = list(_WORD.finditer(value))
        words = [one.group().lower() for one in found]
        inside = {
            at + n
            for length in self._lengths
            for at, run in enumerate(_each(words, length))
            if run in self._runs
            for n in range(length)
        }
        if not inside:
            return value
        pieces, done = [], 0
        for first, last in _spans(inside):
            pieces += [value[done : found[first].start()], MARK]
            done = found[last].end()
        return "".join([*pieces, value[done:]])


def _each(words: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    return (
        tuple(words[at : at + length]) for at in range(len(words) - length + 1 if length else 0)
    )


def _spans(inside: Collection[int]) -> Iterator[tuple[int, int]]:
    first = last = None
    for at in sorted(inside):
        if last is None or at > last + 1:
            if first is not None and last is not None:
                yield first, last
            first = at
        last = at
    if first is not None and last is not None:
        yield first, last
