"""Take forgotten memories out of the turns and summaries that quoted them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from sqlite_utils import Database

from assistant.config import LIMITS
from assistant.memory.language import stop_words
from assistant.types import quoted

MARK = "[forgotten]"
TELLING_CHARS, TELLING_WORDS = 12, 3
"""A text this long, or of so many words, is found by chance in no turn that never recalled it."""

_COLUMNS = "seq, text, context, reply, receipt, error, recalled, events"
_TEXT_FIELDS = frozenset({"text", "message", "source"})
"""Of an event, a receipt or an error; the other fields are names, ids, codes and numbers."""
_WORD = re.compile(r"\w+")

_Clean = Callable[[str], str]


class Gone(msgspec.Struct, frozen=True):
    """A memory that is being forgotten."""

    id: str
    text: str
    language: str
    speaker: str | None = None
    trust: str = "user"


class Touched(msgspec.Struct, frozen=True):
    """Where a forgotten memory stood: whatever was made from these must go too."""

    turns: frozenset[str] = frozenset()
    conversations: frozenset[str] = frozenset()


def redact_turns(db: Database, gone: Sequence[Gone]) -> Touched:
    """Clean every turn that quoted one of these memories, and drop every summary that did.

    Turns that recalled one, and the later ones of the same conversation, lose its text and its
    telling words. Any other turn loses the text alone, and only a telling one as whole words. The
    user's own messages stay; deleting the conversation removes those. Summaries that cover a
    changed turn go by themselves (migrations, `summaries_stale`).
    """
    cleaners: dict[int, list[_Clean]] = {}
    for one in gone:
        for seq, said in _turns_after_recall(db, one.id):
            cleaners.setdefault(seq, []).append(_cleaner(one, said))
    for seq, text in _turns_that_quote(db, gone):
        cleaners.setdefault(seq, []).append(_exact(text))
    ids = frozenset(one.id for one in gone)
    for seq in sorted(cleaners):
        _redact(db, seq, ids, _all_of(cleaners[seq]))
    touched = _touched(db, cleaners)
    chats = touched.conversations | _drop_summaries_that_quote(db, gone)
    db.conn.executemany("DELETE FROM recalls WHERE memory_id = ?", [(one,) for one in ids])
    return Touched(touched.turns, chats)


def _touched(db: Database, seqs: Iterable[int]) -> Touched:
    sql = "SELECT id, conversation_id FROM turns WHERE seq = ?"
    found = [db.execute(sql, [seq]).fetchone() for seq in seqs]
    return Touched(frozenset(turn for turn, _ in found), frozenset(chat for _, chat in found))


def _drop_summaries_that_quote(db: Database, gone: Sequence[Gone]) -> frozenset[str]:
    """Those of turns that stay as they are: the user had said the same. Their conversations."""
    patterns = [_pattern(text) for one in gone for text in _forms(one) if is_telling(text)]
    rows = db.execute("SELECT seq, conversation_id, text FROM summaries").fetchall()
    quoting = [row for row in rows if any(pattern.search(row[2]) for pattern in patterns)]
    db.conn.executemany("DELETE FROM summaries WHERE seq = ?", [(row[0],) for row in quoting])
    return frozenset(row[1] for row in quoting)


def _turns_after_recall(db: Database, memory_id: str) -> list[tuple[int, frozenset[str]]]:
    """The turns that may show it, each with the words that the user had said by then."""
    found = db.execute(
        "SELECT conversation_id, min(seq) FROM turns WHERE id IN "
        "(SELECT turn_id FROM recalls WHERE memory_id = ?) GROUP BY conversation_id",
        [memory_id],
    ).fetchall()
    turns = []
    for conversation_id, first in found:
        said: set[str] = set()
        sql = "SELECT seq, text FROM turns WHERE conversation_id = ? ORDER BY seq"
        for seq, asked in db.execute(sql, [conversation_id]):
            said |= set(_WORD.findall(asked.lower()))
            if seq >= first:
                turns.append((int(seq), frozenset(said)))
    return turns


def _turns_that_quote(db: Database, gone: Sequence[Gone]) -> Iterable[tuple[int, str]]:
    """One scan for all: a text is looked for only in the turns that have its longest word."""
    by_word: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for text in (text for one in gone for text in _forms(one)):
        words = _WORD.findall(text.lower())
        if words and is_telling(text):
            by_word.setdefault(max(words, key=len), []).append((text, _pattern(text)))
    if not by_word:
        return
    for seq, context, reply in db.execute("SELECT seq, context, reply FROM turns"):
        both = f"{context}\n\n{reply}"
        for word in by_word.keys() & set(_WORD.findall(both.lower())):
            yield from ((seq, text) for text, pattern in by_word[word] if pattern.search(both))


def clean_turns(db: Database, seqs: Iterable[int], clean: _Clean) -> list[int]:
    """Clean what these turns show besides the user's own words; the numbers of those that changed."""
    return [seq for seq in seqs if _redact(db, seq, frozenset(), clean)]


