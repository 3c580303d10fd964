"""Claude's data export: a zip with `conversations.json`, `projects.json` and `memories.json`.

The format is not documented by its maker. Taken from exports of 2024 to 2026 as read by several public
parsers (AgileWorksZA/claude_export, Sinity/polylogue and others). A conversation has `uuid`, `name`,
`created_at` and `chat_messages`, a list of `uuid`, `sender` (`human`, `assistant`), `text`, `content`
(blocks: `text`, `thinking`, `tool_use`, `tool_result`), `attachments` with `extracted_content`, and
`files`. A project has `docs` with `filename` and `content`, `description` and `prompt_template`;
`memories.json` has `conversations_memory` and `project_memories` by project.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from assistant.memory.transfer import archive as files
from assistant.memory.transfer.fields import items, mapping, moment, pieces, short, text
from assistant.memory.transfer.jsonlist import Broken, elements
from assistant.memory.transfer.records import Chat, Note, Record, Said, Skipped

LABEL = "Claude"


def reads(archive: files.Archive) -> bool:
    """Whether this is such an export."""
    marks = {
        "conversations.json": b'"chat_messages"',
        "projects.json": b'"prompt_template"',
        "memories.json": b'"conversations_memory"',
    }
    return any(
        marks[files.base(name)] in files.head(archive, name, 1 << 16)
        for name in archive.names()
        if files.base(name) in marks
    )


def read(archive: files.Archive) -> Iterator[Record]:
    """Its conversations, documents of projects, and memories."""
    for name in sorted(archive.names()):
        of = _READ.get(files.base(name))
        if of is None:
            if files.base(name) != "users.json":
                yield Skipped(files.base(name), archive.title, "this file is not of conversations")
            continue
        with archive.open(name) as file:
            for number, found in enumerate(elements(file), 1):
                place = f"{files.base(name)}, entry {number}"
                if isinstance(found, Broken):
                    yield Skipped("entry", place, found.why)
                elif not isinstance(found, dict):
                    yield Skipped("entry", place, "it is not of the form that Claude writes")
                else:
                    yield from of(found, place)


def _conversation(found: dict[str, Any], place: str) -> Iterator[Record]:
    own = text(found.get("uuid")) or place
    messages: list[Said] = []
    unread = tools = 0
    for number, raw in enumerate(items(found.get("chat_messages"))):
        message = mapping(raw)
        words = _words(message)
        unread += len(items(message.get("files")))
        tools += sum(
            text(mapping(block).get("type")) in ("tool_use", "tool_result")
            for block in items(message.get("content"))
        )
        if not words.strip():
            continue
        role = "user" if text(message.get("sender")) in ("human", "user") else "assistant"
        at = moment(message.get("created_at"))
        key = text(message.get("uuid")) or f"#{number}"
        messages.append(Said(key, role, words, at, "claude" if role == "assistant" else ""))  # type: ignore[arg-type]
    if messages:
        began, ended = moment(found.get("created_at")), moment(found.get("updated_at"))
        yield Chat(own, short(text(found.get("name"))), place, tuple(messages), began, ended)
    else:
        yield Skipped("conversation", place, "it has no messages")
    if tools:
        yield Skipped(f"calls and results of tools: {tools}", place, "only what was said comes in")
    if unread:
        yield Skipped(f"files: {unread}", place, "the export has only their names")


def _words(message: dict[str, Any]) -> str:
    blocks = [mapping(block) for block in items(message.get("content"))]
    said = [text(block.get("text")) for block in blocks if text(block.get("type")) == "text"]
    found = "\n\n".join(one for one in said if one.strip()) or text(message.get("text"))
    for attached in map(mapping, items(message.get("attachments"))):
        if content := text(attached.get("extracted_content")).strip():
            name = short(text(attached.get("file_name"))) or "pasted text"
            found = f"{found}\n\n[{name}]\n{content}"
    return found.strip()


def _project(found: dict[str, Any], place: str) -> Iterator[Record]:
    own = text(found.get("uuid")) or place
    name = short(text(found.get("name")))
    began = moment(found.get("created_at"))
    parts = [("description", "", began), ("prompt_template", "instructions", began)]
    bodies = [(text(found.get(key)), title, at) for key, title, at in parts]
    for doc in map(mapping, items(found.get("docs"))):
        at = moment(doc.get("created_at")) or began
        bodies.append((text(doc.get("content")), text(doc.get("filename")), at))
    for body, title, at in bodies:
        thread = short(f"{name}: {title}" if title else name)
        for piece in pieces(body):
            yield Note(
                f"project:{own}:{title}:{piece}",
                piece,
                short(f"{place}, {thread}"),
                "file",
                at,
                thread,
            )


def _memories(found: dict[str, Any], place: str) -> Iterator[Record]:
    bodies = {"": text(found.get("conversations_memory"))}
    bodies |= {key: text(body) for key, body in mapping(found.get("project_memories")).items()}
    for project, body in bodies.items():
        for piece in pieces(body, by_item=True):
            yield Note(
                f"memory:{project}:{piece}",
                piece,
                place,
                "model",
                None,
                short(f"memory {project}".strip()),
            )


_READ = {
    "conversations.json": _conversation,
    "projects.json": _project,
    "memories.json": _memories,
}
