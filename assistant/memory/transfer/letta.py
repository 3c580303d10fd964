"""Letta's agent file (`.af`, JSON), in both of its forms.

Taken from letta-ai/letta, letta/schemas/agent_file.py (commit 4184ae26): `agents` with `messages`
(`id`, `role`, `content` as text or blocks, `created_at`) and `block_ids`, and `blocks` with `label`
and `value`. Before version 0.8 (letta/serialize_schemas): one agent with `core_memory` and `messages`.
Core memory comes in as notes, messages as a conversation of the agent. Tools, settings, system
prompts and files stay out. The file has the newest 50 messages of an agent; archival memory is not in
it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from assistant.memory.transfer import archive as files
from assistant.memory.transfer.fields import items, mapping, moment, parsed, pieces, short, text
from assistant.memory.transfer.jsonlist import elements
from assistant.memory.transfer.records import Chat, Note, Record, Said, Skipped

LABEL = "Letta"


def reads(archive: files.Archive) -> bool:
    """Whether this is such a file."""
    for name in archive.names():
        if name.endswith((".af", ".json")):
            start = files.head(archive, name, 1 << 16).lstrip()
            new = start.startswith(b"{") and b'"agents"' in start
            if name.endswith(".af") or new or b'"core_memory"' in start:
                return True
    return False


def read(archive: files.Archive) -> Iterator[Record]:
    """Its core memory and messages."""
    for name in sorted(archive.names()):
        if not name.endswith((".af", ".json")):
            continue
        with archive.open(name) as file:
            for found in elements(file):
                yield from _file(mapping(found), files.base(name))


def _file(found: dict[str, Any], file: str) -> Iterator[Record]:
    agents = [mapping(one) for one in items(found.get("agents"))] or [found]
    blocks = [mapping(one) for one in items(found.get("blocks"))]
    for agent in agents:
        blocks += [mapping(one) for one in items(agent.get("core_memory"))]
    for number, block in enumerate(blocks):
        label = text(block.get("label"))
        place = short(f"{file}, block {label or number}")
        if label == "persona":
            yield Skipped("persona", place, "it is about the agent, not about you")
            continue
        for piece in pieces(text(block.get("value"))):
            yield Note(
                f"{label}:{piece}", piece, place, "model", None, short(f"core memory {label}")
            )
    for number, agent in enumerate(agents):
        yield from _messages(agent, f"{file}, agent {number + 1}")
    for key in ("tools", "files", "sources", "groups", "mcp_servers"):
        if count := len(items(found.get(key))):
            yield Skipped(f"{key}: {count}", file, "only memories and messages come in")


def _messages(agent: dict[str, Any], place: str) -> Iterator[Record]:
    name = text(agent.get("name"))
    messages: list[Said] = []
    calls = 0
    for number, one in enumerate(map(mapping, items(agent.get("messages")))):
        role, words = text(one.get("role")), _words(one)
        calls += role in ("tool", "system", "approval")
        if role in ("user", "assistant") and words.strip():
            at = moment(one.get("created_at"))
            # `message-3` is counted anew in each file; when it was said is not.
            key = f"{one.get('created_at') or number}{role[0]}"
            model = text(one.get("model")) if role == "assistant" else ""
            messages.append(Said(key, role, words, at, model))  # type: ignore[arg-type]
    if messages:
        own = f"{name or 'agent'}:{agent.get('agent_type') or ''}"
        yield Chat(own, short(name), place, tuple(messages), linear=True)
    if calls:
        yield Skipped(f"system and tool messages: {calls}", place, "only what was said comes in")


def _words(message: dict[str, Any]) -> str:
    content = message.get("content")
    parts = [text(mapping(one).get("text")) for one in items(content)]
    words = text(content) or text(message.get("text")) or "\n".join(one for one in parts if one)
    role = text(message.get("role"))
    if role == "assistant":
        # What older agents say to the user is an argument of the tool send_message.
        said = [
            text(_arguments(one).get("message"))
            for one in map(mapping, items(message.get("tool_calls")))
            if mapping(one.get("function")).get("name") == "send_message"
        ]
        return "\n".join(one for one in said if one) or words
    return _unwrapped(words)


def _arguments(call: dict[str, Any]) -> dict[str, Any]:
    try:
        return mapping(parsed(text(mapping(call.get("function")).get("arguments"))))
    except ValueError:
        return {}


def _unwrapped(words: str) -> str:
    """A user's message is often JSON around it; what the system says in that form is none."""
    if not words.startswith("{"):
        return words
    try:
        found = mapping(json.loads(words))
    except ValueError:
        return words
    if text(found.get("type")) == "user_message":
        return text(found.get("message"))
    return "" if text(found.get("type")) in ("login", "heartbeat", "system_alert") else words
