"""The owner's own doors: sockets that no other user can open, and who is at their other end."""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import struct
import sys
from pathlib import Path
from typing import Any

import psutil

from assistant.errors import SocketUnsafe

_BACKLOG = 1024
_XUCRED = struct.Struct("IIh")  # version, uid, number of groups (sys/ucred.h of BSD and macOS)
_LOCAL_PEERCRED = 1
_UCRED = struct.Struct("3i")  # pid, uid, gid (unix(7))


def owners(path: Path) -> socket.socket:
    """The owner's unix socket, 0600 in a folder of 0700; what an earlier daemon left is replaced.

    Call it with the lock held of what listens there. Raises SocketUnsafe.
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
        listening.listen(_BACKLOG)
    except OSError as exc:
        listening.close()
        raise SocketUnsafe from exc
    return listening


def is_owner(transport: Any) -> bool:
    """Whether the program at the other end runs as this user. False wherever the system does not say."""
    try:
        if (pipe := transport.get_extra_info("pipe")) is not None:
            return bool(user_of(pipe_client(pipe.handle)) == psutil.Process().username())
        return peer_uid(transport.get_extra_info("socket")) == os.getuid()
    except (OSError, AttributeError, struct.error, psutil.Error):
        return False


def peer_uid(connected: Any) -> int:
    """The user id at the other end. Raises OSError or AttributeError where it cannot be had."""
    if sys.platform == "linux":
        given = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        return int(_UCRED.unpack(given)[1])
    given = connected.getsockopt(0, _LOCAL_PEERCRED, 128)
    return int(_XUCRED.unpack(given[: _XUCRED.size])[1])


def pipe_client(handle: int) -> int:
    """The process id at the other end of a named pipe of Windows. Raises OSError or AttributeError."""
    process_id = ctypes.c_ulong()
    kernel: Any = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    if not kernel.GetNamedPipeClientProcessId(ctypes.c_void_p(handle), ctypes.byref(process_id)):
        raise OSError("the client of the pipe is not known")
    return process_id.value


def user_of(process_id: int) -> str:
    """The name of the user a process runs as. Raises psutil.Error."""
    return str(psutil.Process(process_id).username())
