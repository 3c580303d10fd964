"""Memories: create, list, read, correct, delete, search, import."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.responses import Response

from assistant.api.access import needs
from assistant.api.backups import deleted
from assistant.api.deps import Caller, Cursor, Limit, Use
from assistant.api.faults import invalid
from assistant.api.replies import page, reply
from assistant.api.services import Services
from assistant.config import LIMITS
from assistant.core.checks import check_text
from assistant.core.moments import parse_moment
from assistant.errors import (
    AssistantError,
    InvalidInput,
    InvalidJson,
    MemoryNotFound,
    ScopeMissing,
)
from assistant.types import Device, Kind, Memory, NewMemory, in_classes

router = APIRouter(prefix="/api/v1", tags=["memories"])

_Name = Annotated[str | None, Field(max_length=LIMITS.title_chars)]


class MemoryIn(BaseModel):
    """A memory to be stored. `thread` groups rows whose neighbours belong together."""

    text: str = Field(max_length=LIMITS.memory_chars)
    kind: Kind = "note"
    said_at: str | None = Field(None, max_length=64, description="ISO 8601; now if left out.")
    source: _Name = None
    speaker: _Name = None
    thread: _Name = None
    scope: _Name = Field(None, description="What it belongs to: `work`, `work/berlin`, …")

    def value(self, asks: Device) -> NewMemory:
        """As stored. Raises EmptyText, InvalidInput, ScopeMissing."""
        check_text(self.text, LIMITS.memory_chars)
        for name in (self.source, self.speaker, self.thread, self.scope):
            if name:
                check_text(name, LIMITS.title_chars)
        return NewMemory(
            text=self.text.strip(),
            kind=self.kind,
            said_at=parse_moment(self.said_at),
            source=self.source or None,
            speaker=self.speaker or None,
            thread=self.thread or None,
            scope=_scope(self.scope, asks),
        )


class MemoryEdit(BaseModel):
    """What to change. A new `text` supersedes: the old one stays as history."""

    text: str | None = Field(None, max_length=LIMITS.memory_chars)
    kind: Kind | None = None
    importance: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)


class Search(BaseModel):
    """What to look for."""

    query: str = Field(max_length=LIMITS.query_chars)
    k: int = Field(10, ge=1, le=LIMITS.search_rows)
    kinds: list[Kind] | None = Field(None, max_length=16)
    as_of: str | None = Field(None, max_length=64, description="What held at this time.")


_Import = TypeAdapter(list[MemoryIn])


@router.post("/memories", status_code=201, openapi_extra=needs("memory.write"))
async def create(use: Use, asks: Caller, body: MemoryIn) -> Response:
    """Remember. The row is on disk when this answers; its vector follows."""
    made = await use.memories.add(body.value(asks))
    use.feed.tell("memories", {})
    return reply(made, 201)


@router.get("/memories", openapi_extra=needs("memory.read"))
async def list_memories(
    use: Use,
    asks: Caller,
    limit: Limit = 50,
    cursor: Cursor = None,
    kind: Kind | None = None,
    closed: Annotated[bool, Query(description="Superseded ones too.")] = False,
) -> Response:
    """Memories, the latest first."""
    rows, following = await use.memories.list(
        cursor=cursor, limit=limit, kind=kind, include_closed=closed, classes=asks.sight
    )
    return page(rows, following)


@router.post("/memories/search", openapi_extra=needs("memory.read"))
async def search(use: Use, asks: Caller, body: Search) -> Response:
    """The nearest memories, best first. Superseded ones only with `as_of`."""
    check_text(body.query, LIMITS.query_chars)
    found = await use.memories.recall(
        body.query,
        k=body.k,
        kinds=body.kinds,
        as_of=parse_moment(body.as_of),
        classes=asks.sight,
    )
    return page([_hit(row) for row in found])


_ROWS = {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/MemoryIn"}}
_CONTENT = {
    "application/json": {"schema": _ROWS},
    "application/x-ndjson": {"schema": {"type": "string"}},
}


@router.post(
    "/memories/import",
    status_code=201,
    openapi_extra=needs("memory.write") | {"requestBody": {"required": True, "content": _CONTENT}},
)
async def import_memories(use: Use, asks: Caller, request: Request) -> Response:
    """Store many: a JSON list, or JSON Lines (`application/x-ndjson`).

    Everything is checked before anything is stored; then one transaction per batch.
    """
    kind = request.headers.get("content-type", "")
    rows = await asyncio.to_thread(_parse, await request.body(), kind, asks)
    stored: list[str] = []
    for at in range(0, len(rows), LIMITS.import_batch_rows):
        batch = await use.memories.add_many(rows[at : at + LIMITS.import_batch_rows])
        stored += [memory.id for memory in batch]
    use.feed.tell("memories", {})
    return reply({"imported": len(stored), "ids": stored}, 201)


@router.get("/memories/{memory_id}", openapi_extra=needs("memory.read"))
async def read(use: Use, asks: Caller, memory_id: str) -> Response:
    """One memory, superseded or not."""
    return reply(await visible(use, asks, memory_id))


@router.patch("/memories/{memory_id}", openapi_extra=needs("memory.write"))
async def edit(use: Use, asks: Caller, memory_id: str, body: MemoryEdit) -> Response:
    """Correct a memory. With a new text this answers the new row; the old one is its history.

    A device that may write but not read is told the new row's id alone.
    """
    if body.text is not None:
        check_text(body.text, LIMITS.memory_chars)
    await visible(use, asks, memory_id)
    text = body.text.strip() if body.text else None
    changed = await use.memories.edit(
        memory_id, text=text, kind=body.kind, importance=body.importance
    )
    use.feed.tell("memories", {})
    return reply(changed if in_classes(changed.scope, asks.sight) else {"id": changed.id})


@router.delete("/memories/{memory_id}", openapi_extra=needs("memory.write"))
async def delete(use: Use, asks: Caller, memory_id: str) -> Response:
    """Delete a memory and what was derived from it, for good; answers which backups still hold it."""
    await visible(use, asks, memory_id)
    await use.memories.delete(memory_id)
    use.turns.forget([memory_id])
    use.feed.tell("memories", {})
    return await deleted(use, {"deleted": memory_id})


@router.get("/memories/{memory_id}/history", openapi_extra=needs("memory.read"))
async def history(use: Use, asks: Caller, memory_id: str) -> Response:
    """Every version of a memory, oldest first."""
    await visible(use, asks, memory_id)
    return page(await use.memories.history(memory_id))


async def visible(use: Services, asks: Device, memory_id: str) -> Memory:
    """A memory that this device may know of. Raises MemoryNotFound."""
    found = await use.memories.get(memory_id)
    # Not `sight`: to correct or delete takes memory.write, and the id, which reading gave it.
    if not in_classes(found.scope, asks.classes):
        raise MemoryNotFound
    return found


def _scope(scope: str | None, asks: Device) -> str:
    """The scope of a new memory: the one that is named or, for a device kept to some, its first."""
    if scope is None and asks.classes:
        return asks.classes[0].removesuffix("/*")
    if not in_classes(scope or "", asks.classes):
        raise ScopeMissing("This device may not store memories of that scope.")
    return scope or ""


def _parse(body: bytes, content_type: str, asks: Device) -> list[NewMemory]:
    if content_type.partition(";")[0].strip().lower() == "application/json":
        records = _list(body)
    else:
        lines = [line for line in body.split(b"\n") if line.strip()]
        records = [_line(line, number) for number, line in enumerate(lines, 1)]
    if not records:
        raise InvalidInput("There is nothing to import.", "Send at least one memory.")
    try:
        parsed = _Import.validate_python(records)
    except ValidationError as exc:
        raise invalid(exc.errors(include_input=False, include_url=False)) from exc
    return [_value(record, number, asks) for number, record in enumerate(parsed, 1)]


def _list(body: bytes) -> list[object]:
    records = msgspec.json.decode(body) if body else None
    if not isinstance(records, list):
        raise InvalidInput("An import is a JSON list of memories.", 'Send [{"text": …}, …].')
    return records


def _line(line: bytes, number: int) -> object:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise InvalidJson(f"Line {number} is not valid JSON.") from exc


def _value(record: MemoryIn, number: int, asks: Device) -> NewMemory:
    try:
        return record.value(asks)
    except AssistantError as exc:
        raise type(exc)(f"Memory {number}: {exc.message}", exc.hint) from exc


def _hit(row: object) -> dict[str, object]:
    return dict(msgspec.to_builtins(row))
