"""A WebSocket to the daemon's `/api/v1/talk`: samples and commands up, samples and events down."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from assistant.config import Paths
from assistant.errors import AssistantError, Unreachable, revive
from assistant.instance import find

CONNECT_S = 3.0
MESSAGE_BYTES = 4 << 20
_PATH = "/api/v1/talk"
_PROTOCOL = "nestor.talk.v1"


class Told(msgspec.Struct, frozen=True):
    """An event of the talk; the README has them."""

    event: str
    data: dict[str, Any]


class Line:
    """One connection. Whatever is said on it raises Unreachable once it is lost."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    @classmethod
    async def to(cls, paths: Paths) -> Line:
        """To the daemon that runs in these paths. Raises Unreachable, or what the daemon says."""
        from websockets.asyncio.client import connect, unix_connect
        from websockets.exceptions import InvalidHandshake, InvalidStatus

        running = find(paths.lock)
        if running is None:
            raise Unreachable
        how: dict[str, Any] = {
            "subprotocols": [_PROTOCOL],
            "compression": None,
            "open_timeout": CONNECT_S,
            "max_size": MESSAGE_BYTES,
        }
        try:
            if _owners_socket(paths):
                return cls(await unix_connect(str(paths.socket), f"ws://localhost{_PATH}", **how))
            token = paths.token.read_text("ascii").strip()
            how |= {"additional_headers": {"Authorization": f"Bearer {token}"}, "proxy": None}
            return cls(await connect(f"ws://127.0.0.1:{running.port}{_PATH}", **how))
        except InvalidStatus as exc:
            raise _refusal(exc.response.body) from exc
        except (OSError, TimeoutError, InvalidHandshake) as exc:
            raise Unreachable from exc

    async def command(self, **fields: Any) -> None:
        """Send a command."""
        await self._send(json.dumps(fields))

    async def samples(self, samples: bytes) -> None:
        """Send what was heard."""
        await self._send(samples)

    async def messages(self) -> AsyncGenerator[Told | bytes, None]:
        """Events and samples as they come. Ends with Unreachable, unless it was closed here."""
        from websockets.exceptions import ConnectionClosed, ConnectionClosedOK

        try:
            async for message in self._socket:
                if isinstance(message, bytes):
                    yield message
                else:
                    told = json.loads(message)
                    yield Told(told["event"], told["data"])
        except ConnectionClosedOK:
            return
        except ConnectionClosed as exc:
            raise Unreachable(_LOST) from exc

    async def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(Exception):
            await self._socket.close()

    async def _send(self, message: str | bytes) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            await self._socket.send(message)
        except (ConnectionClosed, OSError) as exc:
            raise Unreachable(_LOST) from exc


def _owners_socket(paths: Paths) -> bool:
    """Whether the owner's own way in is there, and is the owner's."""
    if sys.platform == "win32":
        return False
    try:
        about = paths.socket.lstat()
    except OSError:
        return False
    return stat.S_ISSOCK(about.st_mode) and about.st_uid == os.getuid()


def _refusal(body: bytes | bytearray | None) -> AssistantError:
    try:
        told = json.loads(body or b"")["error"]
        return revive(told["code"], told["message"], told["hint"])
    except (ValueError, KeyError, TypeError):
        return Unreachable()


_LOST = "The connection to the daemon was lost."
