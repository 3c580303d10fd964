"""Sources: which folders and files may be read, how far that is, and taking them back."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from assistant.api.access import needs
from assistant.api.deps import Cursor, Flag, Limit, Use
from assistant.api.replies import page, reply
from assistant.config import LIMITS
from assistant.core.checks import check_text
from assistant.types import FileState

router = APIRouter(prefix="/api/v1/sources", tags=["sources"])


class SourceIn(BaseModel):
    """A folder or file of the daemon's machine, by its absolute path."""

    path: str = Field(max_length=LIMITS.path_chars)
    kind: Literal["folder", "file"] | None = Field(
        None, description="Refused if it is the other; whichever it is, if left out."
    )
    ignore: list[Annotated[str, Field(max_length=LIMITS.title_chars)]] = Field(
        [], max_length=LIMITS.source_patterns, description="Patterns as in .gitignore."
    )
    hidden: Flag = Field(False, description="Read hidden files too. Keys and passwords never are.")


@router.post("", status_code=201, openapi_extra=needs("admin"))
async def add(use: Use, body: SourceIn) -> Response:
    """Allow a folder or file to be read. It is indexed in the background, and followed from then on."""
    check_text(body.path, LIMITS.path_chars)
    for pattern in body.ignore:
        check_text(pattern, LIMITS.title_chars)
    made = await use.sources.add(body.path, kind=body.kind, ignore=body.ignore, hidden=body.hidden)
    return reply(made, 201)


@router.get("", openapi_extra=needs("admin"))
async def list_sources(use: Use) -> Response:
    """What is allowed, with its state and the progress of the work on it, oldest first; then imports."""
    return page(await use.sources.list())


@router.get("/{source_id}", openapi_extra=needs("admin"))
async def read(use: Use, source_id: str) -> Response:
    """One of them."""
    return reply(await use.sources.get(source_id))


@router.get("/{source_id}/files", openapi_extra=needs("admin"))
async def files(
    use: Use,
    source_id: str,
    limit: Limit = 50,
    cursor: Cursor = None,
    state: Annotated[FileState | None, Query(description="Only files in this state.")] = None,
) -> Response:
    """Its files by path; what could not be read says why (`state=failed`)."""
    found, following = await use.sources.files(source_id, cursor=cursor, limit=limit, state=state)
    return page(found, following)


@router.post("/{source_id}/pause", openapi_extra=needs("admin"))
async def pause(use: Use, source_id: str) -> Response:
    """Stop following it, across restarts too. What was read stays."""
    return reply(await use.sources.pause(source_id))


@router.post("/{source_id}/resume", openapi_extra=needs("admin"))
async def resume(use: Use, source_id: str) -> Response:
    """Follow it again; look for changes at once."""
    return reply(await use.sources.resume(source_id))


@router.delete("/{source_id}", openapi_extra=needs("admin"))
async def remove(use: Use, source_id: str) -> Response:
    """Take it back: all that came from it goes for good. 202 if that goes on in the background.

    With an import go its chats, and what was said in them since.
    """
    left = await use.sources.remove(source_id)
    return reply(left, 202) if left else reply({"removed": source_id})
