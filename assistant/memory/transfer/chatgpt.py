"""ChatGPT's data export: a zip with `conversations.json`, in newer ones `conversations-000.json` and on.

The format is not documented by its maker. Taken from exports of 2023 to 2026 as described in
mitkury/chatgpt-export-parser (docs/chatgpt-data-export-format.md) and read by several public parsers.
A list of conversations, each a tree: `mapping` has nodes by id with `parent`, `children` and
`message`; `current_node` is the leaf that was shown last. Answers made again and questions written
anew are other branches: each comes in as a conversation of its own; which it is, the tree alone says.
What the memory feature had stands in messages of type `model_editable_context` (`model_set_context`)
and in calls of the tool `bio`; custom instructions in `user_editable_context`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from assistant.memory.transfer import archive as files
from assistant.memory.transfer import tree
from assistant.memory.transfer.fields import items, mapping, moment, pieces, short, text
from assistant.memory.transfer.jsonlist import Broken, elements
from assistant.memory.transfer.records import Chat, Note, Record, Said, Skipped

LABEL = "ChatGPT"
_FILE = re.compile(r"conversations(-\d+)?\.json")
_HIDDEN = {"thoughts", "reasoning_recap", "tether_browsing_display", "tether_quote", "system_error"}
_NUMBERED = re.compile(r"(?m)^\s*\d+\.\s+(?:\[[\d-]+\]\.?\s*)?")


def reads(archive: files.Archive) -> bool:
    """Whether this is such an export."""
    return any(
        b'"mapping"' in files.head(archive, name, 1 << 16) for name in _conversation_files(archive)
    )


def read(archive: files.Archive) -> Iterator[Record]:
    """Its conversations and memories, in the order of the file."""
    for name in _conversation_files(archive):
        with archive.open(name) as file:
            for number, found in enumerate(elements(file), 1):
                place = f"{files.base(name)}, conversation {number}"
                if isinstance(found, Broken):
                    yield Skipped("conversation", place, found.why)
                elif not isinstance(found, dict) or not isinstance(found.get("mapping"), dict):
                    yield Skipped("conversation", place, "it has no messages")
                else:
                    yield from _conversation(found, place)


def _conversation_files(archive: files.Archive) -> list[str]:
    names = archive.names()
    if len(names) == 1:  # the file alone, whatever it is called now
        return [name for name in names if name.endswith(".json")]
    return sorted(name for name in names if _FILE.fullmatch(files.base(name)))


def _conversation(found: dict[str, Any], place: str) -> Iterator[Record]:
    nodes = {key: node for key, node in found["mapping"].items() if isinstance(node, dict)}
    own = text(found.get("conversation_id")) or text(found.get("id")) or place
    title = short(text(found.get("title")))
    began, ended = moment(found.get("create_time")), moment(found.get("update_time"))
    yield from _kept_aside(nodes, place)
    shown = text(found.get("current_node"))
    for number, path in enumerate(tree.paths(nodes, shown, _parent, _children, _role), 1):
        messages = tuple(said for key in path.keys if (said := _said(key, nodes[key])))
        if not any(said.role == "user" or said.text for said in messages):
            continue
        name = title if path.shown else short(f"{title} (version {number})")
        key = own if not path.parted else f"{own}#{path.parted}"
        yield Chat(key, name, place, messages, began, ended)


def _parent(node: tree.Node) -> str:
    return text(node.get("parent"))


def _children(node: tree.Node) -> list[Any]:
    return items(node.get("children"))


def _role(node: tree.Node) -> str:
    return text(mapping(mapping(node.get("message")).get("author")).get("role"))


def _said(key: str, node: dict[str, Any]) -> Said | None:
    message = mapping(node.get("message"))
    role, content = _role(node), mapping(message.get("content"))
    meta = mapping(message.get("metadata"))
    if role not in ("user", "assistant") or meta.get("is_visually_hidden_from_conversation"):
        return None
    if text(content.get("content_type")) in _HIDDEN or "editable_context" in text(
        content.get("content_type")
    ):
        return None
    if role == "assistant" and (text(message.get("recipient")) or "all") != "all":
        return None  # a call of a tool
    words = _words(content)
    if not words.strip():
        return None
    at = moment(message.get("create_time"))
    model = text(meta.get("model_slug")) if role == "assistant" else ""
    return Said(key, "user" if role == "user" else "assistant", words, at, model)


def _words(content: dict[str, Any]) -> str:
    found = [_part(part) for part in items(content.get("parts"))]
    return "\n".join(one for one in [*found, text(content.get("text"))] if one)


def _part(part: Any) -> str:
    if isinstance(part, str):
        return text(part)
    kind = text(mapping(part).get("content_type"))
    if kind == "audio_transcription":
        return text(mapping(part).get("text"))
    return f"[{kind.partition('_')[0]}]" if kind else ""


def _kept_aside(nodes: dict[str, Any], place: str) -> Iterator[Record]:
    """Memories and custom instructions; then what has no place in a conversation of words."""
    tools = pictures = 0
    for node in nodes.values():
        message = mapping(node.get("message"))
        content = mapping(message.get("content"))
        at = moment(message.get("create_time"))
        kind, to = text(content.get("content_type")), text(message.get("recipient"))
        if kind == "model_editable_context":
            for fact in _NUMBERED.split(text(content.get("model_set_context"))):
                if fact.strip():
                    yield Note(f"memory:{fact.strip()}", fact.strip(), place, "model", at)
        elif kind == "user_editable_context":
            for name in ("user_profile", "user_instructions"):
                for piece in pieces(text(content.get(name))):
                    yield Note(f"{name}:{piece}", piece, place, "file", None, "custom instructions")
        elif to == "bio":
            for fact in _words(content).splitlines():
                if fact.strip():
                    yield Note(f"memory:{fact.strip()}", fact.strip(), place, "model", at)
        elif _role(node) == "tool" or to not in ("", "all"):
            tools += 1
        pictures += sum(isinstance(part, dict) for part in items(content.get("parts")))
    if tools:
        yield Skipped(f"calls and results of tools: {tools}", place, "only what was said comes in")
    if pictures:
        yield Skipped(f"pictures or other media: {pictures}", place, "only text comes in")
