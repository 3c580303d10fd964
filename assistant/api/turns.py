"""Turns: ask, follow, come back, cancel."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Header
from pydantic import BaseModel, Field
from starlette.responses import Response

from assistant.api.access import needs
from assistant.api.conversations import shown_turn
from assistant.api.deps import Caller, Flag, Use, own_chat, own_turn
from assistant.api.replies import event_stream, last_seen, reply
from assistant.api.schema import STREAM
from assistant.api.services import Services
from assistant.config import LIMITS
from assistant.core.run import Run
from assistant.types import Device, Learning

router = APIRouter(prefix="/api/v1", tags=["turns"])


class Question(BaseModel):
    """What to ask. `memory` false leaves memories out of the prompt; `store` false stores nothing.

    `learn`: `ask`, `auto` or `off`, where it is to differ from the chat's and the device's choice.

    `overflow`: where older turns no longer fit, go on without them (the receipt names them) or refuse.
    """

    text: str = Field(max_length=LIMITS.turn_chars)
    memory: Flag = True
    store: Flag = True
    learn: Learning | None = None
    overflow: Literal["truncate", "error"] = "truncate"


@router.post("/conversations/{conversation_id}/turns", openapi_extra=needs("chat") | STREAM)
async def ask(use: Use, asks: Caller, conversation_id: str, body: Question) -> Response:
    """Ask, and get the turn's events as they come (`text/event-stream`).

    The answer goes on when the connection is lost: come back with GET turns/{id}/events, or
    end it with DELETE turns/{id}.
    """
    run = await begin(use, asks, conversation_id, body)
    return event_stream(run.log.follow())


async def begin(use: Services, asks: Device, conversation_id: str, question: Question) -> Run:
    """Begin a turn for a device, with what it may see. Raises as core.turn.Turns.start does."""
    await own_chat(use, asks, conversation_id)
    # Whoever sees some memories only commands none, and what they say is not taken for the owner's.
    whole_memory = asks.sight is None and "memory.write" in asks.scopes
    return await use.turns.start(
        conversation_id,
        question.text,
        recall=question.memory,
        store=question.store and whole_memory,
        command=whole_memory,
        learning=question.learn,
        whole=question.overflow == "error",
        device=asks.id,
    )


@router.get("/turns/{turn_id}", openapi_extra=needs("chat"))
async def read(use: Use, asks: Caller, turn_id: str) -> Response:
    """One turn as logged."""
    await own_turn(use, asks, turn_id)
    return reply(shown_turn(await use.conversations.turn(turn_id)))


@router.get("/turns/{turn_id}/events", openapi_extra=needs("chat") | STREAM)
async def events(
    use: Use,
    asks: Caller,
    turn_id: str,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> Response:
    """A turn's events after `Last-Event-ID`, live if it is still being answered."""
    after = last_seen(last_event_id or "0")
    await own_turn(use, asks, turn_id)
    return event_stream(await use.turns.events(turn_id, after))


@router.delete("/turns/{turn_id}", openapi_extra=needs("chat"))
async def cancel(use: Use, asks: Caller, turn_id: str) -> Response:
    """Stop a turn. One that has finished stays as it is."""
    await own_turn(use, asks, turn_id)
    return reply(shown_turn(await use.turns.cancel(turn_id)))
