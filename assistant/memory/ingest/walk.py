"""Look through an allowed folder: which files are there to be read, and what is passed over and why.

Links are never followed, so there are no loops and no way out. Blocks; call it off the event loop.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from assistant.config import LIMITS
from assistant.memory.ingest import names, rules
from assistant.memory.ingest.faults import Unreadable
from assistant.memory.ingest.opening import Missing, _signed, open_below

_IGNORE_BYTES = 64 << 10


class Found(msgspec.Struct, frozen=True):
    """A file to be read."""

    path: str
    """Below the source, with `/`; of a single file, its name."""
    format: str
    size: int
    changed_ns: int
    device: int
    inode: int


class Entry(Protocol):
    """What is looked at of one name in a folder: an `os.DirEntry`, or what stands in for it."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...
    def is_symlink(self) -> bool: ...
    def is_dir(self, *, follow_symlinks: bool = ...) -> bool: ...
    def stat(self, *, follow_symlinks: bool = ...) -> os.stat_result: ...


class Seen(msgspec.Struct, frozen=True):
    """What a walk saw."""

    files: dict[str, Found]
    skipped: dict[str, int]
    """How many files and folders were passed over, by reason."""
    closed: tuple[str, ...] = ()
    """Folders that could not be looked into: what is known of them stays."""
    empty: dict[str, int] = {}
    """Empty folders with their devices: perhaps a drive's place while it is away."""
    places: tuple[str, ...] | None = None
    """Where it looked, nothing below another; None: everywhere."""


