"""One encrypted file: a header that can be read alone, and a body in chunks. AES-256-GCM throughout.

    magic 8 | file id 16 | length of the sealed header 4 | sealed header | sealed chunks

Each file has its own key (HKDF of the caller's key and the file id), so nonces may count from 0 and
no chunk of one file opens in another. A chunk's nonce is its position, and what it is authenticated
with names the length of the whole body: chunks cannot be swapped, cut off, repeated or mixed.

Overwriting before deleting is left out on purpose: SSDs and copying file systems keep the old blocks
anyway. What protects a deleted file is that its blocks are encrypted.
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"NSTKV\0\0\1"
CHUNK_BYTES = 4 << 20
TAG_BYTES = 16

_START = struct.Struct("<8s16sI")
_BODY = struct.Struct("<Q")
_HEADER_NONCE = b"\xff" * 12  # no chunk has this number


def derive(key: bytes, purpose: bytes, salt: bytes | None = None) -> bytes:
    """32 bytes for one purpose (HKDF, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=purpose).derive(key)


def write(
    path: Path, key: bytes, header: bytes, body: memoryview, go_on: Callable[[], bool]
) -> bool:
    """Write a new file (0600, never over another). `go_on` is asked before each chunk.

    False if it said no; the file is then incomplete. Raises OSError. Nothing is synced: after a
    power cut a file may be short or full of zeros, which its tags show.
    """
    start, cipher = _begin(key, header)
    sealed = cipher.encrypt(_HEADER_NONCE, _BODY.pack(body.nbytes) + header, start)
    out = bytearray(CHUNK_BYTES + TAG_BYTES)
    with open(path, "xb", buffering=0, opener=_private) as file:
        _write_all(file, start + sealed)
        for number, chunk in enumerate(_chunks(body.cast("B"))):
            if not go_on():
                return False
            size = chunk.nbytes + TAG_BYTES
            with memoryview(out)[:size] as target:
                cipher.encrypt_into(*_place(number, start, body.nbytes, chunk), target)
                _write_all(file, target)
    return True


def read_header(path: Path, key: bytes, *, whole: bool = True) -> tuple[bytes, int] | None:
    """The header, and the bytes of the body. None if the file is damaged, cut off or not ours.

    `whole` False reads the header of a file that is still being written. Raises OSError.
    """
    with path.open("rb") as file:
        found = _header(file, key, whole=whole)
    return None if found is None else (found[0], found[1])


def read_body(path: Path, key: bytes) -> bytearray | None:
    """The body. None if one bit of the file is not as it was written. Raises OSError."""
    with path.open("rb", buffering=0) as file:
        found = _header(file, key)
        if found is None:
            return None
        _, size, start, cipher = found
        body = bytearray(size)
        sealed = bytearray(CHUNK_BYTES + TAG_BYTES)
        for number, target in enumerate(_chunks(memoryview(body))):
            with memoryview(sealed)[: target.nbytes + TAG_BYTES] as chunk:
                if _read_all(file, chunk) and _open(cipher, number, start, size, chunk, target):
                    continue
            return None
    return body


def _begin(key: bytes, header: bytes) -> tuple[bytes, AESGCM]:
    file_id = secrets.token_bytes(16)
    start = _START.pack(MAGIC, file_id, _BODY.size + len(header) + TAG_BYTES)
    return start, _cipher(key, file_id)


def _cipher(key: bytes, file_id: bytes) -> AESGCM:
    return AESGCM(derive(key, b"nestor sealed file", file_id))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _chunks(view: memoryview) -> Iterator[memoryview]:
    for at in range(0, view.nbytes, CHUNK_BYTES):
        yield view[at : at + CHUNK_BYTES]


def _place(
    number: int, start: bytes, size: int, data: memoryview
) -> tuple[bytes, memoryview, bytes]:
    """Nonce, data and what is authenticated with them."""
    return number.to_bytes(12, "little"), data, start + struct.pack("<QQ", number, size)


def _open(
    cipher: AESGCM, number: int, start: bytes, size: int, chunk: memoryview, target: memoryview
) -> bool:
    try:
        cipher.decrypt_into(*_place(number, start, size, chunk), target)
    except InvalidTag:
        return False
    return True


def _header(
    file: BinaryIO, key: bytes, *, whole: bool = True
) -> tuple[bytes, int, bytes, AESGCM] | None:
    start = file.read(_START.size)
    if len(start) < _START.size:
        return None
    magic, file_id, length = _START.unpack(start)
    there = os.fstat(file.fileno()).st_size
    if magic != MAGIC or not _BODY.size + TAG_BYTES <= length <= there - _START.size:
        return None
    cipher = _cipher(key, file_id)
    sealed = bytearray(length)
    if not _read_all(file, memoryview(sealed)):
        return None
    try:
        plain = cipher.decrypt(_HEADER_NONCE, sealed, start)
    except InvalidTag:
        return None
    (size,) = _BODY.unpack_from(plain)
    if whole and there != _START.size + length + size + TAG_BYTES * -(-size // CHUNK_BYTES):
        return None
    return plain[_BODY.size :], size, start, cipher


def _read_all(file: BinaryIO, target: memoryview) -> bool:
    at = 0
    while at < target.nbytes:
        count = file.readinto(target[at:])  # type: ignore[attr-defined]
        if not count:
            return False
        at += count
    return True


def _write_all(file: BinaryIO, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view.nbytes:
        view = view[file.write(view) :]
