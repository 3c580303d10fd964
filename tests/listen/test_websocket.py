"""WebSockets through a listener: their place in the crowd, and clients that do not read."""

import asyncio
import json

import pytest
from listen.conftest import HASTY
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

HANDSHAKE = (
    b"GET /s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n"
)


async def parrot(scope, receive, send):
    """Says everything twice; on `/flood` as much as anybody takes."""
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    if scope["path"] == "/flood":
        for _ in range(4096):
            await send({"type": "websocket.send", "bytes": bytes(65_536)})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "bytes": message["bytes"] * 2})


async def wait_until(true, seconds=5):
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


async def test_its_place_is_given_back(opened):
    """Phones that come and go would otherwise find the door full: 16 for each address."""
    ours = await opened(parrot, peer_connections=2)
    crowd = ours.listener.crowd
    for _ in range(6):
        async with connect(f"ws://127.0.0.1:{ours.port}/s") as socket:
            await socket.send(b"ab")
            assert await socket.recv() == b"abab"
            assert crowd.peers["127.0.0.1"] == 1
        await wait_until(lambda: not crowd.peers)
    async with connect(f"ws://127.0.0.1:{ours.port}/s"), connect(f"ws://127.0.0.1:{ours.port}/s"):
        with pytest.raises(InvalidStatus):
            await connect(f"ws://127.0.0.1:{ours.port}/s")
    await wait_until(lambda: not crowd.connections)


async def test_one_that_does_not_read_is_cut(opened):
    ours = await opened(parrot)
    _, writer = await ours.connect()
    writer.transport.pause_reading()
    writer.write(HANDSHAKE.replace(b"/s", b"/flood") % b"AAAAAAAAAAAAAAAAAAAAAA==")
    await wait_until(lambda: any(c.client for c in ours.listener.crowd.connections))
    begun = asyncio.get_running_loop().time()
    await wait_until(lambda: not ours.listener.crowd.connections, 10)
    assert asyncio.get_running_loop().time() - begun < HASTY.unread_s + 3
    writer.close()


async def test_one_that_reads_slowly_is_not(opened):
    ours = await opened(parrot)
    async with connect(f"ws://127.0.0.1:{ours.port}/flood", max_queue=1) as socket:
        until = asyncio.get_running_loop().time() + 3 * HASTY.unread_s
        while asyncio.get_running_loop().time() < until:
            assert len(await socket.recv()) == 65_536
            await asyncio.sleep(0.02)


async def test_nothing_is_compressed(opened):
    ours = await opened(parrot)
    async with connect(f"ws://127.0.0.1:{ours.port}/s", compression="deflate") as socket:
        assert socket.protocol.extensions == []


@pytest.mark.parametrize(
    "key", [b"", b"x", b"AAAA", b"AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Key: B"]
)
async def test_no_handshake_is_refused_in_our_words(opened, key):
    ours = await opened(parrot)
    said, _ = await ours.say(HANDSHAKE % key)
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"x-content-type-options: nosniff" in head.lower()
    assert json.loads(body)["error"]["code"] == "ambiguous_request"
