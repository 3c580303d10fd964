"""One HTTP connection that may not dawdle: uvicorn's, with a clock and a place in a crowd.

uvicorn waits for ever for a request that arrives a byte at a time, and for ever for a client that
does not read its answer. Here `check`, called about twice a second, ends both.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import h11
import msgspec
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from assistant.config import LIMITS, RESPONSE_HEADERS, Limits
from assistant.errors import Ambiguous, AssistantError, TooManyConnections, TooSlow
from assistant.owner import is_owner
from assistant.types import Door

_LINGER_S = 2.0
"""For a client that still sends a body nobody wants, to see its answer before it is cut off."""

_REMEMBERED = 64


class Crowd(ServerState):
    """Everyone who is connected through one door."""

    def __init__(self, door: Door, limits: Limits = LIMITS) -> None:
        super().__init__()
        self.door = door
        self.limits = limits
        self.peers: Counter[str] = Counter()
        self.seen: set[str] = set()
        """Some addresses that ever connected; `nestor pair --diagnose` counts them."""

    def full_for(self, peer: str) -> bool:
        """Whether this address has as many connections as one may have."""
        most = self.door.peer_connections
        return bool(most) and self.peers[peer] >= most

    def leave(self, peer: str) -> None:
        """A connection from this address is lost."""
        self.peers[peer] -= 1
        if self.peers[peer] <= 0:
            del self.peers[peer]

    def make_room(self, newest: Connection) -> bool:
        """End the connection that has been idle longest, if there are too many; whether that worked."""
        if len(self.connections) <= self.door.connections:
            return True
        others = (c for c in self.connections if isinstance(c, Connection) and c is not newest)
        idle = [c for c in others if c.idle_since and not c.transport.is_closing()]
        if not idle:
            return False
        min(idle, key=lambda one: one.idle_since).abort()
        return True


class Connection(H11Protocol):
    """See above. `server_state` is the Crowd it belongs to."""

    server_state: Crowd

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it in, unless who connects may not, or there is no room."""
        super().connection_made(transport)
        self._begun: float | None = self.loop.time()
        """When the request that is arriving now began to; None while none is."""
        self._since = self._begun
        """When it last became idle."""
        self._received = 0
        self._unread = (0.0, 0)
        """When the answer last got shorter, and how much was left then."""
        self._refused = 0.0
        """When it was; what still comes is thrown away."""
        self._peer = self.client[0] if self.client else ""
        crowd = self.server_state
        full = crowd.full_for(self._peer)
        crowd.peers[self._peer] += 1
        if len(crowd.seen) < _REMEMBERED:
            crowd.seen.add(self._peer)
        if crowd.door.name == "socket" and not is_owner(transport):
            self.abort()
        elif full or not crowd.make_room(self):
            self._refuse(TooManyConnections(retry_after_s=crowd.limits.receipt_s))

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        super().connection_lost(exc)
        self.server_state.leave(self._peer)

    def data_received(self, data: bytes) -> None:
        """More of a request."""
        if self._refused or self.transport.is_closing():
            return
        super().data_received(data)
        self._received += len(data)
        if self.conn.their_state in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED):
            self._begun = None
        elif self._begun is None:
            self._begun, self._received = self.loop.time(), 0

    def on_response_complete(self) -> None:
        """The answer is written; what is left unread of it is watched."""
        self._since = self.loop.time()
        super().on_response_complete()

    @property
    def idle_since(self) -> float:
        """When it became idle, in the loop's time; 0 while a request is being answered."""
        answering = self.cycle is not None and not self.cycle.response_complete
        return 0.0 if answering else self._since

    def check(self, now: float) -> None:
        """End it if its request or its answer has been under way for too long."""
        if not self._unread_too_long(now):
            self._arriving_too_long(now)

    def eof_received(self) -> None:
        """The client will send no more; the transport closes."""

    def abort(self) -> None:
        """End it now, whatever is still to be sent."""
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Not HTTP: refused in our words rather than uvicorn's."""
        self._refuse(Ambiguous())

    # --- clocks -------------------------------------------------------------------------------

    def _arriving_too_long(self, now: float) -> None:
        if self.transport.is_closing():
            return None
        if self._begun is None:
            # A pipelined request that lay in the buffer already, or a body nobody waited for.
            if self.conn.their_state is h11.SEND_BODY or self._half_a_head():
                self._begun, self._received = now, 0
            return None
        limits = self.server_state.limits
        patience = limits.receipt_s + self._received / limits.upload_bytes_s
        answered = self.cycle is not None and self.cycle.response_complete
        if answered and self.conn.their_state is h11.SEND_BODY:
            patience = min(patience, now - self._since + _LINGER_S)
            if now - self._since > _LINGER_S:
                return self.abort()
        if now - self._begun <= patience:
            return None
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and self._received:
            return self._refuse(TooSlow())
        return self.abort()

    def _half_a_head(self) -> bool:
        return self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])

    def _unread_too_long(self, now: float) -> bool:
        left = self.transport.get_write_buffer_size()
        # While more is written to it, a buffer may grow though it is read from.
        growing = not self.flow.write_paused and self.idle_since == 0.0
        since, before = self._unread
        if not left or growing or not before or left < before:
            self._unread = (now, 0 if growing else left)
        elif now - since > self.server_state.limits.unread_s:
            self.abort()
            return True
        return False

    def _refuse(self, error: AssistantError) -> None:
        """Answer at once, outside any application, and hang up."""
        if self.cycle is not None and not self.cycle.response_complete:
            if self.cycle.response_started:
                return self.abort()
            self.cycle.response_started = self.cycle.response_complete = True
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._refused = self.loop.time()
        self.transport.write(refusal(error))
        # Closed with bytes unread, the system would reset the connection and the answer be lost.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()
        return None


def refusal(error: AssistantError) -> bytes:
    """An error as a whole HTTP/1.1 response after which the connection is closed."""
    body = msgspec.json.encode({"error": error.body()})
    headers: list[tuple[bytes, Any]] = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *RESPONSE_HEADERS,
    ]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(max(1, round(error.retry_after_s))).encode()))
    lines = [b"HTTP/1.1 %d Refused" % error.status, *(b"%s: %s" % pair for pair in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
