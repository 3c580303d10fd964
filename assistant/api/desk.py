"""Continuity: drafts and the open conversation, on every device."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from assistant.api.access import needs
from assistant.api.deps import Caller, Use, own_chat
from assistant.api.replies import reply
from assistant.api.services import Services
from assistant.config import LIMITS
from assistant.core.desk import NEW, Opened
from assistant.errors import ConversationNotFound
from assistant.types import Device

router = APIRouter(prefix="/api/v1", tags=["continuity"])


class TypedIn(BaseModel):
    """What is typed now. `client` is any name by which a page knows its own changes."""

    text: str = Field(max_length=LIMITS.turn_chars)
    client: str = Field("", max_length=LIMITS.name_chars)


class OpenedIn(BaseModel):
    """Which conversation is open; null: none."""

    conversation: str | None = Field(max_length=LIMITS.name_chars)
    client: str = Field("", max_length=LIMITS.name_chars)


@router.get("/drafts/{conversation_id}", openapi_extra=needs("chat"))
async def read_draft(use: Use, asks: Caller, conversation_id: str) -> Response:
    """What is typed in a conversation and not asked yet; `new` is the one to come."""
    return reply(use.desk.typed(await _there(use, asks, conversation_id)))


@router.put("/drafts/{conversation_id}", openapi_extra=needs("chat"))
async def write_draft(use: Use, asks: Caller, conversation_id: str, body: TypedIn) -> Response:
    """Show it on every device; an empty text drops it. Kept in memory alone, until it is asked."""
    there = await _there(use, asks, conversation_id)
    return reply(use.desk.type(there, body.text, body.client))


@router.get("/open", openapi_extra=needs("chat"))
async def read_open(use: Use, asks: Caller) -> Response:
    """The conversation that was opened last, on whatever device."""
    opened = use.desk.opened
    if opened.conversation is not None:
        try:
            await own_chat(use, asks, opened.conversation)
        except ConversationNotFound:
            opened = Opened()
    return reply(opened)


@router.put("/open", openapi_extra=needs("chat"))
async def write_open(use: Use, asks: Caller, body: OpenedIn) -> Response:
    """Say which conversation is open here, so that another device can offer to go on with it."""
    if body.conversation is not None:
        await _there(use, asks, body.conversation)
    return reply(use.desk.open(body.conversation, body.client))


async def _there(use: Services, asks: Device, conversation_id: str) -> str:
    """Under what its draft is kept. Raises ConversationNotFound.

    Who does not see all of the memory has a draft of its own for the conversation to come.
    """
    if conversation_id == NEW:
        return NEW if asks.sight is None else f"{NEW}:{asks.id}"
    await use.conversations.get(conversation_id)
    await own_chat(use, asks, conversation_id)
    return conversation_id
