"""The one daemon of a data directory: a lock the system drops with the process, and where it listens."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import IO, Any

import msgspec

from assistant.errors import AlreadyRunning

EXIT_ALREADY_RUNNING = 75  # EX_TEMPFAIL of sysexits.h
_PATIENCE_S = 0.2


class Running(msgspec.Struct, frozen=True):
    """A running daemon."""

    pid: int
    port: int
    version: str


class Instance:
    """Held while the daemon runs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock. Raises AlreadyRunning, naming the holder's pid, if it is taken."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        file = os.fdopen(descriptor, "r+", encoding="ascii")
        # `find` holds the lock for a moment to see whether it is free: that is no daemon.
        deadline = time.monotonic() + _PATIENCE_S
        while not (held := _lock(file)) and time.monotonic() < deadline:
            time.sleep(_PATIENCE_S / 20)
        if not held:
            file.close()
            holder = _read(self._path)
            raise AlreadyRunning.by(holder.pid) if holder else AlreadyRunning()
        self._file = file

    def announce(self, running: Running) -> None:
        """Write down where the daemon listens, for its clients."""
        assert self._file is not None
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps(msgspec.to_builtins(running)))
        self._file.flush()

    def release(self) -> None:
        """Let go. The file stays: removing it would let two daemons hold two files of one name."""
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None


def find(path: Path) -> Running | None:
    """The daemon that holds the lock at `path`; None if none does."""
    try:
        file = path.open("r+", encoding="ascii")
    except OSError:
        return None
    with file:
        if _lock(file):
            return None
    return _read(path)


def _read(path: Path) -> Running | None:
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(path.read_bytes(), type=Running)
    return None


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # Windows locks are mandatory: keep them off the bytes that others read

    def _lock(file: IO[Any]) -> bool:
        try:
            file.seek(_FAR)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        else:
            return True
        finally:
            file.seek(0)

else:
    import fcntl

    def _lock(file: IO[Any]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
