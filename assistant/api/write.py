"""Write For Me: work on a text, and the tone that a device wants."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from assistant.ambient.brief import Operation, Task
from assistant.api.access import needs
from assistant.api.deps import Caller, Use
from assistant.api.disconnect import unless_gone
from assistant.api.replies import event_stream, reply
from assistant.api.schema import STREAM
from assistant.config import LIMITS
from assistant.core.checks import check_text
from assistant.errors import AssistantError
from assistant.types import Event

router = APIRouter(prefix="/api/v1", tags=["write"])

_Tone = Annotated[str, Field(max_length=LIMITS.tone_chars, description="friendly, formal, …")]


class Work(BaseModel):
    """A text and what is to be done with it. `instruction` may refine every operation."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=LIMITS.write_chars)
    operation: Operation
    instruction: str = Field("", max_length=LIMITS.query_chars)
    language: str = Field("", max_length=40, pattern=r"^[^\W_]*(?:[ -][^\W_]+)*$")
    tone: _Tone = ""
    remember_tone: bool = Field(False, description="Keep this tone for this device.")


class Tone(BaseModel):
    """A tone to be remembered for this device; empty: none."""

    model_config = ConfigDict(extra="forbid")

    tone: _Tone


@router.post("/write", openapi_extra=needs("chat") | STREAM)
async def write(use: Use, asks: Caller, request: Request, body: Work) -> Response:
    """Rewrite, shorten, fix, reply, translate, tone or instruct; events as it is written. Nothing is stored.

    `token` is what the model writes, `passage` what stands of it, `result` all of it with its `diff`
    and what to look at (`flags`). Leaving the connection stops it.
    """
    task = Task(body.operation, body.instruction.strip(), body.language, body.tone.strip())
    events = use.writing.stream(task, body.text, asks.id)
    # The prompt is read before the first byte, so that a refusal still has its status.
    first = await unless_gone(request, anext(events))
    if body.remember_tone and task.tone:
        await use.writing.set_tone(asks.id, task.tone)
    return event_stream(_events(first, events))


@router.get("/write/tone", openapi_extra=needs("chat"))
async def tone(use: Use, asks: Caller) -> Response:
    """The tone this device asked to have remembered; empty if none."""
    return reply({"tone": await use.writing.tone(asks.id)})


@router.put("/write/tone", openapi_extra=needs("chat"))
async def set_tone(use: Use, asks: Caller, body: Tone) -> Response:
    """Remember a tone for this device, or drop it."""
    chosen = body.tone.strip()
    if chosen:
        check_text(chosen, LIMITS.tone_chars)
    await use.writing.set_tone(asks.id, chosen)
    return reply({"tone": chosen})


async def _events(first: Event, rest: AsyncGenerator[Event, None]) -> AsyncIterator[Event]:
    last = first
    yield first
    try:
        async with contextlib.aclosing(rest):
            async for event in rest:
                last = event
                yield event
    except AssistantError as exc:
        yield Event(last.id + 1, "failed", {"error": exc.body()})
