"""Remember this: what was on the screen, as a quoted note."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from assistant.ambient.captures import Capture
from assistant.api.access import needs
from assistant.api.deps import Caller, Use
from assistant.api.replies import reply
from assistant.api.schema import also
from assistant.config import LIMITS
from assistant.core.checks import check_text

router = APIRouter(prefix="/api/v1", tags=["captures"])

_Name = Annotated[str, Field(max_length=LIMITS.title_chars)]


class Seen(BaseModel):
    """What was selected, or read from a picture of the screen later (`part`), and where."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{8,64}$", description="Made anew for each capture.")
    text: str = Field(max_length=LIMITS.memory_chars)
    title: _Name = ""
    app: _Name = ""
    address: str = Field("", max_length=LIMITS.query_chars, pattern=r"^(?:https?://\S+)?$")
    part: Literal["", "screen"] = ""


@router.post("/captures", status_code=201, openapi_extra=needs("memory.write") | also(200))
async def capture(use: Use, asks: Caller, body: Seen) -> Response:
    """Keep what was on the screen as a quoted note. The same `id` again stores nothing and answers 200."""
    check_text(body.text, LIMITS.memory_chars)
    for given in (body.title, body.app, body.address):
        if given:
            check_text(given, LIMITS.query_chars)
    scope = asks.classes[0].removesuffix("/*") if asks.classes else ""
    kept, new = await use.captures.keep(
        Capture(f"{asks.id}:{body.id}", body.text, body.title, body.app, body.address, body.part),
        scope,
    )
    if new:
        use.feed.tell("memories", {})
    return reply(msgspec.to_builtins(kept), 201 if new else 200)
