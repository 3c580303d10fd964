"""Khoj: `khoj-conversations.zip` with `conversations.json`, and `/api/memories` saved as JSON.

Taken from khoj-ai/khoj: the export of its settings page (src/interface/web/app/settings/page.tsx),
the classes `ChatMessage` and `Conversation` in src/khoj/database/models/__init__.py (commit 01bc6d35)
and src/khoj/routers/api_memories.py (commit f025b37a). A list of `title`, `agent`, `created_at`,
`updated_at` and `conversation_log`, whose `chat` has `by` (`you`, `khoj`), `message`, `created`,
`turnId`. A memory has `id`, `raw`, `created_at`. An exported conversation has no id: its first message
and when that was said stand for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from assistant.memory.transfer import archive as files
from assistant.memory.transfer.fields import items, mapping, moment, short, text
from assistant.memory.transfer.jsonlist import Broken, elements
from assistant.memory.transfer.records import Chat, Note, Record, Said, Skipped

LABEL = "Khoj"


def reads(archive: files.Archive) -> bool:
    """Whether this is such an export."""
    for name in archive.names():
        if name.endswith(".json"):
            start = files.head(archive, name, 1 << 16)
            if b'"conversation_log"' in start or (b'"raw"' in start and b'"created_at"' in start):
                return True
    return False


def read(archive: files.Archive) -> Iterator[Record]:
    """Its conversations and memories."""
    for name in sorted(archive.names()):
        if not name.endswith(".json"):
            continue
        with archive.open(name) as file:
            for number, found in enumerate(elements(file), 1):
                place = f"{files.base(name)}, entry {number}"
                if isinstance(found, Broken):
                    yield Skipped("entry", place, found.why)
                elif "raw" in mapping(found):
                    yield from _memory(found, place)
                else:
                    yield from _conversation(mapping(found), place)


def _memory(found: dict[str, Any], place: str) -> Iterator[Record]:
    if words := text(found.get("raw")).strip():
        at = moment(found.get("created_at"))
        yield Note(f"memory:{found.get('id')}", words, place, "model", at)


def _conversation(found: dict[str, Any], place: str) -> Iterator[Record]:
    log = mapping(found.get("conversation_log"))
    messages = []
    for number, one in enumerate(map(mapping, items(log.get("chat")))):
        words = text(one.get("message"))
        role = "user" if text(one.get("by")) == "you" else "assistant"
        if words.strip():
            key = f"{text(one.get('turnId')) or number}{role[0]}"
            messages.append(Said(key, role, words, moment(one.get("created"))))  # type: ignore[arg-type]
    if not messages:
        yield Skipped("conversation", place, "it has no messages")
        return
    first = f"{messages[0].at} {messages[0].text}"
    own = text(found.get("id")) or hashlib.sha256(first.encode()).hexdigest()
    title = text(found.get("title")) or text(found.get("slug"))
    began, ended = moment(found.get("created_at")), moment(found.get("updated_at"))
    yield Chat(own, short(title), place, tuple(messages), began, ended, linear=True)
