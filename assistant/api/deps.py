"""What routes share: the services, pages of lists, and texts."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request
from pydantic import Field

from assistant.api.auth import DEVICE
from assistant.api.services import Services
from assistant.config import LIMITS
from assistant.errors import ConversationNotFound, TurnNotFound
from assistant.types import Conversation, Device

# Coroutines, though nothing is awaited: FastAPI sends plain functions through a pool of threads.


async def services(request: Request) -> Services:
    """The services; the guard has waited for them."""
    found: Services = request.app.state.services
    return found


async def caller(request: Request) -> Device:
    """Who asks, as the guard found out from the token."""
    found: Device = request.scope[DEVICE]
    return found


Use = Annotated[Services, Depends(services)]
Caller = Annotated[Device, Depends(caller)]
Flag = Annotated[bool, Field(strict=True)]
"""true or false in a body, and nothing that merely looks like it: `"dry_run": "n"` is no dry run."""
Limit = Annotated[int, Query(ge=1, le=LIMITS.page_rows, description="Rows in this page.")]
Cursor = Annotated[
    str | None, Query(max_length=LIMITS.name_chars, description="`next` of the page before.")
]


async def own_chat(use: Services, asks: Device, conversation_id: str) -> Conversation | None:
    """Raise ConversationNotFound for a chat that may hold more than this device may see.

    Whoever sees all of the memory sees all chats (and None is returned, for nothing was read);
    others see those they started while they saw just what they see now.
    """
    if asks.sight is None:
        return None
    found = await use.conversations.get(conversation_id)
    if (found.device, found.classes) != (asks.id, asks.sight):
        raise ConversationNotFound
    return found


async def own_turn(use: Services, asks: Device, turn_id: str) -> None:
    """The same for a turn. Raises TurnNotFound."""
    if asks.sight is not None:
        turn = await use.conversations.turn(turn_id)
        try:
            await own_chat(use, asks, turn.conversation_id)
        except ConversationNotFound as exc:
            raise TurnNotFound from exc