class Walk:
    """One source's rules. `forbidden` are folders that are never read, Nestor's own."""

    def __init__(
        self,
        root: Path,
        *,
        ignore: Sequence[str] = (),
        hidden: bool = False,
        forbidden: Sequence[Path] = (),
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.root = root
        self.own = rules.Patterns(ignore)
        self.hidden = hidden
        self.forbidden = {str(path) for path in forbidden}
        self.stopped = stopped

    def folder(self) -> Seen:
        """Everything below the root. Raises OSError if the root itself cannot be read."""
        pass_ = Pass(self)
        pass_.run([Level("", 0, ())])
        return pass_.seen()

    def file(self) -> Seen:
        """The root, which is a file. Raises OSError."""
        found = os.stat(self.root, follow_symlinks=False)  # noqa: PTH116 - of the link itself
        known = names.format_of(self.root.name) or "text"
        if not stat.S_ISREG(found.st_mode):
            return Seen({}, {rules.SPECIAL: 1})
        if found.st_size > _most(known):
            return Seen({}, {rules.TOO_LARGE: 1})
        return Seen({self.root.name: _found(self.root.name, known, found)}, {})


class Level(msgspec.Struct, frozen=True):
    """A folder that is looked through, and the patterns that hold in it, each with its folder."""

    path: str
    depth: int
    patterns: tuple[tuple[str, rules.Patterns], ...]
    maildir: bool = False


class Pass:
    """One look through folders."""

    def __init__(self, walk: Walk, others: int = 0) -> None:
        """`others`: files that count for the limit although it does not look at them."""
        self.walk = walk
        self._others = others
        self._files: dict[str, Found] = {}
        self._skipped: Counter[str] = Counter()
        self._closed: list[str] = []
        self._empty: dict[str, int] = {}

    def seen(self, places: tuple[str, ...] | None = None) -> Seen:
        return Seen(self._files, dict(self._skipped), tuple(self._closed), self._empty, places)

    def run(self, todo: list[Level]) -> None:
        """Look through these folders and all below. Raises OSError if the root cannot be read."""
        while todo and not self.walk.stopped():
            level = todo.pop()
            todo += self._look_into(level)

    def note_closed(self, path: str) -> None:
        """This could not be looked at."""
        self._closed.append(path)

    def note_empty(self, path: str) -> None:
        """Nothing is at a place of this folder; if nothing is in it at all, that is remembered."""
        try:
            with os.scandir(self.walk.root / path) as found:
                empty = next(found, None) is None
            if empty:
                self._empty[path] = _signed(os.stat(self.walk.root / path).st_dev)  # noqa: PTH116
        except OSError:
            self._closed.append(path)

    def _look_into(self, level: Level) -> Iterator[Level]:
        path = self.walk.root / level.path
        try:
            with os.scandir(path) as found:
                entries = sorted(found, key=lambda entry: entry.name)
            device = _signed(os.stat(path).st_dev)  # noqa: PTH116 - once a folder
        except OSError:
            if not level.path:
                raise
            self._closed.append(level.path)
            return
        if not entries:
            self._empty[level.path] = device
        there = {entry.name for entry in entries}
        level = self.with_ignore_files(level, there)
        mail = {"cur", "new", "tmp"} <= there
        for entry in entries:
            try:
                yield from self.entry(entry, level, mail)
            except OSError:  # gone meanwhile, or of a disk that fails
                self._closed.append(join(level.path, entry.name))

    def entry(self, entry: Entry, level: Level, mail: bool) -> Iterator[Level]:
        """One name in a folder, which is a Maildir or not; its own level where it is looked through."""
        if not storable(entry.name):
            self._skipped[rules.NAME] += 1
        elif entry.is_symlink() or _is_junction(entry):
            self._skipped[rules.LINK] += 1
        elif entry.is_dir(follow_symlinks=False):
            yield from self._folder(entry, level, mail)
        else:
            self._file(entry, level)

    def _folder(self, entry: Entry, level: Level, mail: bool) -> Iterator[Level]:
        path = join(level.path, entry.name)
        ours = entry.path in self.walk.forbidden
        reason = rules.OURS if ours else rules.folder_reason(entry.name, hidden=self.walk.hidden)
        # Maildir++ keeps its folders of mail in hidden folders.
        if reason == rules.HIDDEN and mail:
            reason = ""
        if mail and entry.name == "tmp":
            reason = rules.MADE
        if not reason and self._ignored(path, level, folder=True):
            reason = rules.IGNORED
        if not reason and level.depth >= LIMITS.source_depth:
            reason = rules.DEEP
        if reason:
            self._skipped[reason] += 1
        else:
            letters = mail and entry.name in ("cur", "new")
            yield Level(path, level.depth + 1, level.patterns, letters)

    def _file(self, entry: Entry, level: Level) -> None:
        path = join(level.path, entry.name)
        found = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            self._skipped[rules.SPECIAL] += 1
            return
        known = "mail" if level.maildir else names.format_of(entry.name) or ""
        if level.maildir:
            reason = rules.TOO_LARGE if found.st_size > _most(known) else ""
        else:
            reason = rules.file_reason(
                entry.name, found.st_size, _most(known), hidden=self.walk.hidden
            )
        if not reason and self._ignored(path, level, folder=False):
            reason = rules.IGNORED
        if not reason and self._others + len(self._files) >= LIMITS.source_files:
            reason = rules.MANY
        if reason:
            self._skipped[reason] += 1
        else:
            self._files[path] = _found(path, known, found)

    def _ignored(self, path: str, level: Level, *, folder: bool) -> bool:
        said = self.walk.own.says(path, folder=folder)
        if said is not None:
            return said
        for base, patterns in reversed(level.patterns):
            below = path[len(base) + 1 :] if base else path
            said = patterns.says(below, folder=folder)
            if said is not None:
                return said
        return False

    def with_ignore_files(self, level: Level, there: set[str]) -> Level:
        """With the patterns of the ignore files in this folder, of those that are `there`."""
        lines: list[str] = []
        for name in rules.IGNORE_FILES:
            if name in there:
                lines += _lines(self.walk.root, join(level.path, name))
        if not lines:
            return level
        try:
            added = rules.Patterns(lines)
        except Exception:  # noqa: BLE001 - a file of junk ignores nothing
            return level
        return msgspec.structs.replace(level, patterns=(*level.patterns, (level.path, added)))


def _lines(root: Path, path: str) -> list[str]:
    try:
        with open_below(root, path) as file:
            return file.read(_IGNORE_BYTES).decode("utf-8", "replace").splitlines()
    except (Unreadable, Missing, OSError):
        return []


def _found(path: str, known: str, found: os.stat_result) -> Found:
    return Found(
        path,
        known,
        found.st_size,
        found.st_mtime_ns,
        _signed(found.st_dev),
        _signed(found.st_ino),
    )


def _most(known: str) -> int:
    return LIMITS.source_mailbox_bytes if known == "mbox" else LIMITS.source_file_bytes


def join(folder: str, name: str) -> str:
    """The path of a name in a folder; the root is empty."""
    return f"{folder}/{name}" if folder else name


def storable(name: str) -> bool:
    """Whether a name is text; on Unix it may be any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_junction(entry: Entry) -> bool:
    """Windows' links of folders; Python knows them from 3.12 on."""
    return bool(getattr(entry, "is_junction", bool)())
