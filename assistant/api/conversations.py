"""Conversations: create, list, read, rename, delete."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from assistant.api.access import needs
from assistant.api.backups import deleted
from assistant.api.deps import Caller, Cursor, Flag, Limit, Use, own_chat
from assistant.api.replies import page, reply
from assistant.config import LIMITS
from assistant.core.checks import check_text
from assistant.errors import TurnRunning
from assistant.types import Conversation, Learning, Turn

router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])


class NewConversation(BaseModel):
    """A conversation to be."""

    title: str = Field("", max_length=LIMITS.title_chars)
    learn: Learning | Literal[""] = ""
    memory: Flag = True


class Change(BaseModel):
    """What to change. `memory` false: memories are not used in it; `learn`: what is learnt from it."""

    title: str | None = Field(None, max_length=LIMITS.title_chars)
    learn: Learning | Literal[""] | None = None
    memory: Flag | None = None


@router.post("", status_code=201, openapi_extra=needs("chat"))
async def create(use: Use, asks: Caller, body: NewConversation | None = None) -> Response:
    """Start a conversation. Without a title it takes one from its first question."""
    title = body.title.strip() if body else ""
    if title:
        check_text(title, LIMITS.title_chars)
    body = body or NewConversation(title="")
    made = await use.conversations.create(
        title=title,
        system=use.system_prompt,
        device=asks.id,
        classes=asks.sight,
        learn=body.learn,
        memory=body.memory,
    )
    use.feed.tell("conversation", {"id": made.id})
    return reply(_shown(made), 201)


@router.get("", openapi_extra=needs("chat"))
async def list_conversations(
    use: Use, asks: Caller, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Conversations, the latest first."""
    rows, following = await use.conversations.list(
        cursor=cursor, limit=limit, device=asks.id, classes=asks.sight
    )
    return page([_shown(row) for row in rows], following)


@router.get("/{conversation_id}", openapi_extra=needs("chat"))
async def read(use: Use, asks: Caller, conversation_id: str) -> Response:
    """One conversation with its turns, oldest first."""
    await own_chat(use, asks, conversation_id)
    found = await use.conversations.get(conversation_id)
    turns = await use.conversations.turns(conversation_id)
    return reply(_shown(found) | {"turns": [shown_turn(turn) for turn in turns]})


@router.patch("/{conversation_id}", openapi_extra=needs("chat"))
async def change(use: Use, asks: Caller, conversation_id: str, body: Change) -> Response:
    """Give it another title, or say whether memories are used in it and what is learnt from it."""
    if body.title is not None:
        check_text(body.title, LIMITS.title_chars)
    await own_chat(use, asks, conversation_id)
    title = body.title.strip() if body.title else None
    changed = await use.conversations.update(
        conversation_id, title=title, learn=body.learn, memory=body.memory
    )
    use.feed.tell("conversation", {"id": conversation_id})
    return reply(_shown(changed))


@router.delete("/{conversation_id}", openapi_extra=needs("chat"))
async def delete(use: Use, asks: Caller, conversation_id: str) -> Response:
    """Delete a conversation and all its turns, for good; answers which backups still hold it."""
    await own_chat(use, asks, conversation_id)
    if use.turns.running(conversation_id):
        raise TurnRunning
    turns = await use.conversations.delete(conversation_id)
    use.feed.tell("conversation", {"id": conversation_id, "deleted": True})
    use.desk.gone(conversation_id)
    await use.forgetting.conversation(conversation_id, turns)
    return await deleted(use, {"deleted": conversation_id})


def _shown(row: Conversation) -> dict[str, object]:
    return {
        "id": row.id,
        "title": row.title,
        "learn": row.learn,
        "memory": row.memory,
        "profile": [{"id": one, "text": line} for one, line in row.pinned],
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def shown_turn(turn: Turn) -> dict[str, object]:
    """A turn as clients see it."""
    return {
        "id": turn.id,
        "conversation": turn.conversation_id,
        "text": turn.text,
        "reply": turn.reply,
        "status": turn.status,
        "model": turn.model,
        "receipt": turn.receipt,
        "error": turn.error,
        "started_at": turn.started_at,
        "finished_at": turn.finished_at,
    }
