"""Everything out in one file, and in again: Nestor's own, or another assistant's."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response, StreamingResponse

from assistant.api.access import needs
from assistant.api.deps import Flag, Use
from assistant.api.faults import invalid
from assistant.api.replies import event_stream
from assistant.api.schema import STREAM
from assistant.config import LIMITS
from assistant.core.checks import check_text
from assistant.errors import AssistantError, InvalidInput
from assistant.types import Event, Origin

router = APIRouter(prefix="/api/v1", tags=["transfer"])

_Password = Annotated[str, Field(max_length=LIMITS.name_chars)]


class Export(BaseModel):
    """How. An unknown field is refused: a mistyped `password` would be a plain file."""

    model_config = ConfigDict(extra="forbid")

    password: _Password = ""
    vectors: Flag = Field(True, description="Without them the file is a third as large.")


class Import(BaseModel):
    """A file on the daemon's machine."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(min_length=1, max_length=LIMITS.path_chars, description="Absolute.")
    password: _Password = ""
    origin: Origin = Field("auto", alias="from", description="What made it.")
    dry_run: Flag = False
    with_forgotten: Flag = Field(False, description="Bring back what was forgotten since, too.")
    mine: list[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(
        [],
        max_length=LIMITS.import_statements,
        description="SHA-256 of each note of another program's that the user said yes to, from the "
        "`notes` of a dry run: it becomes their own.",
    )


_FILE = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


@router.post(
    "/export",
    openapi_extra=needs("admin") | {"responses": {"200": {"content": _FILE}}},
)
async def export(use: Use, body: Export | None = None) -> Response:
    """Everything remembered, as one file. Not encrypted unless there is a password."""
    asked = body or Export(password="", vectors=True)
    pieces = use.transfers.export(asked.password, vectors=asked.vectors)
    # The first piece before the first byte: a refusal is still a status then.
    first = await anext(pieces)
    return StreamingResponse(_whole(first, pieces), media_type="application/octet-stream")


_CONTENT = {
    "application/json": {"schema": Import.model_json_schema()},
    **_FILE,
}
_BODY = {"requestBody": {"required": True, "content": _CONTENT}}


@router.post("/import", openapi_extra=needs("admin") | _BODY | STREAM)
async def import_file(
    use: Use,
    request: Request,
    origin: Annotated[
        Origin, Query(alias="from", description="Of an upload: what made it.")
    ] = "auto",
    dry_run: Annotated[bool, Query(description="Of an upload: change nothing.")] = False,
    with_forgotten: Annotated[
        bool, Query(description="Of an upload: bring back what was forgotten since, too.")
    ] = False,
    password: Annotated[
        str, Header(alias="X-Nestor-Password", description="Of an upload; percent-encoded UTF-8.")
    ] = "",
) -> Response:
    """Import a file: `{"path"}`, or its bytes as the body; events `progress`, then `done` or `failed`.

    What is here already stays as it is, so the same file again adds nothing.
    """
    if _type(request) in ("", "application/json"):
        asked = _asked(await request.body())
        steps = use.transfers.load(
            Path(asked.path),
            asked.password,
            origin=asked.origin,
            dry_run=asked.dry_run,
            with_forgotten=asked.with_forgotten,
            mine=asked.mine,
        )
    else:
        steps = use.transfers.load(
            request.stream(),
            unquote(password),
            origin=origin,
            dry_run=dry_run,
            with_forgotten=with_forgotten,
        )
    # The first step before the first byte: what is refused at once still is a status then.
    return event_stream(_events(await anext(steps), steps))


async def _events(
    first: dict[str, Any], rest: AsyncGenerator[dict[str, Any], None]
) -> AsyncIterator[Event]:
    number, step = 1, first
    try:
        async with contextlib.aclosing(rest):
            yield Event(number, "progress", step)
            async for step in rest:
                number += 1
                if "step" in step:
                    yield Event(number, "progress", step)
    except AssistantError as exc:
        yield Event(number + 1, "failed", {"error": exc.body()})
    else:
        yield Event(number, "done", step)


def _type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _asked(body: bytes) -> Import:
    if not body:
        raise InvalidInput("Say which file to import.", 'Send {"path": …}, or the file itself.')
    try:
        asked = Import.model_validate_json(body)
    except ValidationError as exc:
        raise invalid(exc.errors(include_input=False, include_url=False)) from exc
    check_text(asked.path, LIMITS.path_chars)
    if not Path(asked.path).is_absolute():
        raise InvalidInput("`path` is not absolute.", "Send the whole path of the file.")
    return asked


async def _whole(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    async with contextlib.aclosing(rest):
        yield first
        async for piece in rest:
            yield piece
