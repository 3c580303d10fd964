"""What to look for, to prove that something is gone: passages, and words that nothing else contains."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec
import numpy as np
from sqlcipher3 import dbapi2 as sqlcipher
from sqlite_utils import Database

from assistant.memory.language import stop_words
from assistant.memory.redact import Gone

PASSAGE_WORDS = 5
PASSAGE_BYTES = 16
"""A shorter passage stands elsewhere by chance."""
WORD_CHARS = 4
PASSAGES = 6
"""Of one answer, spread over it: there may be hundreds of long ones."""
ANCHOR = 8
"""Bytes that one look compares."""
_WORD = re.compile(r"\w+")
_PART = re.compile(r"[^\W_]+")

Bytes = bytes | bytearray


class Needles(msgspec.Struct, frozen=True):
    """Texts to look for. No word of `words` stands in what is left."""

    passages: frozenset[str]
    words: frozenset[str]
    stems: frozenset[str] = frozenset()
    """As the index of words has them."""

    def what(self, needle: str) -> str:
        """`text` or `word`."""
        return "text" if needle in self.passages else "word"


def needles_for(
    db: Database,
    gone: Sequence[Gone],
    told_in: Collection[str],
    *,
    shown: Sequence[str] = (),
    since: Mapping[str, int] = MappingProxyType({}),
) -> Needles:
    """Of what is gone, all that can be told from what is left.

    Another memory may say the same, and the user may have said a word elsewhere; that stays, so it
    proves nothing. An answer in a conversation that recalled the memory is no such place: a word that
    stands there is a copy. So it is in the answers of a conversation `since` a turn of it was deleted,
    by that turn's number. Of texts that were only `shown`, passages are looked for which no turn has.
    """
    passages = {passage for one in gone for passage in _passages(one.text)}
    answered = {p for text in shown for p in _spread(list(_passages(text)))} - passages
    passages |= answered - _in_turns(db, answered)
    words = {word for one in gone for word in _words(one)} - _our_words()
    kept = _kept_words(db, words, told_in, since)
    stems = _stems(db, words - kept.words)
    return Needles(
        frozenset(p for p in passages if not _says(db, p)),
        frozenset(words - kept.words),
        frozenset(stems - _stems(db, kept.words) - kept.stems),
    )


@functools.cache
def _our_words() -> frozenset[str]:
    """Words of the program itself, which its schema, settings and log may always have.

    Names of places are the user's words: no schema and no log has them.
    """
    sources = (one for one in Path(__file__).parents[1].rglob("*.py") if one.name != "places.py")
    return frozenset(w for one in sources for w in _PART.findall(one.read_text("utf-8").lower()))


def _passages(text: str) -> Iterable[str]:
    """Overlapping runs of words, each short enough to stand on one page."""
    found = [match.span() for match in _WORD.finditer(text)]
    if not found:
        return
    for first in range(0, max(1, len(found) - PASSAGE_WORDS + 1), 3):
        last = min(first + PASSAGE_WORDS, len(found)) - 1
        passage = text[found[first][0] : found[last][1]]
        if len(passage.encode()) >= PASSAGE_BYTES:
            yield passage


def _spread(passages: Sequence[str]) -> Sequence[str]:
    return passages[:: -(-len(passages) // PASSAGES) or 1]


def _in_turns(db: Database, passages: Collection[str]) -> set[str]:
    """Those that turns which are left have: answers often say the same."""
    runs = {one: tuple(_WORD.findall(one.lower())) for one in passages}
    lengths = {len(run) for run in runs.values()}
    left = set(runs.values())
    turns = db.execute("SELECT text, context, reply FROM turns") if left else ()
    for said in itertools.chain.from_iterable(turns):
        words = _WORD.findall(said.lower())
        for length in lengths:
            left.difference_update(zip(*(words[at:] for at in range(length)), strict=False))
    return {one for one, run in runs.items() if run not in left}


def _words(gone: Gone) -> Iterable[str]:
    common = stop_words(gone.language)
    for word in _WORD.findall(gone.text.lower()):
        long = len(word) >= WORD_CHARS or not word.isascii() or any(c.isdigit() for c in word)
        if long and len(word.encode()) >= WORD_CHARS and word not in common:
            yield word


class _Kept(msgspec.Struct, frozen=True):
    words: frozenset[str]
    stems: frozenset[str]


def _kept_words(
    db: Database, words: Collection[str], told_in: Collection[str], since: Mapping[str, int]
) -> _Kept:
    kept, near = set(), set()
    for word in words:
        texts = [text for (text,) in db.execute(_MATCH, [f'"{word}"'])]
        if texts:
            near.add(word)
        if any(word in text.lower() for text in texts):
            kept.add(word)
    left = set(words) - kept
    sql = "SELECT conversation_id, seq, text, context || ' ' || reply FROM turns"
    for chat, seq, said, other in db.execute(sql):
        later = chat in told_in or seq > since.get(chat, seq)
        there = said if later else f"{said} {other}"
        kept |= left & set(_WORD.findall(there.lower()))
    for title, system in db.execute("SELECT title, system FROM conversations"):
        kept |= left & set(_WORD.findall(f"{title} {system}".lower()))
    return _Kept(frozenset(kept), frozenset(_stems(db, near)))


_MATCH = (
    "SELECT text FROM memories WHERE seq IN "
    "(SELECT rowid FROM memories_fts WHERE memories_fts MATCH ? LIMIT 50)"
)


def _says(db: Database, passage: str) -> bool:
    """Whether a memory that is left says this too."""
    phrase = " ".join(_WORD.findall(passage))
    near = db.execute(_MATCH, [f'"{phrase}"'])
    return any(passage.lower() in text.lower() for (text,) in near)


def _stems(db: Database, words: Collection[str]) -> set[str]:
    """Words as the index of words cuts them down."""
    (made,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'memories_fts'").fetchone()
    tokenize = re.search(r"tokenize\s*=\s*('(?:[^']|'')*'|\"[^\"]*\")", made)
    if tokenize is None or not words:
        return set()
    with contextlib.closing(sqlcipher.connect(":memory:")) as scratch:
        scratch.execute(f"CREATE VIRTUAL TABLE t USING fts5(x, tokenize={tokenize[1]})")
        scratch.execute("CREATE VIRTUAL TABLE v USING fts5vocab(t, 'row')")
        scratch.execute("INSERT INTO t VALUES (?)", [" ".join(words)])
        return {term for (term,) in scratch.execute("SELECT term FROM v")}


class Search:
    """Finds many texts in blocks of bytes, however they are encoded; letters of any case."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._forms = {form: text for text in texts for form in _encoded(text)}
        self.longest = max(map(len, self._forms), default=0)
        long = [form for form in self._forms if len(form) >= ANCHOR]
        self._short = [form for form in self._forms if len(form) < ANCHOR]
        self._by_anchor: dict[int, list[bytes]] = {}
        for form in long:
            self._by_anchor.setdefault(int.from_bytes(form[:ANCHOR], "little"), []).append(form)
        self._anchors = np.array(sorted(self._by_anchor), np.uint64)

    def found(self, block: Bytes) -> set[str]:
        """Which of the texts stand in it."""
        block = block.lower()
        found = {self._forms[form] for form in self._short if form in block}
        for start in range(ANCHOR if len(self._anchors) else 0):
            count = (len(block) - start) // ANCHOR
            if count <= 0:
                continue
            view = np.frombuffer(block, "<u8", count, start)
            at = np.searchsorted(self._anchors, view)
            at[at == len(self._anchors)] = 0
            for hit in np.flatnonzero(self._anchors[at] == view):
                place = start + int(hit) * ANCHOR
                for form in self._by_anchor[int(view[hit])]:
                    if block[place : place + len(form)] == form:
                        found.add(self._forms[form])
        return found


def _encoded(text: str) -> set[bytes]:
    """In UTF-8 and UTF-16, as it is and as JSON writes it; small ASCII letters."""
    forms = set()
    cases = {text, text.lower(), text.upper(), text.title()}
    for one in cases if not text.isascii() else {text.lower()}:
        forms |= {one.encode(code).lower() for code in ("utf-8", "utf-16-le", "utf-16-be")}
        forms.add(json.dumps(one)[1:-1].encode().lower())
    return forms
