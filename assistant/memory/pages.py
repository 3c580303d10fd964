"""The plain pages of an encrypted database and of its log, read from the bytes of the files alone.

SQLite shows what a table holds; this shows what is in the file, free pages and old frames of the log
included. The format is SQLCipher 4's: pages of 4,096 bytes, AES-256-CBC, the last 80 bytes of each are
its IV (16) and an HMAC-SHA512 (64) of content, IV and page number; the first 16 of the file are a salt.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from assistant.memory.keys import Key

PAGE_BYTES = 4096
SALT_BYTES, IV_BYTES, TAG_BYTES = 16, 16, 64
_CONTENT = PAGE_BYTES - IV_BYTES - TAG_BYTES
_WAL_HEADER, _FRAME_HEADER = 32, 24
_WAL_MAGIC = (0x377F0682, 0x377F0683)


class Page(NamedTuple):
    """One page as it stands in a file."""

    number: int
    """In the database, from 1; of a frame of the log, the page it is a version of."""
    content: bytes
    genuine: bool
    """Whether its signature holds. One that does not was never written by us, or is damaged."""


def pages(path: Path, key: Key) -> Iterator[Page]:
    """Every page of a database file, in use or free. Raises OSError."""
    with path.open("rb") as file:
        salt = file.read(SALT_BYTES)
        if len(salt) < SALT_BYTES:
            return
        cipher = _Pages(key, salt)
        file.seek(0)
        number = 0
        while len(block := file.read(PAGE_BYTES)) == PAGE_BYTES:
            number += 1
            yield cipher.open(number, block)


def frames(path: Path, database: Path, key: Key) -> Iterator[Page]:
    """Every frame of a log, also of those that hold no more. Raises OSError."""
    with database.open("rb") as file:
        salt = file.read(SALT_BYTES)
    with path.open("rb") as file:
        header = file.read(_WAL_HEADER)
        if len(header) < _WAL_HEADER or struct.unpack_from(">I", header)[0] not in _WAL_MAGIC:
            return
        yield from _frames(file, _Pages(key, salt))


def _frames(file: BinaryIO, cipher: _Pages) -> Iterator[Page]:
    while len(block := file.read(_FRAME_HEADER + PAGE_BYTES)) == _FRAME_HEADER + PAGE_BYTES:
        (number,) = struct.unpack_from(">I", block)
        yield cipher.open(number, block[_FRAME_HEADER:])


def free(path: Path, key: Key) -> frozenset[int]:
    """Numbers of the pages that hold nothing any more. Raises OSError."""
    found: set[int] = set()
    with path.open("rb") as file:
        cipher = _Pages(key, file.read(SALT_BYTES))

        def content(number: int) -> bytes:
            file.seek((number - 1) * PAGE_BYTES)
            block = file.read(PAGE_BYTES)
            return cipher.open(number, block).content if len(block) == PAGE_BYTES else b""

        # The list begins in the header; `content` of page 1 is without the salt.
        trunk = _number(content(1), 32 - SALT_BYTES)
        while trunk and trunk not in found:
            page = content(trunk)
            count = min(_number(page, 4), _CONTENT // 4 - 2)
            found |= {trunk, *(_number(page, 8 + 4 * n) for n in range(count))}
            trunk = _number(page, 0)
    return frozenset(found)


def _number(page: bytes, at: int) -> int:
    return int.from_bytes(page[at : at + 4], "big")


def is_ours(path: Path, key: Key) -> bool:
    """Whether this is a database that the key opens. Raises OSError."""
    first = next(pages(path, key), None)
    return first is not None and first.genuine


class _Pages:
    """Opens the pages of one file."""

    def __init__(self, key: Key, salt: bytes) -> None:
        self._aes = algorithms.AES(key.secret)
        signing_salt = bytes(one ^ 0x3A for one in salt)
        self._signing = hashlib.pbkdf2_hmac("sha512", key.secret, signing_salt, 2, 32)

    def open(self, number: int, block: bytes) -> Page:
        start = SALT_BYTES if number == 1 else 0
        iv = block[_CONTENT : _CONTENT + IV_BYTES]
        signed = hmac.new(self._signing, block[start : _CONTENT + IV_BYTES], hashlib.sha512)
        signed.update(struct.pack("<I", number))
        genuine = hmac.compare_digest(signed.digest(), block[_CONTENT + IV_BYTES :])
        decryptor = Cipher(self._aes, modes.CBC(iv)).decryptor()
        content = decryptor.update(block[start:_CONTENT]) + decryptor.finalize()
        return Page(number, content, genuine)
