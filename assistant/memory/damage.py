"""Pages whose signature is wrong, heard of as they are read.

SQLCipher 4.19 hands such a page out as zeros and only lets what is read after it fail: a long text is
found empty, words are missing from the index, and the statement succeeds. Its log is the one place
that tells. So the log goes to a file without a name, and whoever reads compares its length before and
after. The zeros stay in that connection's cache: it is of no use any more.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any

from assistant.errors import Damaged

log = logging.getLogger(__name__)

_MOST_BYTES = 1 << 20
_lock = threading.Lock()
_file = -1


def listen(connection: Any) -> None:
    """Have the library's log written where `seen` reads it: once a process, by its first connection."""
    global _file
    with _lock:
        if _file >= 0:
            return
        _file, name = tempfile.mkstemp(prefix="nestor-")
        quoted = name.replace("'", "''")
        connection.execute(f"PRAGMA cipher_log = '{quoted}'")
        connection.execute("PRAGMA cipher_log_level = ERROR")
        try:
            os.unlink(name)  # noqa: PTH108
        except OSError:  # Windows deletes no open file
            atexit.register(_remove, name)


def seen() -> int:
    """A number that changes when a damaged page was read, by whichever thread."""
    if _file < 0:
        return 0
    _flush(None)
    size = os.fstat(_file).st_size
    if size > _MOST_BYTES:
        os.ftruncate(_file, 0)
    return size


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """Raise Damaged if a damaged page is read in here, whatever came of it otherwise."""
    before = seen()
    try:
        yield
    except Exception as exc:
        if seen() != before:
            raise Damaged from exc
        raise
    if seen() != before:
        log.error("a page of the memory's database is damaged")
        raise Damaged


def _remove(name: str) -> None:
    with contextlib.suppress(OSError):
        os.close(_file)
        os.unlink(name)  # noqa: PTH108


def _flusher() -> Callable[[None], int]:
    """The C library's `fflush`: what SQLCipher logs stays in its buffer otherwise."""
    library = ctypes.cdll.LoadLibrary("ucrtbase") if sys.platform == "win32" else ctypes.CDLL(None)
    flush: Callable[[None], int] = library.fflush
    return flush


_flush = _flusher()
