"""The sockets a daemon listens on, bound and ready."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
from pathlib import Path

from assistant.errors import PortTaken, SocketUnsafe

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


def owners(path: Path) -> socket.socket:
    """The owner's unix socket, 0600 in a folder of 0700; what an earlier daemon left is replaced.

    Call it with the data directory's lock held. Raises SocketUnsafe.
    """
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        about = folder.lstat()
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
            raise SocketUnsafe
        if stat.S_IMODE(about.st_mode) & 0o077:
            folder.chmod(0o700)
        path.unlink(missing_ok=True)
    except OSError as exc:
        raise SocketUnsafe from exc
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Between bind and chmod only the folder keeps others out.
        listening.bind(str(path))
        path.chmod(0o600)
        listening.listen(BACKLOG)
    except OSError as exc:
        listening.close()
        raise SocketUnsafe from exc
    return listening
