"""Open WebUI: its database `webui.db` (SQLite), or its JSON export of chats.

Taken from open-webui/open-webui, backend/open_webui/models/chats.py (commit 00059776) and memories.py
(commit 033ac2ee). Table `chat`: `id`, `title`, `created_at` and `updated_at` in seconds, and `chat`, a
JSON object whose `history` has `messages` by id (`role`, `content`, `parentId`, `childrenIds`,
`timestamp`, `model`) and `currentId`; older ones have a list `messages`. Table `memory`: `id`,
`content`, `created_at`. The JSON export is a list of such chats. Only one person's data is expected in
it; chats of several users all come in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from assistant.memory.transfer import archive as files
from assistant.memory.transfer import tree
from assistant.memory.transfer.fields import items, mapping, moment, parsed, short, text
from assistant.memory.transfer.jsonlist import Broken, elements
from assistant.memory.transfer.records import Chat, Note, Record, Said, Skipped

LABEL = "Open WebUI"


def reads(archive: files.Archive) -> bool:
    """Whether this is such a database or export."""
    for name in archive.names():
        start = files.head(archive, name, 1 << 16) if name.endswith((".db", ".json")) else b""
        if start.startswith(files.SQLITE):
            with archive.database(name) as db:
                if {"title", "chat"} <= files.tables(db).get("chat", set()):
                    return True
        elif b'"chat"' in start and (b'"history"' in start or b'"messages"' in start):
            return True
    return False


def read(archive: files.Archive) -> Iterator[Record]:
    """Its chats and memories."""
    for name in sorted(archive.names()):
        if not name.endswith((".db", ".json")):
            continue
        if files.head(archive, name, 16) == files.SQLITE:
            yield from _database(archive, name)
            continue
        with archive.open(name) as file:
            for number, found in enumerate(elements(file), 1):
                place = f"{files.base(name)}, chat {number}"
                if isinstance(found, Broken):
                    yield Skipped("chat", place, found.why)
                else:
                    yield from _chat(mapping(found), place)


def _database(archive: files.Archive, name: str) -> Iterator[Record]:
    with archive.database(name) as db:
        there = files.tables(db)
        if "chat" in there:
            for row in db.execute("SELECT * FROM chat ORDER BY rowid"):
                yield from _row(dict(row), files.base(name))
        if {"id", "content"} <= there.get("memory", set()):
            for row in db.execute("SELECT * FROM memory ORDER BY rowid"):
                found = dict(row)
                if words := text(found["content"]).strip():
                    at = moment(found.get("created_at"))
                    yield Note(
                        f"memory:{found['id']}", words, f"{files.base(name)}, memory", "file", at
                    )


def _row(found: dict[str, Any], file: str) -> Iterator[Record]:
    place = short(f"{file}, chat {found.get('id')}")
    try:
        found["chat"] = parsed(found["chat"]) if isinstance(found.get("chat"), str) else {}
    except ValueError:
        yield Skipped("chat", place, "it is not valid JSON")
        return
    yield from _chat(found, place)


def _chat(found: dict[str, Any], place: str) -> Iterator[Record]:
    inner = mapping(found.get("chat")) or found
    history = mapping(inner.get("history"))
    nodes = {
        key: node
        for key, node in mapping(history.get("messages")).items()
        if isinstance(node, dict)
    }
    own = text(found.get("id")) or text(inner.get("id")) or place
    title = short(text(found.get("title")) or text(inner.get("title")))
    began, ended = moment(found.get("created_at")), moment(found.get("updated_at"))
    began = began or moment(inner.get("timestamp"))
    if not nodes:
        listed = [mapping(one) for one in items(inner.get("messages"))]
        nodes = {text(one.get("id")) or f"#{at}": one for at, one in enumerate(listed)}
        paths = [tree.Path("", tuple(nodes), shown=True)] if nodes else []
    else:
        shown = text(history.get("currentId"))
        paths = list(tree.paths(nodes, shown, _parent, _children, _role))
    told = False
    for number, path in enumerate(paths, 1):
        messages = tuple(said for key in path.keys if (said := _said(key, nodes[key])))
        if messages:
            told = True
            name = title if path.shown else short(f"{title} (version {number})")
            key = f"{own}#{path.parted}" if path.parted else own
            yield Chat(key, name, place, messages, began, ended)
    if not told:
        yield Skipped("chat", place, "it has no messages")
    if pictures := sum(len(items(node.get("files"))) for node in nodes.values()):
        yield Skipped(f"files: {pictures}", place, "only text comes in")


def _parent(node: tree.Node) -> str:
    return text(node.get("parentId"))


def _children(node: tree.Node) -> list[Any]:
    return items(node.get("childrenIds"))


def _role(node: tree.Node) -> str:
    return text(node.get("role"))


def _said(key: str, node: dict[str, Any]) -> Said | None:
    content = node.get("content")
    parts = [text(mapping(one).get("text")) for one in items(content)]
    words = text(content) or "\n".join(one for one in parts if one)
    if _role(node) not in ("user", "assistant") or not words.strip():
        return None
    role = "user" if _role(node) == "user" else "assistant"
    model = text(node.get("model")) if role == "assistant" else ""
    return Said(key, role, words, moment(node.get("timestamp")), model)  # type: ignore[arg-type]
