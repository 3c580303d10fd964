"""Values as responses: JSON, lists, event streams, and the one form of error."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import msgspec
from starlette.responses import Response, StreamingResponse

from assistant.errors import AssistantError, InvalidInput
from assistant.types import Event

KEEP_ALIVE_S = 15.0
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error",
                 429: "rate_limit_error"}  # fmt: skip


def reply(value: Any, status: int = 200) -> Response:
    """A value of ours as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def page(items: Sequence[Any], following: str | None = None) -> Response:
    """A list, as all lists are sent."""
    return reply({"items": items, "next": following})


def error_body(error: AssistantError, path: str) -> dict[str, Any]:
    """The one form of error; on `/v1/` with the fields OpenAI's clients look for."""
    body: dict[str, Any] = dict(error.body())
    if path.startswith("/v1/"):
        kind = "invalid_request_error" if error.status < 500 else "server_error"
        body |= {"type": _OPENAI_TYPES.get(error.status, kind), "param": None}
    return {"error": body}


def error_reply(error: AssistantError, path: str) -> Response:
    """An error as a response, with Retry-After and WWW-Authenticate where they belong."""
    response = reply(error_body(error, path), error.status)
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def last_seen(header: str) -> int:
    """The number in a `Last-Event-ID`. Raises InvalidInput."""
    if not (header.isascii() and header.isdigit()):
        raise InvalidInput("Last-Event-ID is not a number.", "Send the id of the last event seen.")
    return int(header)


def event_stream(events: AsyncIterator[Event]) -> StreamingResponse:
    """Events as `text/event-stream` (HTML standard, 9.2), with a comment now and then."""
    frames = (encode(event) async for event in events)
    return StreamingResponse(keep_alive(frames), media_type="text/event-stream")


def encode(event: Event) -> bytes:
    """One event on the wire. JSON has no raw newline, so one `data:` line is enough."""
    data = json.dumps(event.data, ensure_ascii=False, separators=(",", ":"))
    return f"id: {event.id}\nevent: {event.event}\ndata: {data}\n\n".encode()


async def keep_alive(frames: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The frames, and a comment whenever nothing came for a while, so that no proxy hangs up."""
    ready: asyncio.Queue[bytes | None] = asyncio.Queue()
    pumping = asyncio.create_task(_pump(frames, ready))
    try:
        while True:
            try:
                async with asyncio.timeout(KEEP_ALIVE_S):
                    frame = await ready.get()
            except TimeoutError:
                frame = b": still here\n\n"
            if frame is None:
                break
            yield frame
        await pumping
    finally:
        pumping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pumping


async def _pump(frames: AsyncGenerator[bytes, None], ready: asyncio.Queue[bytes | None]) -> None:
    try:
        async with contextlib.aclosing(frames):
            async for frame in frames:
                ready.put_nowait(frame)
    finally:
        ready.put_nowait(None)
