"""Take a forgotten memory out of the turns that quoted it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from sqlite_utils import Database

from assistant.memory.language import stop_words

MARK = "[forgotten]"


def redact_turns(db: Database, memory_id: str, text: str, language: str) -> int:
    """Clean every turn that recalled the memory or holds its text; how many turns were changed.

    The user's own message stays; deleting the conversation removes that.
    """
    found = db.execute(
        "SELECT seq, text, context, reply, receipt, error, recalled, events FROM turns WHERE id IN "
        "(SELECT turn_id FROM recalls WHERE memory_id = ?)"
        " OR instr(context, ?) OR instr(reply, ?)",
        [memory_id, text, text],
    ).fetchall()
    for seq, asked, context, reply, receipt, error, recalled, events in found:
        clean = _cleaner(text, asked, language)
        new_reply = clean(reply)
        db.execute(
            "UPDATE turns SET context = ?, reply = ?, receipt = ?, error = ?, recalled = ?, "
            "events = ? WHERE seq = ?",
            [
                clean(context),
                new_reply,
                _json(receipt, clean),
                _json(error, clean),
                _recalled(recalled, memory_id, clean),
                _events(events, clean, new_reply if new_reply != reply else None),
                seq,
            ],
        )
    db.execute("DELETE FROM recalls WHERE memory_id = ?", [memory_id])
    return len(found)


def _cleaner(text: str, asked: str, language: str) -> Callable[[str], str]:
    """Replaces the text, and each telling word of it that the user did not say in this turn."""
    said = set(re.findall(r"\w+", asked.lower()))
    telling = {
        word
        for word in re.findall(r"\w+", text.lower())
        if (len(word) > 3 or any(c.isdigit() for c in word) or not word.isascii())
        and word not in said
        and word not in stop_words(language)
    }
    words = re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(telling))) + r")\b", re.IGNORECASE)

    def clean(value: str) -> str:
        value = value.replace(text, MARK)
        return words.sub(MARK, value) if telling else value

    return clean


def _json(value: str | None, clean: Callable[[str], str]) -> str | None:
    return value if value is None else json.dumps(_walk(json.loads(value), clean))


def _walk(value: Any, clean: Callable[[str], str]) -> Any:
    match value:
        case str():
            return clean(value)
        case list():
            return [_walk(one, clean) for one in value]
        case dict():
            return {key: _walk(one, clean) for key, one in value.items()}
    return value


def _recalled(value: str, memory_id: str, clean: Callable[[str], str]) -> str:
    kept = [one for one in json.loads(value) if one.get("id") != memory_id]
    return json.dumps(_walk(kept, clean))


def _events(value: str, clean: Callable[[str], str], reply: str | None) -> str:
    """A reply that changed moves whole into its first token event: the words were cut across them."""
    events = _walk(json.loads(value), clean)
    if reply is not None:
        for event in events:
            if event["event"] == "token":
                event["data"] = {**event["data"], "text": reply}
                reply = ""
    return json.dumps(events)
