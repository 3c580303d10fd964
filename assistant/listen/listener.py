"""One door of the daemon: its sockets, its crowd, its clock."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Sequence
from email.utils import formatdate
from typing import Any

import uvicorn

from assistant.config import LIMITS, Limits
from assistant.errors import LanRefused, SocketUnsafe
from assistant.listen.connection import Connection, Crowd
from assistant.listen.sockets import BACKLOG
from assistant.listen.websocket import WebSocket
from assistant.types import Door

log = logging.getLogger(__name__)

CHECK_S = 0.5
GRACE_S = 2.0
"""For answers that were told to end."""
HANDSHAKE_S = 5.0
_BREATH_S = 0.1
_POLL_S = 0.02


class Listener:
    """Serves one application through one door, until closed."""

    def __init__(self, app: Any, door: Door, limits: Limits = LIMITS) -> None:
        self._config = uvicorn.Config(
            app,
            lifespan="off",
            # Left to itself uvicorn takes whatever parsers some other package brought: others than
            # the ones that are tested, and for HTTP one without a limit for headers.
            http=Connection,
            ws=WebSocket,
            ws_max_size=limits.talk_message_bytes,
            ws_per_message_deflate=False,
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=limits.header_bytes,
            timeout_keep_alive=limits.idle_s,
        )
        self._config.load()
        self.crowd = Crowd(door, limits)
        self._servers: list[Any] = []
        self._sockets: list[socket.socket] = []
        self._work: set[asyncio.Task[None]] = set()

    async def start(
        self, sockets: Sequence[socket.socket], tls: ssl.SSLContext | None = None
    ) -> None:
        """Listen on these sockets, which are closed with the listener.

        Raises LanRefused for one that other machines can reach, if there is no `tls`.
        """
        if tls is None and any(not is_local(one) for one in sockets):
            raise LanRefused("Without TLS, Nestor listens on this machine only.")
        self._sockets = list(sockets)
        loop = asyncio.get_running_loop()
        self._tick()
        for one in sockets:
            if tls is not None:
                one.setblocking(False)
                self._spawn(self._accept(one, tls))
            elif one.family == getattr(socket, "AF_UNIX", None):
                self._servers.append(
                    await loop.create_unix_server(self.connection, sock=one, backlog=BACKLOG)
                )
            else:
                self._servers.append(
                    await loop.create_server(self.connection, sock=one, backlog=BACKLOG)
                )
        self._spawn(self._watch())

    async def start_pipe(self, name: str) -> None:
        """Listen on a named pipe of Windows instead. Raises SocketUnsafe if another program has it."""
        loop: Any = asyncio.get_running_loop()
        self._tick()
        try:
            # The first instance of a name is made exclusively, and only this user may write to it.
            self._servers += await loop.start_serving_pipe(self.connection, name)
        except OSError as exc:
            raise SocketUnsafe("The owner's pipe cannot be made.") from exc
        self._spawn(self._watch())

    def connection(self) -> Connection:
        """The protocol of a new connection."""
        return Connection(self._config, self.crowd, {})

    async def close(self) -> None:
        """Take no one else, let answers end for GRACE_S seconds, then hang up."""
        for server in self._servers:
            server.close()
        for task in self._work:
            task.cancel()
        for one in self._sockets:
            one.close()
        for connection in list(self.crowd.connections):
            with contextlib.suppress(Exception):
                connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                while self.crowd.tasks or self.crowd.connections:  # noqa: ASYNC110 - uvicorn's sets
                    await asyncio.sleep(_POLL_S)
        for task in list(self.crowd.tasks):
            task.cancel()
        for connection in list(self.crowd.connections):
            connection.transport.abort()
        await asyncio.gather(*self.crowd.tasks, *self._work, return_exceptions=True)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(CHECK_S)
            self._tick()
            for connection in list(self.crowd.connections):
                if isinstance(connection, Connection | WebSocket):
                    connection.check(loop.time())

    def _tick(self) -> None:
        self.crowd.default_headers = [(b"date", formatdate(usegmt=True).encode())]

    async def _accept(self, listening: socket.socket, tls: ssl.SSLContext) -> None:
        """Take connections one by one: whoever never ends a handshake must not take all places."""
        loop = asyncio.get_running_loop()
        shaking: dict[asyncio.Task[None], str] = {}
        while True:
            try:
                taken, address = await loop.sock_accept(listening)
            except OSError as exc:  # no descriptors left: others will close theirs
                log.warning("a connection could not be taken: %s", type(exc).__name__)
                await asyncio.sleep(_BREATH_S)
                continue
            peer = address[0]
            mine = sum(one == peer for one in shaking.values()) + self.crowd.peers[peer]
            most = self.crowd.door.peer_connections or self.crowd.door.connections
            if len(shaking) >= self.crowd.door.connections or mine >= most:
                taken.close()
                continue
            task = self._spawn(self._shake(taken, tls))
            shaking[task] = peer
            task.add_done_callback(lambda done: shaking.pop(done, None))

    async def _shake(self, taken: socket.socket, tls: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        try:
            taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.connect_accepted_socket(
                self.connection,
                taken,
                ssl=tls,
                ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=GRACE_S,
            )
        except (OSError, TimeoutError):  # ssl.SSLError is an OSError
            taken.close()

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task


def is_local(one: socket.socket) -> bool:
    """Whether only this machine can reach what listens here."""
    if one.family not in (socket.AF_INET, socket.AF_INET6):
        return True
    host = str(one.getsockname()[0])
    return host == "::1" or host.startswith("127.")
