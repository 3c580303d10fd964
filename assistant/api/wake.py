"""The wake word: whether it is on, what it took for itself, and the user's word on that."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from assistant.api.access import needs
from assistant.api.deps import Use
from assistant.api.replies import reply

router = APIRouter(prefix="/api/v1", tags=["wake word"])


class Marked(BaseModel):
    """`wrong`: nobody had said it."""

    model_config = ConfigDict(strict=True)

    wrong: bool


@router.get("/wakings", openapi_extra=needs("admin"))
async def wakings(use: Use) -> Response:
    """The log of the wake word, latest first; how often it woke for nothing, by the hour of sound."""
    there = use.wakings
    rate = there.false_per_hour()
    return reply(
        {
            "word": there.name,
            "threshold": None if there.name == "off" else there.word.threshold,
            "hours": round(there.log.seconds / 3600, 2),
            "false_per_hour": None if rate is None else round(rate, 2),
            "items": there.log.items[::-1],
            "next": None,
        }
    )


@router.patch("/wakings/{waking_id}", openapi_extra=needs("admin"))
async def mark(use: Use, waking_id: str, body: Marked) -> Response:
    """Say that it was wrong, or that it was not; it becomes as sure as that makes it."""
    return reply(await use.wakings.mark(waking_id, wrong=body.wrong))
