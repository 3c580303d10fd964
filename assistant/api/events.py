"""What changed, as a stream to every device."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header
from starlette.responses import Response

from assistant.api.access import needs
from assistant.api.deps import Caller, Use
from assistant.api.replies import event_stream, last_seen
from assistant.api.schema import STREAM

router = APIRouter(prefix="/api/v1/events", tags=["events"])


@router.get("", openapi_extra=needs("chat") | STREAM)
async def events(
    use: Use, asks: Caller, last_event_id: Annotated[str | None, Header(max_length=20)] = None
) -> Response:
    """What changes from now on, or after `Last-Event-ID` (`text/event-stream`), without end.

    `conversation`, `turn_started`, `turn_finished`, `memories`, `draft`, `open`, `parcel`, each with
    ids alone. `sync` comes first where nothing, or not all, can be told: read everything anew.
    """
    after = None if last_event_id is None else last_seen(last_event_id)
    return event_stream(use.feed.follow(after, asks.id))
