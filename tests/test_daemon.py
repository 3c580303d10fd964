"""The daemon's own sockets."""

import asyncio
import contextlib
import socket

import pytest

from assistant.api.auth import Auth
from assistant.config import Settings, load_paths
from assistant.daemon import Daemon, _listen
from assistant.errors import PortTaken


@pytest.fixture
def sockets():
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(sock) for sock in _listen(0)]


async def test_no_answer_is_held_back(sockets):
    """Nagle's algorithm and delayed acknowledgements together cost 40 ms an answer."""
    seen = asyncio.Queue()

    async def accept(_reader, writer):
        peer = writer.get_extra_info("socket")
        seen.put_nowait(peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    for sock in sockets:
        async with await asyncio.start_server(accept, sock=sock.dup()):
            host = "::1" if sock.family == socket.AF_INET6 else "127.0.0.1"
            _, writer = await asyncio.open_connection(host, sock.getsockname()[1])
            assert await asyncio.wait_for(seen.get(), 5)
            writer.close()
            await writer.wait_closed()


def test_both_families_share_one_port_and_a_taken_one_is_named(sockets):
    ports = {sock.getsockname()[1] for sock in sockets}
    assert len(ports) == 1
    with pytest.raises(PortTaken, match=str(next(iter(ports)))):
        _listen(next(iter(ports)))


def test_the_parser_of_requests_does_not_depend_on_what_else_is_installed(tmp_path):
    """uvicorn prefers httptools where it is: that one trims Host and has no limit for headers."""
    daemon = Daemon(load_paths({"NESTOR_HOME": str(tmp_path)}), Settings(), Auth("t"), 7717)
    assert daemon._server.config.http == "h11"
