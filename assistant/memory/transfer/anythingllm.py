"""AnythingLLM: its database `anythingllm.db` (SQLite), or an export of chats as JSON Lines or JSON.

Taken from Mintplex-Labs/anything-llm, server/prisma/schema.prisma (commit 70b54787) and
server/utils/helpers/chat/convertTo.js (commit 013fc1e1). Table `workspace_chats`: `prompt`, `response`
(JSON with `text`), `workspaceId`, `thread_id`, `createdAt`; names in `workspaces` and
`workspace_threads`. The JSON Lines export has a workspace a line, `{"messages": [{"role", "content":
[{"type": "text", "text"}]}]}`, without dates or ids; the JSON export a list of `id`, `prompt`,
`response`, `sent_at`, `workspace`. CSV and Alpaca exports say less and are not read.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from assistant.memory.transfer import archive as files
from assistant.memory.transfer.fields import items, mapping, moment, parsed, short, text
from assistant.memory.transfer.jsonlist import Broken, elements, lines
from assistant.memory.transfer.records import Chat, Record, Said, Skipped

LABEL = "AnythingLLM"
LONG = 1_000


def reads(archive: files.Archive) -> bool:
    """Whether this is such a database or export."""
    for name in archive.names():
        if not name.endswith((".db", ".json", ".jsonl")):
            continue
        start = files.head(archive, name, 1 << 16)
        if start.startswith(files.SQLITE):
            with archive.database(name) as db:
                if "workspace_chats" in files.tables(db):
                    return True
        elif start.lstrip().startswith(b'{"messages"') or (
            b'"sent_at"' in start and b'"prompt"' in start and b'"response"' in start
        ):
            return True
    return False


def read(archive: files.Archive) -> Iterator[Record]:
    """Its chats: one conversation for each thread of each workspace."""
    for name in sorted(archive.names()):
        if not name.endswith((".db", ".json", ".jsonl")):
            continue
        start = files.head(archive, name, 64).lstrip()
        if start.startswith(files.SQLITE):
            yield from _database(archive, name)
        elif start.startswith(b"{"):
            yield from _lines(archive, name)
        else:
            yield from _list(archive, name)


def _database(archive: files.Archive, name: str) -> Iterator[Record]:
    with archive.database(name) as db:
        there = files.tables(db)
        spaces = _names(db, "workspaces", there)
        threads = _names(db, "workspace_threads", there)
        order = "workspaceId, thread_id, id"
        rows = map(dict, db.execute(f"SELECT * FROM workspace_chats ORDER BY {order}"))  # noqa: S608
        groups = itertools.groupby(rows, lambda row: (row["workspaceId"], row.get("thread_id")))
        for (space, thread), chats in groups:
            title = " / ".join(filter(None, (spaces.get(space), threads.get(thread))))
            key = f"workspace {space}, thread {thread or 'default'}"
            yield from _chat(key, title, f"{files.base(name)}, {key}", chats)


def _names(db: Any, table: str, there: dict[str, set[str]]) -> dict[Any, str]:
    if not {"id", "name"} <= there.get(table, set()):
        return {}
    return {row["id"]: text(row["name"]) for row in db.execute(f"SELECT id, name FROM {table}")}  # noqa: S608


def _chat(key: str, title: str, place: str, rows: Iterable[dict[str, Any]]) -> Iterator[Record]:
    """A thread; of a very long one, each thousand questions are a conversation."""
    left = iter(rows)
    for part in itertools.count():
        some = list(itertools.islice(left, LONG))
        if part and not some:
            return
        messages: list[Said] = []
        for row in some:
            at = moment(row.get("createdAt") or row.get("sent_at"))
            if question := text(row.get("prompt")):
                messages.append(Said(f"{row.get('id')}", "user", question, at))
            answer, model = _answer(row.get("response"))
            if answer:
                messages.append(Said(f"{row.get('id')}a", "assistant", answer, at, model))
        own = key if not part else f"{key}, part {part + 1}"
        if messages:
            yield Chat(own, short(title), short(place), tuple(messages), linear=True)
        else:
            yield Skipped("chat", short(place), "it has no messages")


def _answer(response: Any) -> tuple[str, str]:
    try:
        found = parsed(response) if isinstance(response, str) else response
    except ValueError:
        return text(response), ""  # the JSON export has the text itself
    if not isinstance(found, dict):
        return text(response), ""
    return text(found.get("text")), text(mapping(found.get("metrics")).get("model"))


def _lines(archive: files.Archive, name: str) -> Iterator[Record]:
    with archive.open(name) as file:
        for number, found in enumerate(lines(file), 1):
            place = f"{files.base(name)}, line {number}"
            if isinstance(found, Broken):
                yield Skipped("workspace", place, found.why)
                continue
            messages = tuple(_listed(items(mapping(found).get("messages"))))
            if messages:
                name = f"Workspace {number}"
                yield Chat(name.lower(), name, place, messages, linear=True)
            else:
                yield Skipped("workspace", place, "it has no messages")


def _listed(messages: list[Any]) -> Iterator[Said]:
    for at, one in enumerate(map(mapping, messages)):
        words = _words(one.get("content"))
        if words and one.get("role") in ("user", "assistant"):
            yield Said(f"#{at}", "user" if one["role"] == "user" else "assistant", words)


def _words(content: Any) -> str:
    parts = [text(mapping(one).get("text")) for one in items(content)]
    return text(content) or "\n".join(one for one in parts if one)


def _list(archive: files.Archive, name: str) -> Iterator[Record]:
    groups: dict[str, list[dict[str, Any]]] = {}
    with archive.open(name) as file:
        for number, found in enumerate(elements(file), 1):
            if isinstance(found, Broken) or not isinstance(found, dict):
                why = found.why if isinstance(found, Broken) else "it is no chat"
                yield Skipped("chat", f"{files.base(name)}, entry {number}", why)
            else:
                groups.setdefault(text(found.get("workspace")), []).append(found)
    for space, rows in groups.items():
        yield from _chat(f"workspace {space}", space, f"{files.base(name)}, {space}", rows)
