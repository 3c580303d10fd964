"""One folder of KV states as encrypted files: what each is of, reading, writing, deleting.

File names are random. When a state was last used is its file's time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import msgspec
import psutil

from assistant.engine import sealed

_DONE, _DRAFT = ".state", ".draft"


class Saved(msgspec.Struct, frozen=True):
    """A state: what it is of, not the state itself."""

    chat: str
    """Conversation id; empty: of none, such as a system prompt that all chats share."""
    tokens: bytes
    """The tokens whose KV this is: int32, little-endian."""
    refs: tuple[str, ...]
    """Ids of everything in the prompt: memories, turns, the conversation."""
    model: str
    """What can use it; see `states.identity`."""
    bytes: int
    used_at: float
    """Unix time."""
    name: str
    """Random; of the file, without its ending."""

    def has(self, ids: Collection[str]) -> bool:
        """Whether one of these ids is in it."""
        return self.chat in ids or any(ref in ids for ref in self.refs)


class _Header(msgspec.Struct, frozen=True, array_like=True):
    chat: str
    tokens: bytes
    refs: tuple[str, ...]
    model: str


class StateFiles:
    """See the module. Only `write` and `free_bytes` raise OSError."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self._folder, self._key = folder, key
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def free_bytes(self) -> int:
        """Room on the disk."""
        return shutil.disk_usage(self._folder).free

    def names(self) -> set[str]:
        """Of every finished state."""
        return {path.name.removesuffix(_DONE) for path in self._listed(_DONE)}

    def holding(self, ids: Collection[str]) -> list[str]:
        """File names of states, drafts too, with one of these ids in them: after forgetting, none."""
        listed = [(path, True) for path in self._listed(_DONE)]
        listed += [(path, False) for path, _ in self._drafts()]
        found = ((path.name, self._look(path, whole=whole)) for path, whole in listed)
        return sorted(name for name, saved in found if saved is not None and saved.has(ids))

    def look(self, name: str) -> Saved | None:
        """What a state is of. None if it is gone; one that cannot be read is deleted."""
        saved = self._look(self._path(name), whole=True)
        if saved is None:
            _remove(self._path(name))
        return saved

    def read(self, saved: Saved) -> bytearray | None:
        """A state. None if it is gone; one that is damaged is deleted."""
        try:
            data = sealed.read_body(self._path(saved.name), self._key)
        except OSError:
            data = None
        if data is None:
            self.remove(saved)
        return data

    def touch(self, saved: Saved) -> None:
        """Note that it was used."""
        with contextlib.suppress(OSError):
            os.utime(self._path(saved.name), (saved.used_at, saved.used_at))

    def remove(self, saved: Saved) -> None:
        """Delete a state."""
        _remove(self._path(saved.name))

    # --- writing -------------------------------------------------------------------------

    def write(self, saved: Saved, data: bytes | bytearray, go_on: Callable[[], bool]) -> bool:
        """Write a draft. False once `go_on` says no. Raises OSError."""
        header = _Header(saved.chat, saved.tokens, saved.refs, saved.model)
        encoded = msgspec.msgpack.encode(header)
        return sealed.write(self._draft(saved), self._key, encoded, memoryview(data), go_on)

    def publish(self, saved: Saved) -> bool:
        """Make the draft a state. False if another process deleted it."""
        try:
            self._draft(saved).rename(self._path(saved.name))
        except OSError:
            return False
        return True

    def discard(self, saved: Saved) -> None:
        """Delete the draft, if there is one."""
        _remove(self._draft(saved))

    def sweep(self) -> None:
        """Delete the drafts of processes that are gone, and those that this one left."""
        for draft, pid in self._drafts():
            if pid == os.getpid() or not psutil.pid_exists(pid):
                _remove(draft)

    def remove_drafts(self, doomed: Callable[[Saved], bool]) -> None:
        """Delete what other processes are writing; their `publish` then says False."""
        for draft, pid in self._drafts():
            if pid == os.getpid():
                continue
            saved = self._look(draft, whole=False)
            if saved is None or doomed(saved):
                _remove(draft)
                _remove(self._path(draft.name.partition(".")[0]))  # if it was renamed meanwhile

    def sync(self) -> None:
        """Make deletions last through a power cut."""
        if os.name != "posix":
            return
        with contextlib.suppress(OSError):
            descriptor = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    # --- the folder ----------------------------------------------------------------------

    def _path(self, name: str) -> Path:
        return self._folder / (name + _DONE)

    def _draft(self, saved: Saved) -> Path:
        return self._folder / f"{saved.name}.{os.getpid()}{_DRAFT}"

    def _drafts(self) -> Iterator[tuple[Path, int]]:
        """Every draft, and the process that writes it."""
        for path in self._listed(_DRAFT):
            pid = path.name.split(".")[1]
            yield path, int(pid) if pid.isdecimal() else 0

    def _listed(self, ending: str) -> list[Path]:
        try:
            return [path for path in self._folder.iterdir() if path.name.endswith(ending)]
        except OSError:
            return []

    def _look(self, path: Path, *, whole: bool) -> Saved | None:
        try:
            found = sealed.read_header(path, self._key, whole=whole)
            if found is None:
                return None
            header = msgspec.msgpack.decode(found[0], type=_Header)
            return Saved(
                chat=header.chat,
                tokens=header.tokens,
                refs=header.refs,
                model=header.model,
                bytes=found[1],
                used_at=path.stat().st_mtime,
                name=path.name.partition(".")[0],
            )
        except (OSError, msgspec.MsgspecError):
            return None


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        # Windows: another process has it open. Without its first bytes nothing in it can be opened.
        with contextlib.suppress(OSError):
            os.truncate(path, 0)
