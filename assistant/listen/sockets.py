"""The TCP sockets a daemon listens on, bound and ready. The owner's unix socket: see owner.py."""

from __future__ import annotations

import contextlib
import socket
import sys

from assistant.errors import PortTaken

BACKLOG = 1024
"""Connections the system may hold until we take them: what comes on top waits for whole seconds."""


def loopback(port: int) -> list[socket.socket]:
    """On 127.0.0.1 and, where there is one, ::1. Raises PortTaken."""
    first = bind(socket.AF_INET, "127.0.0.1", port)
    sockets = [first]
    if socket.has_ipv6:
        with contextlib.suppress(OSError, PortTaken):
            sockets.append(bind(socket.AF_INET6, "::1", int(first.getsockname()[1])))
    return sockets


def bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    """One TCP socket. Raises PortTaken, with the system's error as its cause."""
    # With the protocol named, asyncio turns Nagle's algorithm off (it looks at `sock.proto`);
    # left at 0, every answer waits 40 ms for a delayed acknowledgement.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # On Windows this option would let another program take the port away from us.
        if sys.platform != "win32":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as exc:
        sock.close()
        raise PortTaken(f"Nothing can listen on port {port}: another program does.") from exc
    return sock
