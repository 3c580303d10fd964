"""Warm before asked: called when a chat is opened, a key goes down, or typing pauses."""

from __future__ import annotations

import contextlib

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from assistant.api.access import needs
from assistant.api.deps import Caller, Use, own_chat
from assistant.api.replies import reply
from assistant.api.schema import also
from assistant.config import LIMITS
from assistant.errors import AssistantError

router = APIRouter(prefix="/api/v1", tags=["turns"])


class Warm(BaseModel):
    """What may be asked soon. Without a conversation: the first question of a new one."""

    model_config = ConfigDict(extra="forbid")

    conversation: str | None = Field(None, max_length=LIMITS.name_chars)
    draft: str | None = Field(
        None, max_length=LIMITS.turn_chars, description="What has been typed so far."
    )


@router.post("/warm", status_code=202, openapi_extra=needs("chat") | also(200))
async def warm(use: Use, asks: Caller, body: Warm) -> Response:
    """Load the model, read the chat and what the draft recalls ahead; answers at once how far that is.

    200 when all is ready or nothing can be done, 202 while it goes on; ask again to see. It never
    fails, never waits in the queue and never delays an answer. The latest draft of a conversation
    replaces the one before.
    """
    classes = asks.sight
    if body.conversation:
        chat = await own_chat(use, asks, body.conversation)
        if chat is None and body.draft:
            with contextlib.suppress(AssistantError):  # never fails: what is wrong shows below
                chat = await use.conversations.get(body.conversation)
        classes = chat.classes if chat else classes
    warmth = use.drafts.warm(body.conversation or "", body.draft or "", classes)
    return reply(warmth, 202 if warmth.state in ("loading", "warming") else 200)
