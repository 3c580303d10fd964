"""Orders to the program with the icon, by a socket that only its user can open (a pipe on Windows).

One line of JSON each way, then the connection ends: `{"action": "ask", "arguments": {}}` is answered by
`{"result": …}` or `{"error": {"code", "message", "hint"}}`, when the action is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from assistant.clients.desktop.actions import Actions
from assistant.config import Paths
from assistant.errors import AssistantError, InvalidJson, SocketUnsafe, TrayNotRunning, revive
from assistant.owner import is_owner, owners

LINE_BYTES = 1 << 20
"""An order, or its answer."""
RECEIPT_S = 5.0
"""For a whole order to arrive."""
ANSWER_S = 60.0
"""For it to be done: an action may wait for a window or for the daemon to start."""


class Order(msgspec.Struct, forbid_unknown_fields=True):
    """What is asked for."""

    action: str
    arguments: dict[str, Any] = {}


class Control:
    """Takes orders while it is open. `start` and `close` on the event loop."""

    def __init__(self, paths: Paths, actions: Actions) -> None:
        self._paths, self._actions = paths, actions
        self._servers: list[Any] = []
        self._working: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Call it with the icon's lock held. Raises SocketUnsafe."""
        if sys.platform == "win32":
            loop: Any = asyncio.get_running_loop()
            try:
                self._servers += await loop.start_serving_pipe(
                    self._protocol, self._paths.desktop_pipe
                )
            except OSError as exc:
                raise SocketUnsafe("The pipe for orders cannot be made.") from exc
            return
        listening = owners(self._paths.desktop_socket)
        self._servers.append(
            await asyncio.start_unix_server(self._serve, sock=listening, limit=LINE_BYTES)
        )

    async def close(self) -> None:
        """Take no more orders; those that are being done are left undone."""
        for server in self._servers:
            server.close()
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        if self._servers and sys.platform != "win32":
            with contextlib.suppress(OSError):
                self._paths.desktop_socket.unlink()
        self._servers.clear()

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(limit=LINE_BYTES), self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        try:
            if is_owner(writer.transport):  # to others the line is dead
                answer = await self._answer(reader)
                writer.write(msgspec.json.encode(answer) + b"\n")
                await writer.drain()
        except (OSError, TimeoutError):
            pass  # whoever asked has gone
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> dict[str, Any]:
        try:
            try:
                line = await asyncio.wait_for(reader.readline(), RECEIPT_S)
                order = msgspec.json.decode(line, type=Order)
            except (ValueError, msgspec.DecodeError) as exc:  # ValueError: longer than LINE_BYTES
                raise InvalidJson("An order is one line of JSON with an `action`.") from exc
            return {"result": await self._actions.run(order.action, **order.arguments)}
        except AssistantError as exc:
            return {"error": exc.body()}


def send(paths: Paths, action: str, /, **arguments: Any) -> Any:
    """Have the running icon do something, and wait until it is done.

    Raises TrayNotRunning, and what the action raised.
    """
    order = msgspec.json.encode({"action": action, "arguments": arguments}) + b"\n"
    try:
        with _connected(paths) as stream:
            stream.write(order)
            stream.flush()
            line = stream.readline(LINE_BYTES)
    except OSError as exc:
        raise TrayNotRunning from exc
    if not line:
        raise TrayNotRunning("Nestor's icon ended before it answered.")
    answer = json.loads(line)
    if "error" in answer:
        error = answer["error"]
        raise revive(error["code"], error["message"], error["hint"])
    return answer["result"]


@contextlib.contextmanager
def _connected(paths: Paths) -> Iterator[Any]:
    if sys.platform == "win32":
        from assistant.clients.pipe import open_pipe

        with open_pipe(paths.desktop_pipe) as pipe:
            yield pipe
        return
    about = paths.desktop_socket.lstat()
    if not stat.S_ISSOCK(about.st_mode) or about.st_uid != os.getuid():
        raise SocketUnsafe("The socket of Nestor's icon belongs to another user.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(ANSWER_S)
        sock.connect(str(paths.desktop_socket))
        with sock.makefile("rwb") as stream:
            yield stream
