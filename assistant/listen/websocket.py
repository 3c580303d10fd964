"""One WebSocket: uvicorn's, with a place in the crowd and no patience for a client that does not read.

A connection becomes one when a client asks for it. What it was before hears no more of it, not even
that it was lost.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.http11 import Response
from websockets.server import ServerProtocol

from assistant.config import RESPONSE_HEADERS
from assistant.errors import Ambiguous, AssistantError, Internal
from assistant.listen.connection import Crowd


class WebSocket(WebSocketsSansIOProtocol):
    """See above. `server_state` is the Crowd it belongs to; its place there was taken before."""

    def __init__(self, config: Config, server_state: Crowd, app_state: dict[str, Any]) -> None:
        super().__init__(config, server_state, app_state)
        self._crowd = server_state
        self._unread = (0.0, math.inf)
        """When the client last read, and how much was left then."""
        self.conn = _Handshake(max_size=config.ws_max_size)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        super().connection_lost(exc)
        self._crowd.leave(self.client[0] if self.client else "")

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        self._unread = (self.loop.time(), math.inf)

    def check(self, now: float) -> None:
        """End it if its client reads nothing. Called about twice a second."""
        left = self.transport.get_write_buffer_size()
        since, before = self._unread
        waiting = left and (not self.writable.is_set() or self.transport.is_closing())
        if not waiting or left < before:
            self._unread = (now, left if waiting else math.inf)
        elif now - since > self._crowd.limits.unread_s:
            self.transport.abort()


class _Handshake(ServerProtocol):
    """Refuses in our words."""

    def reject(self, status: int, text: str) -> Response:
        """An error of ours; `text` would be websockets' words."""
        error: AssistantError = Internal() if status >= 500 else Ambiguous(_NO_HANDSHAKE)
        body = msgspec.json.encode({"error": error.body()})
        headers = Headers([(name.decode(), value.decode()) for name, value in RESPONSE_HEADERS])
        headers["Content-Type"] = "application/json"
        headers["Content-Length"] = str(len(body))
        headers["Connection"] = "close"
        return Response(error.status, "Refused", headers, body)


_NO_HANDSHAKE = "This is no valid WebSocket handshake."