def _redact(db: Database, seq: int, ids: frozenset[str], clean: _Clean) -> bool:
    row = db.execute(f"SELECT {_COLUMNS} FROM turns WHERE seq = ?", [seq]).fetchone()  # noqa: S608
    _, _, context, reply, receipt, error, recalled, events = row
    cleaned = [
        clean(context),
        clean(reply),
        _json(receipt, ids, clean),
        _json(error, ids, clean),
        _recalled(recalled, ids, clean),
        _events(events, ids, clean),
    ]
    if cleaned == list(row[2:]):
        return False
    db.execute(
        "UPDATE turns SET context = ?, reply = ?, receipt = ?, error = ?, recalled = ?, "
        "events = ? WHERE seq = ?",
        [*cleaned, seq],
    )
    return True


# --- text ------------------------------------------------------------------------------------


def _all_of(cleaners: Sequence[_Clean]) -> _Clean:
    def clean(value: str) -> str:
        for one in cleaners:
            value = one(value)
        return value

    return clean


def _cleaner(gone: Gone, said: frozenset[str]) -> _Clean:
    """Replaces the memory's line, its text, and each telling word of it that the user did not say."""
    # Scripts without spaces have no word boundaries; a long text needs none.
    whole = gone.text.isascii() and not is_telling(gone.text)
    line = _rendered(gone)
    texts = [_pattern(text, whole=whole) for text in _forms(gone)]
    telling = {
        word
        for word in _WORD.findall(" ".join(_forms(gone)).lower())
        if (len(word) > 2 or any(c.isdigit() for c in word) or not word.isascii())
        and word not in said
        and word not in stop_words(gone.language)
    }
    words = re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(telling))) + r")\b", re.IGNORECASE)

    def clean(value: str) -> str:
        value = line.sub(MARK, value)
        for text in texts:
            value = text.sub(MARK, value)
        return words.sub(MARK, value) if telling else value

    return clean


def _forms(gone: Gone) -> tuple[str, ...]:
    """A text as it was said and, if those are not the user's words, as prompts quote it."""
    shown = gone.text if gone.trust == "user" else quoted(gone.text)
    return (gone.text,) if shown == gone.text else (gone.text, shown)


def _exact(text: str) -> _Clean:
    pattern = _pattern(text)
    return lambda value: pattern.sub(MARK, value)


def is_telling(text: str) -> bool:
    """Whether a text is found by chance nowhere else."""
    return len(text.strip()) >= TELLING_CHARS or len(_WORD.findall(text)) >= TELLING_WORDS


def _pattern(text: str, *, whole: bool = True) -> re.Pattern[str]:
    """The text, however its lines are broken; with `whole` only as whole words."""
    body = r"\s+".join(map(re.escape, text.split()))
    return re.compile(rf"(?<!\w){body}(?!\w)" if whole else body, re.IGNORECASE)


def _rendered(gone: Gone) -> re.Pattern[str]:
    """The memory's whole line before a question, as core/prompt.py writes it."""
    line = " ".join(_forms(gone)[-1].split())
    if len(line) > LIMITS.recalled_chars:
        line = line[: LIMITS.recalled_chars] + " …"
    if gone.trust != "user":
        return re.compile(rf"\[Not the user's words, [^\[\]]*: “{re.escape(line)}”\]")
    speaker = re.escape(f", {' '.join(gone.speaker.split())} said") if gone.speaker else ""
    return re.compile(rf"\[Note of \d{{1,2}} \w+ \d{{1,4}}{speaker}: {re.escape(line)}\]")


# --- records ---------------------------------------------------------------------------------


def _json(value: str | None, ids: frozenset[str], clean: _Clean) -> str | None:
    return value if value is None else _dumped(value, _walk(json.loads(value), ids, clean))


def _dumped(before: str, value: Any) -> str:
    """A value as JSON: to the letter as before, where nothing of it changed."""
    return before if value == json.loads(before) else json.dumps(value)


def _walk(value: Any, ids: frozenset[str], clean: _Clean) -> Any:
    """The same value with its text fields cleaned; a forgotten memory's own record has none left."""
    match value:
        case list():
            return [_walk(one, ids, clean) for one in value]
        case dict():
            own = value.get("id") in ids
            return {
                name: (MARK if own else clean(one))
                if name in _TEXT_FIELDS and isinstance(one, str)
                else _walk(one, ids, clean)
                for name, one in value.items()
            }
    return value


def _recalled(value: str, ids: frozenset[str], clean: _Clean) -> str:
    kept = [one for one in json.loads(value) if one.get("id") not in ids]
    return _dumped(value, _walk(kept, ids, clean))


def _events(value: str, ids: frozenset[str], clean: _Clean) -> str:
    """Words were cut across the tokens: a reply that changed moves whole into the first of them."""
    events = json.loads(value)
    tokens = [event for event in events if event["event"] == "token"]
    for event in events:
        if event["event"] != "token":
            event["data"] = _walk(event["data"], ids, clean)
    reply = "".join(event["data"].get("text", "") for event in tokens)
    if (cleaned := clean(reply)) != reply:
        for event in tokens:
            event["data"] = {**event["data"], "text": cleaned}
            cleaned = ""
    return _dumped(value, events)
