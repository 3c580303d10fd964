"""A file under a password: scrypt makes the key, AES-256-GCM seals the content in chunks.

    magic 8 | log2 of scrypt's n 1 | r 1 | p 1 | salt 16 | nonce prefix 7 | chunks

All but the chunks is 34 bytes, authenticated with every chunk. A chunk has CHUNK_BYTES of content and
16 of tag; the last one may be shorter, also empty. Its nonce is the prefix, its number (4 bytes, big
endian) and 1 for the last chunk, 0 for others: chunks cannot be swapped, repeated, cut off or added
to (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015). The password is NFC,
UTF-8.
"""

from __future__ import annotations

import io
import secrets
import struct
import unicodedata
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from assistant.errors import ImportInvalid, PasswordWrong

MAGIC = b"NSTEXP\0\1"
CHUNK_BYTES = 1 << 16
TAG_BYTES = 16
LOG_N, R, P = 17, 8, 1
"""128 MiB and about half a second a guess."""
MOST_KDF_BYTES = 256 << 20
"""What a file may make scrypt take."""

_HEADER = struct.Struct(">8sBBB16s7s")


def sealed(content: Iterable[bytes], password: str) -> Iterator[bytes]:
    """The file's bytes, of any content."""
    header = _HEADER.pack(MAGIC, LOG_N, R, P, secrets.token_bytes(16), secrets.token_bytes(7))
    cipher = _cipher(header, password)
    yield header
    waiting = bytearray()
    number = 0
    for piece in content:
        waiting += piece
        while len(waiting) > CHUNK_BYTES:  # more than one: the last is told apart
            chunk = bytes(waiting[:CHUNK_BYTES])
            del waiting[:CHUNK_BYTES]
            yield cipher.encrypt(_nonce(header, number, last=False), chunk, header)
            number += 1
    yield cipher.encrypt(_nonce(header, number, last=True), bytes(waiting), header)


class Unsealed(io.RawIOBase):
    """The content of a sealed file, from its beginning to its end.

    Raises PasswordWrong if the first chunk does not open, ImportInvalid at a later one that does not.
    """

    def __init__(self, file: BinaryIO, password: str) -> None:
        self._file = file
        self._header = file.read(_HEADER.size)
        if len(self._header) < _HEADER.size:
            raise ImportInvalid("The file ends within its first bytes.")
        self._cipher = _cipher(self._header, password)
        self._number = 0
        self._ahead = file.read(CHUNK_BYTES + TAG_BYTES)
        self._open: memoryview = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, target: object) -> int:
        """As RawIOBase."""
        view = memoryview(target).cast("B")  # type: ignore[arg-type]
        while not self._open and not self._ended:
            self._next()
        count = min(len(view), len(self._open))
        view[:count] = self._open[:count]
        self._open = self._open[count:]
        return count

    def _next(self) -> None:
        chunk, self._ahead = self._ahead, self._file.read(CHUNK_BYTES + TAG_BYTES)
        self._ended = not self._ahead
        try:
            nonce = _nonce(self._header, self._number, last=self._ended)
            self._open = memoryview(self._cipher.decrypt(nonce, chunk, self._header))
        except InvalidTag as exc:
            if not self._number:
                raise PasswordWrong from exc
            at = _HEADER.size + self._number * (CHUNK_BYTES + TAG_BYTES)
            raise ImportInvalid(
                f"The file is damaged or cut off between bytes {at:,} and {at + len(chunk):,}."
            ) from exc
        self._number += 1


def _cipher(header: bytes, password: str) -> AESGCM:
    _, log_n, r, p, salt, _ = _HEADER.unpack(header)
    if not (10 <= log_n <= 24 and 1 <= r <= 32 and 1 <= p <= 4):
        raise ImportInvalid("The file's first bytes are damaged.")
    if 128 * r * (1 << log_n) > MOST_KDF_BYTES:
        raise ImportInvalid("Opening this file would take too much memory.")
    plain = unicodedata.normalize("NFC", password).encode()
    return AESGCM(Scrypt(salt=salt, length=32, n=1 << log_n, r=r, p=p).derive(plain))


def _nonce(header: bytes, number: int, *, last: bool) -> bytes:
    return header[-7:] + struct.pack(">IB", number, last)
