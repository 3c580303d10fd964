"""Who is at the other end of a unix socket or named pipe, as the system itself says."""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import Any

_XUCRED = struct.Struct("IIh")  # version, uid, number of groups (sys/ucred.h of BSD and macOS)
_LOCAL_PEERCRED = 1
_UCRED = struct.Struct("3i")  # pid, uid, gid (unix(7))


def is_owner(connected: Any) -> bool:
    """Whether the program at the other end runs as this user. False wherever the system does not say."""
    try:
        return peer_uid(connected) == os.getuid()
    except (OSError, AttributeError, struct.error):
        return False


def peer_uid(connected: Any) -> int:
    """The user id at the other end. Raises OSError or AttributeError where it cannot be had."""
    if sys.platform == "linux":
        given = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        return int(_UCRED.unpack(given)[1])
    given = connected.getsockopt(0, _LOCAL_PEERCRED, 128)
    return int(_XUCRED.unpack(given[: _XUCRED.size])[1])
