"""The sockets themselves."""

import asyncio
import contextlib
import socket

import pytest

from assistant.errors import PortTaken, SocketUnsafe
from assistant.listen.sockets import loopback
from assistant.owner import owners


@pytest.fixture
def sockets():
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(sock) for sock in loopback(0)]


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
        loopback(next(iter(ports)))


def test_the_owners_socket_is_for_the_owner(tmp_path):
    path = tmp_path / "run" / "api.sock"
    with owners(path):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    with owners(path):  # what a killed daemon left is no obstacle
        pass


def test_a_folder_others_may_enter_is_closed_first(tmp_path):
    (tmp_path / "run").mkdir(mode=0o755)
    with owners(tmp_path / "run" / "api.sock"):
        assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700


def test_no_socket_through_anothers_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SocketUnsafe):
        owners(tmp_path / "run" / "api.sock")
    assert not (tmp_path / "elsewhere" / "api.sock").exists()


def test_a_path_too_long_for_a_socket_is_said(tmp_path):
    with pytest.raises(SocketUnsafe):
        owners(tmp_path / ("x" * 120) / "api.sock")
