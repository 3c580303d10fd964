"""Take little-endian values from a file, one after the other, believing no length.

Plain reads, no mmap: a file that shrinks while it is mapped kills the process that reads it.
"""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path
from typing import BinaryIO

from assistant.errors import ModelInvalid

MAX_HEADER = 128 << 20
"""Bytes of metadata and tensor infos; the largest known vocabularies need about 20 MiB."""
MAX_STRING = 16 << 20
STEP = 2 << 20
"""Bytes read at a time."""

_LENGTH = struct.Struct("<Q")
_BINARY = getattr(os, "O_BINARY", 0)


class Cursor:
    """A place in a file. Memory grows with what was read, never with what a number claims."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self.size = file, size
        self._data = bytearray()
        self._at = 0

    def _length(self, what: str, limit: int) -> int:
        length = int(self._number("Q", what))
        if not length <= limit or length > self.size - self._at:
            raise ModelInvalid(f"The length of {what} ({length}) cannot be right.")
        return length

    def _number(self, form: str, what: str) -> int | float:
        value: int | float = struct.unpack(
            "<" + form, self._take(struct.calcsize("<" + form), what)
        )[0]
        return value

    def _take(self, length: int, what: str) -> bytes:
        end = self._at + length
        if end > len(self._data):
            self._fill(end, what)
        taken = bytes(self._data[self._at : end])
        self._at = end
        return taken

    def _skip(self, length: int, what: str) -> None:
        end = self._at + length
        if end > len(self._data):
            self._fill(end, what)
        self._at = end

    def _fill(self, end: int, what: str) -> None:
        """Read on until `end`."""
        if end > self.size:
            raise ModelInvalid(f"The file is cut off: it ends inside {what}.")
        if end > MAX_HEADER:
            raise ModelInvalid(f"The metadata is larger than {MAX_HEADER >> 20} MiB.")
        wanted = min(self.size, MAX_HEADER, max(end, len(self._data) + STEP))
        self._data += self._file.read(wanted - len(self._data))
        if end > len(self._data):
            raise ModelInvalid("The file became shorter while it was read.")

    def _strings_end(self, count: int, key: str) -> int:
        """Walk an array of strings. The one hot loop: vocabularies have 300,000 of them."""
        at, unpack, data = self._at, _LENGTH.unpack_from, self._data
        for _ in range(count):
            if at + 8 > len(data):
                self._fill(at + 8, key)
            length = unpack(data, at)[0]
            at += 8 + length
            if length > MAX_STRING or at > self.size:
                raise ModelInvalid(f"A string in {key} is too long ({length}) for the file.")
        return at


def open_model(path: Path) -> tuple[BinaryIO, int]:
    """A regular file and its size; anything else (folder, pipe, device) raises ModelInvalid."""
    try:
        # O_NONBLOCK: opening a pipe nobody writes to would wait forever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    except OSError as exc:
        raise ModelInvalid(f"The model file cannot be opened: {exc.strerror}.") from exc
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise ModelInvalid("The model is not a regular file.")
    return os.fdopen(descriptor, "rb"), found.st_size
