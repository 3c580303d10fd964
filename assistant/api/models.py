"""Models: what the catalogue has, fetch, check, choose, remove."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from assistant.api.access import needs
from assistant.api.deps import Use
from assistant.api.replies import event_stream, page, reply
from assistant.api.schema import STREAM
from assistant.config import LIMITS
from assistant.core.checks import check_text
from assistant.errors import AssistantError
from assistant.types import Event

router = APIRouter(prefix="/api/v1/models", tags=["models"])


class Choice(BaseModel):
    """A catalogue id, or the path of a .gguf file on the daemon's machine."""

    model: str = Field(max_length=LIMITS.path_chars)


@router.get("", openapi_extra=needs("chat"))
async def list_models(use: Use) -> Response:
    """The catalogue, smallest first: what is here, and what is in use."""
    return page(use.models.list())


@router.post("/use", openapi_extra=needs("admin"))
async def choose(use: Use, body: Choice) -> Response:
    """Answer with another model from now on, after restarts too."""
    check_text(body.model, LIMITS.path_chars)
    return reply(await use.models.use(body.model))


@router.post("/{model_id}/pull", openapi_extra=needs("admin") | STREAM)
async def pull(use: Use, model_id: str) -> Response:
    """Fetch a model; events `progress`, then `done` or `failed`. Ask again to continue."""
    return await _follow(use.models.pull(model_id))


@router.post("/{model_id}/verify", openapi_extra=needs("admin") | STREAM)
async def verify(use: Use, model_id: str) -> Response:
    """Read the whole file and compare its hash; events as for pull."""
    return await _follow(use.models.verify(model_id))


@router.delete("/{model_id}", openapi_extra=needs("admin"))
async def remove(use: Use, model_id: str) -> Response:
    """Delete a model's file."""
    return reply({"deleted": model_id, "freed_bytes": await use.models.remove(model_id)})


async def _follow(steps: AsyncGenerator[dict[str, Any], None]) -> Response:
    # The first step before the first byte: an unknown id is still a 404 then.
    first = await anext(steps)
    return event_stream(_events(first, steps))


async def _events(
    first: dict[str, Any], steps: AsyncGenerator[dict[str, Any], None]
) -> AsyncIterator[Event]:
    number = 1
    yield Event(number, "progress", first)
    try:
        async with contextlib.aclosing(steps):
            async for step in steps:
                number += 1
                yield Event(number, "progress", step)
    except AssistantError as exc:
        yield Event(number + 1, "failed", {"error": exc.body()})
    else:
        yield Event(number + 1, "done", {})
