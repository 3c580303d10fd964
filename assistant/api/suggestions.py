"""Suggestions: what may be worth keeping, accepted or refused; and how a device learns."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from assistant.api.access import needs
from assistant.api.deps import Caller, Cursor, Limit, Use
from assistant.api.replies import page, reply
from assistant.types import Learning

router = APIRouter(prefix="/api/v1", tags=["suggestions"])


class Mode(BaseModel):
    """`ask`: offer what is new. `auto`: store it, unless it is sensitive. `off`: learn nothing."""

    model_config = ConfigDict(extra="forbid")

    mode: Annotated[Learning, Field(description="ask, auto or off")]


@router.get("/suggestions", openapi_extra=needs("admin"))
async def list_suggestions(use: Use, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """What you said that may be worth keeping, the latest first. Nothing of it is stored yet."""
    rows, following = await use.suggestions.list(cursor=cursor, limit=limit)
    return page(rows, following)


@router.post("/suggestions/{suggestion_id}/accept", openapi_extra=needs("admin"))
async def accept(use: Use, suggestion_id: str) -> Response:
    """Store it, word for word; what it contradicts is closed. Answers what was stored and closed."""
    return reply(msgspec.to_builtins(await use.suggestions.accept(suggestion_id)))


@router.post("/suggestions/{suggestion_id}/reject", openapi_extra=needs("admin"))
async def reject(use: Use, suggestion_id: str) -> Response:
    """Drop it; it is not offered again."""
    await use.suggestions.reject(suggestion_id)
    return reply({"rejected": suggestion_id})


@router.get("/learning", openapi_extra=needs("any"))
async def learning(use: Use, asks: Caller) -> Response:
    """What becomes of what you say on this device: `ask`, `auto` or `off`."""
    return reply({"mode": await use.learner.device_mode(asks.id)})


@router.put("/learning", openapi_extra=needs("memory.write"))
async def set_learning(use: Use, asks: Caller, body: Mode) -> Response:
    """Choose it for this device; a chat or a turn may differ."""
    await use.suggestions.set_mode(asks.id, body.mode)
    return reply({"mode": body.mode})
