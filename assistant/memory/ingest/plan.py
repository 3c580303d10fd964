"""Pure: what a look through a folder means for what is remembered of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from assistant.memory.ingest.walk import Found, Seen


class Known(msgspec.Struct, frozen=True):
    """A file as it was when it was last read."""

    id: str
    path: str
    hash: bytes
    size: int
    changed_ns: int
    device: int
    inode: int
    state: str
    reader: int
    """Version of the readers that read it."""
    problem: str = ""


class Plan(msgspec.Struct, frozen=True):
    """What to do."""

    read: tuple[Found, ...] = ()
    """New and changed files."""
    same: int = 0
    """Files that are as they were."""
    same_bytes: int = 0
    gone: tuple[Known, ...] = ()
    """Files that are not there any more."""
    away: tuple[Known, ...] = ()
    """Files that cannot be seen now, although nobody removed them: what is known of them stays."""


def plan(seen: Seen, known: Mapping[str, Known], reader: int) -> Plan:
    """Compare."""
    read, same, same_bytes = [], 0, 0
    for path, found in seen.files.items():
        old = known.get(path)
        if old is None or changed(found, old, reader):
            read.append(found)
        else:
            same, same_bytes = same + 1, same_bytes + found.size
    missing = [one for path, one in known.items() if path not in seen.files]
    away = [one for one in missing if is_away(one, seen)]
    kept = {one.id for one in away}
    gone = tuple(one for one in missing if one.id not in kept)
    return Plan(tuple(read), same, same_bytes, gone, tuple(away))


def changed(found: Found, old: Known, reader: int) -> bool:
    """Whether a file may differ from what was read. Its bytes decide later."""
    return (
        (found.size, found.changed_ns, found.inode) != (old.size, old.changed_ns, old.inode)
        or old.reader != reader
        or old.state in ("partial", "unavailable")
    )


def is_away(old: Known, seen: Seen) -> bool:
    """Whether a missing file lies in a folder that could not be looked into, or on a drive that is away.

    An unmounted drive leaves its folder, empty, and on another device.
    """
    for folder in _folders(old.path):
        if folder in seen.closed:
            return True
        if folder in seen.empty:
            return seen.empty[folder] != old.device
    return old.path in seen.closed


def _folders(path: str) -> Iterable[str]:
    """The folders a file lies in, the innermost first; the root is empty."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
    yield ""


class Chunk(msgspec.Struct, frozen=True):
    """A passage that is stored."""

    seq: int
    hash: bytes


class Diff:
    """Compares new passages, as they come, with the stored ones of the same file.

    What is the same from the beginning on stays as it is; from the first difference on all is stored
    anew, in order, so that neighbours stay neighbours. No text is embedded twice: vectors go by text.
    """

    def __init__(self, stored: Sequence[Chunk]) -> None:
        self._stored = stored
        self._kept = 0
        self._diverged = False

    def is_new(self, content_hash: bytes) -> bool:
        """Whether the next passage, of this hash, has to be stored."""
        if not self._diverged and self._kept < len(self._stored):
            if self._stored[self._kept].hash == content_hash:
                self._kept += 1
                return False
            self._diverged = True
        return True

    def rest(self) -> tuple[int, ...]:
        """After the last passage: the stored ones that are no longer in the file, by `seq`."""
        return tuple(chunk.seq for chunk in self._stored[self._kept :])
