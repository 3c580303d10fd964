"""A listener with a small application behind it, in the test's own loop."""

import asyncio
import contextlib
import json

import msgspec
import pytest

from assistant.config import LIMITS
from assistant.listen.listener import Listener
from assistant.listen.sockets import loopback
from assistant.types import Door

HASTY = msgspec.structs.replace(LIMITS, receipt_s=1, unread_s=1, idle_s=2)


async def echo(scope, receive, send):
    """Answers with how many bytes came; `/stream` with 64 MB that nobody need read."""
    assert scope["type"] == "http"
    if scope["path"] == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1024):
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    if scope["path"] == "/wait":
        await asyncio.sleep(30)
    size, more = 0, scope["path"] != "/deaf"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = json.dumps({"bytes": size}).encode()
    head = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


class Open:
    """A running listener, and what a client needs."""

    def __init__(self, listener, port):
        self.listener = listener
        self.port = port

    async def connect(self):
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def say(self, *pieces, pause_s=0.0):
        """Send pieces, then read until the other side hangs up; what it said and the seconds it took."""
        begun = asyncio.get_running_loop().time()
        reader, writer = await self.connect()

        async def drip():
            with contextlib.suppress(OSError):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(pause_s)

        sending = asyncio.create_task(drip())
        said = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(10):
                said = await reader.read()
        sending.cancel()
        writer.close()
        return said, asyncio.get_running_loop().time() - begun


@pytest.fixture
def opened():
    """Opens listeners: `await opened(app, limits=…, connections=…)`."""
    listeners = []

    async def start(app=echo, limits=HASTY, **door):
        (sock, *others) = loopback(0)
        for one in others:
            one.close()
        port = sock.getsockname()[1]
        listener = Listener(app, Door("loopback", (f"127.0.0.1:{port}",), **door), limits)
        listeners.append(listener)
        await listener.start([sock])
        return Open(listener, port)

    yield start
    assert all(not listener.crowd.connections for listener in listeners)


@pytest.fixture(autouse=True)
async def closed(opened):
    """Every listener is closed before the loop is."""
    yield
    for cell in opened.__closure__ or ():
        if isinstance(cell.cell_contents, list):
            for listener in cell.cell_contents:
                await listener.close()
