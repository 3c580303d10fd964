"""From files on disk to documents in memory: read, hashed, and held back where nothing changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from assistant.memory.ingest.documents import Document
from assistant.memory.ingest.faults import CHANGING, Unreadable
from assistant.memory.ingest.opening import Missing, hash_of, messages, open_below, read_whole
from assistant.memory.ingest.plan import Known
from assistant.memory.ingest.walk import Found

BATCH_FILES = 32
BATCH_BYTES = 4 << 20
_NO_HASH = b""


class Loaded(msgspec.Struct, frozen=True):
    """A file whose bytes were read."""

    found: Found
    hash: bytes = _NO_HASH
    document: Document | None = None
    """None: nothing to be parsed, because it is the same, is gone or cannot be read."""
    same: bool = False
    problem: str = ""
    missing: bool = False


def batches(files: Sequence[Found]) -> Iterator[list[Found]]:
    """Small files together, a mailbox alone."""
    held: list[Found] = []
    size = 0
    for found in files:
        alone = found.format == "mbox"
        if held and (alone or len(held) == BATCH_FILES or size + found.size > BATCH_BYTES):
            yield held
            held, size = [], 0
        held.append(found)
        size += found.size
        if alone:
            yield held
            held, size = [], 0
    if held:
        yield held


def load(root: Path, found: Found, old: Known | None, *, single: bool, reader: int) -> Loaded:
    """Read one file. Blocks; raises nothing."""
    try:
        with open_below(root, "" if single else found.path) as file:
            data = read_whole(file)
            if os.fstat(file.fileno()).st_mtime_ns != found.changed_ns or len(data) != found.size:
                return Loaded(found, problem=CHANGING)
    except Missing:
        return Loaded(found, missing=True)
    except Unreadable as exc:
        return Loaded(found, problem=exc.reason)
    except OSError:
        return Loaded(found, problem="The disk could not read it.")
    content_hash = hashlib.sha256(data).digest()
    if _same(old, content_hash, reader):
        return Loaded(found, content_hash, same=True)
    return Loaded(found, content_hash, Document(found.format, data))


def _same(old: Known | None, content_hash: bytes, reader: int) -> bool:
    """Whether the bytes are those that were read. What failed is tried again only with new bytes."""
    return (
        old is not None
        and old.hash == content_hash
        and old.reader == reader
        and old.state in ("indexed", "failed")
    )


class Mailbox:
    """An mbox file, message by message. Blocks; use as a context manager."""

    def __init__(self, root: Path, found: Found, *, single: bool) -> None:
        self._file = open_below(root, "" if single else found.path)
        self.hash = hash_of(self._file)
        self._messages = messages(self._file)

    def next(self) -> list[Document]:
        """The next messages, a batch at most; none at the end."""
        held: list[Document] = []
        size = 0
        for data in self._messages:
            held.append(Document("mail", data))
            size += len(data)
            if len(held) == BATCH_FILES or size >= BATCH_BYTES:
                break
        return held

    @property
    def at(self) -> int:
        """How far into the file we are, in bytes."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
