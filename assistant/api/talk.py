"""The WebSocket `/api/v1/talk`: a microphone up, a voice down, events beside them.

Up: binary messages are 16-bit little-endian samples at 16 kHz; text messages are JSON:
`{"type": "start", "conversation": "c_…", "mode"?, "language"?, "voice"?, "speak"?}`, `{"type": "end"}`,
`{"type": "cancel"}`. Down: binary messages are samples at 24 kHz; text messages are
`{"id": n, "event": "…", "data": {…}}`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from assistant.api import turns
from assistant.api.access import socket_needs
from assistant.api.auth import DEVICE
from assistant.api.deps import own_chat
from assistant.api.services import Services
from assistant.config import LIMITS
from assistant.core.run import Run
from assistant.core.talk import How, Talk
from assistant.errors import AssistantError, Internal, InvalidInput
from assistant.types import Device

log = logging.getLogger(__name__)

router = APIRouter(prefix="/api/v1", tags=["turns"])

PROTOCOL = "nestor.talk.v1"
"""Answered where a client offers it (RFC 6455, 1.9)."""
_Name = Annotated[str, msgspec.Meta(max_length=LIMITS.name_chars)]


class Start(msgspec.Struct, tag="start", tag_field="type", frozen=True):
    """Listen."""

    conversation: _Name
    mode: Literal["hold", "open", "wake"] = "hold"
    language: Annotated[str, msgspec.Meta(pattern=r"^([a-z]{2,3})?$")] = ""
    voice: Annotated[str, msgspec.Meta(pattern=r"^([a-z][a-z0-9-]{0,39})?$")] = ""
    speak: bool = True


class End(msgspec.Struct, tag="end", tag_field="type", frozen=True):
    """The key was let go."""


class Cancel(msgspec.Struct, tag="cancel", tag_field="type", frozen=True):
    """Stop at once."""


_commands: msgspec.json.Decoder[Start | End | Cancel] = msgspec.json.Decoder(Start | End | Cancel)


@router.websocket("/talk")
@socket_needs("chat")
async def talk(socket: WebSocket) -> None:
    """Speak and be answered."""
    services: Services = socket.app.state.services
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(subprotocol=PROTOCOL if PROTOCOL in offered else None)
    wire = _Wire(socket)
    asks: Device = socket.scope[DEVICE]

    async def ask(conversation_id: str, text: str) -> Run:
        services.check_room(asks.id)
        return await turns.begin(services, asks, conversation_id, turns.Question(text=text))

    async def warm(conversation_id: str) -> None:
        chat = await own_chat(services, asks, conversation_id)
        services.drafts.warm(conversation_id, "", chat.classes if chat else asks.sight)

    code = 1000
    try:
        async with services.talks.talk(wire.send, wire.play, ask, warm) as (one, over):
            code = await _until_over(_converse(socket, wire, one), over)
    except AssistantError as exc:
        await wire.send("error", {"error": exc.body()})
        code = 1013
    except (WebSocketDisconnect, ConnectionError):
        return
    except Exception as exc:  # noqa: BLE001 - whatever it was, the client is told
        log.error("talk: %s", type(exc).__name__)  # noqa: TRY400 - a message may quote what was said
        await wire.send("error", {"error": Internal().body()})
        code = 1011
    with contextlib.suppress(RuntimeError, OSError):
        await socket.close(code)


async def _until_over(conversing: Any, over: asyncio.Event) -> int:
    """The code to close with: 1000, or 1001 where the daemon ends."""
    talking, ending = asyncio.ensure_future(conversing), asyncio.ensure_future(over.wait())
    try:
        await asyncio.wait([talking, ending], return_when=asyncio.FIRST_COMPLETED)
        if talking.done():
            talking.result()
            return 1000
        return 1001
    finally:
        for task in (talking, ending):
            task.cancel()
        await asyncio.gather(talking, ending, return_exceptions=True)


async def _converse(socket: WebSocket, wire: _Wire, one: Talk) -> None:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        try:
            if samples := message.get("bytes"):
                await one.audio(samples)
            elif message.get("text"):
                await _obey(one, _command(message["text"]))
        except AssistantError as exc:
            await wire.send("error", {"error": exc.body()})


async def _obey(one: Talk, command: Start | End | Cancel) -> None:
    match command:
        case Start():
            how = How(
                command.conversation,
                command.mode,
                command.language,
                command.voice,
                command.speak,
            )
            await one.start(how)
        case End():
            await one.end()
        case Cancel():
            await one.cancel()


def _command(text: str) -> Start | End | Cancel:
    try:
        return _commands.decode(text)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise InvalidInput(
            "That message is not understood.", "Send start, end or cancel, as the README has them."
        ) from exc


class _Wire:
    """What goes down, one message at a time; nothing once the client has left."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._lock = asyncio.Lock()
        self._number = 0

    async def send(self, event: str, data: dict[str, Any]) -> None:
        async with self._lock:
            self._number += 1
            told = {"id": self._number, "event": event, "data": data}
            with contextlib.suppress(RuntimeError, WebSocketDisconnect, OSError):
                await self._socket.send_text(msgspec.json.encode(told).decode())

    async def play(self, samples: bytes) -> None:
        async with self._lock:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect, OSError):
                await self._socket.send_bytes(samples)
