"""Those who dawdle are cut off, those who do not never notice. Real sockets, real uvicorn protocol."""

import asyncio
import contextlib
import json
import socket
import time

import pytest
from listen.conftest import HASTY

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


async def test_a_request_gets_its_answer_and_the_connection_stays(opened):
    ours = await opened()
    reader, writer = await ours.connect()
    for _ in range(3):
        writer.write(GET)
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
    writer.close()


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nHost: x\r\n", b"G", POST % 100])
async def test_slow_loris(opened, head):
    """CVE-2007-6750 and every server without a receipt deadline: a byte now and then holds a place."""
    ours = await opened()
    said, seconds = await ours.say(head, *[b"x"] * 50, pause_s=0.2)
    assert b" 408 " in said
    assert json.loads(said.split(b"\r\n\r\n")[1])["error"]["code"] == "too_slow"
    assert seconds < HASTY.receipt_s + 1.5


async def test_nothing_at_all_is_cut_too(opened):
    ours = await opened()
    said, seconds = await ours.say()
    assert said == b""
    assert seconds < HASTY.receipt_s + 1.5


async def test_a_second_request_dripped_on_a_used_connection_is_cut(opened):
    ours = await opened()
    said, seconds = await ours.say(GET + b"GET / HT", *[b"x"] * 50, pause_s=0.2)
    assert said.count(b"HTTP/1.1 ") == 2
    assert b" 408 " in said
    assert seconds < HASTY.receipt_s + 2


async def test_a_body_nobody_waits_for_is_cut(opened):
    """The answer is out before the body is in: the client still hears it, and cannot go on for ever."""
    ours = await opened()
    request = b"POST /deaf HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n"
    said, seconds = await ours.say(request, *[b"x" * 65_536] * 200, pause_s=0.05)
    assert said.startswith(b"HTTP/1.1 200")
    assert seconds < 4


async def test_a_large_upload_may_take_longer(opened):
    ours = await opened()
    pieces = [b"x" * 65_536] * 6
    said, seconds = await ours.say(
        b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        % (6 * 65_536),
        *pieces,
        pause_s=0.4,
    )
    assert b'{"bytes": 393216}' in said
    assert seconds > HASTY.receipt_s


async def test_an_answer_that_takes_long_is_not_cut(opened):
    async def slow(scope, receive, send):
        await asyncio.sleep(HASTY.receipt_s + 1.2)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    ours = await opened(slow)
    said, _ = await ours.say(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 204")


async def test_a_client_that_reads_nothing_is_cut_and_its_work_ends(opened):
    ended = asyncio.Event()

    async def endless(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
                await asyncio.sleep(0)
                if not ours.listener.crowd.connections:
                    return
        finally:
            ended.set()

    ours = await opened(endless)
    begun = time.monotonic()
    _, writer = await ours.connect()
    writer.write(GET)
    await asyncio.wait_for(ended.wait(), HASTY.unread_s + 4)
    assert time.monotonic() - begun >= HASTY.unread_s
    (left,) = {c.transport.get_write_buffer_size() for c in ours.listener.crowd.connections} or {0}
    assert left <= 1 << 20
    writer.close()


async def test_an_answer_left_unread_does_not_hold_its_connection(opened):
    """The rest of it fits into the buffers, so nothing ever waits for the client but the socket."""

    async def big(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * (16 << 20)})

    ours = await opened(big)
    sock = socket.create_connection(("127.0.0.1", ours.port))
    sock.sendall(GET)
    async with asyncio.timeout(HASTY.unread_s + 3):
        while not ours.listener.crowd.connections:
            await asyncio.sleep(0.01)
        while ours.listener.crowd.connections:
            await asyncio.sleep(0.05)
    sock.close()


async def test_a_slow_reader_who_does_read_is_not_cut(opened):
    async def long(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(200):
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    ours = await opened(long)
    reader, writer = await asyncio.open_connection("127.0.0.1", ours.port, limit=4096)
    writer.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    size = 0
    while chunk := await reader.read(262_144):
        size += len(chunk)
        await asyncio.sleep(0.002)
    assert size > 200 * 65_536
    writer.close()


async def test_where_all_places_are_taken_the_idlest_gives_way(opened):
    ours = await opened(limits=HASTY, connections=20)
    idle = [await ours.connect() for _ in range(20)]
    said, seconds = await ours.say(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert said.startswith(b"HTTP/1.1 200")
    assert seconds < 0.5
    for _, writer in idle:
        writer.close()


async def test_where_all_are_in_use_the_newest_is_refused(opened):
    ours = await opened(connections=5)
    busy = [await ours.connect() for _ in range(5)]
    for _, writer in busy:
        writer.write(GET.replace(b"/ ", b"/wait ", 1))
    await asyncio.sleep(0.2)
    said, _ = await ours.say(GET)
    assert b" 503 " in said
    assert b"Retry-After".lower() in said.lower()
    for _, writer in busy:
        writer.close()


async def test_one_address_has_no_more_than_its_share(opened):
    ours = await opened(connections=50, peer_connections=3)
    others = [await ours.connect() for _ in range(3)]
    await asyncio.sleep(0.05)
    assert b" 503 " in (await ours.say(GET))[0]
    others.pop()[1].close()
    await asyncio.sleep(0.1)
    said, _ = await ours.say(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert said.startswith(b"HTTP/1.1 200")
    for _, writer in others:
        writer.close()


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nabcde",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
async def test_what_two_parsers_could_read_differently_is_refused(opened, request_):
    ours = await opened()
    said, _ = await ours.say(request_)
    assert said.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501"))
    assert said.count(b"HTTP/1.1 4") + said.count(b"HTTP/1.1 5") == 1
    assert json.loads(said.split(b"\r\n\r\n")[1])["error"]["code"] == "ambiguous_request"
    assert b"nosniff" in said


async def test_a_thousand_who_dawdle_do_not_keep_the_owner_waiting(opened):
    ours = await opened(limits=HASTY, connections=500)
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(("127.0.0.1", ours.port))
            if not _ % 50:
                await asyncio.sleep(0)
        await asyncio.sleep(0.2)
        said, _ = await ours.say(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert said.startswith(b"HTTP/1.1 200")
        async with asyncio.timeout(HASTY.receipt_s + 3):
            while ours.listener.crowd.connections:
                await asyncio.sleep(0.05)


async def test_a_listener_that_closes_lets_an_answer_end(opened):
    async def soon(scope, receive, send):
        await asyncio.sleep(0.3)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    ours = await opened(soon)
    asking = asyncio.create_task(ours.say(GET))
    await asyncio.sleep(0.1)
    await ours.listener.close()
    assert (await asking)[0].startswith(b"HTTP/1.1 204")
    with pytest.raises(OSError):
        await ours.connect()
