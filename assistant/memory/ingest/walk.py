"""Look through an allowed folder: which files are there to be read, and what is passed over and why.

Links are never followed, so there are no loops and no way out. Blocks; call it off the event loop.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

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


class Seen(msgspec.Struct, frozen=True):
    """What a walk saw."""

    files: dict[str, Found]
    skipped: dict[str, int]
    """How many files and folders were passed over, by reason."""
    closed: tuple[str, ...] = ()
    """Folders that could not be looked into: what is known of them stays."""
    empty: dict[str, int] = {}
    """Empty folders with their devices: perhaps a drive's place while it is away."""


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
        self._root = root
        self._own = rules.Patterns(ignore)
        self._hidden = hidden
        self._forbidden = {str(path) for path in forbidden}
        self._stopped = stopped

    def folder(self) -> Seen:
        """Everything below the root. Raises OSError if the root itself cannot be read."""
        pass_ = _Pass(self)
        pass_.run()
        return pass_.seen()

    def file(self) -> Seen:
        """The root, which is a file. Raises OSError."""
        found = os.stat(self._root, follow_symlinks=False)  # noqa: PTH116 - of the link itself
        known = names.format_of(self._root.name) or "text"
        if not stat.S_ISREG(found.st_mode):
            return Seen({}, {rules.SPECIAL: 1})
        if found.st_size > _most(known):
            return Seen({}, {rules.TOO_LARGE: 1})
        return Seen({self._root.name: _found(self._root.name, known, found)}, {})


class _Level(msgspec.Struct, frozen=True):
    """A folder that is looked through, and the patterns that hold in it, each with its folder."""

    path: str
    depth: int
    patterns: tuple[tuple[str, rules.Patterns], ...]
    maildir: bool = False


class _Pass:
    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._files: dict[str, Found] = {}
        self._skipped: Counter[str] = Counter()
        self._closed: list[str] = []
        self._empty: dict[str, int] = {}

    def seen(self) -> Seen:
        return Seen(self._files, dict(self._skipped), tuple(self._closed), self._empty)

    def run(self) -> None:
        todo = [_Level("", 0, ())]
        while todo and not self._walk._stopped():
            level = todo.pop()
            todo += self._look_into(level)

    def _look_into(self, level: _Level) -> Iterator[_Level]:
        path = self._walk._root / level.path
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
        level = self._with_ignore_files(level, there)
        mail = {"cur", "new", "tmp"} <= there
        for entry in entries:
            try:
                yield from self._entry(entry, level, mail)
            except OSError:  # gone meanwhile, or of a disk that fails
                self._closed.append(_join(level.path, entry.name))

    def _entry(self, entry: os.DirEntry[str], level: _Level, mail: bool) -> Iterator[_Level]:
        if not _storable(entry.name):
            self._skipped[rules.NAME] += 1
        elif entry.is_symlink() or _is_junction(entry):
            self._skipped[rules.LINK] += 1
        elif entry.is_dir(follow_symlinks=False):
            yield from self._folder(entry, level, mail)
        else:
            self._file(entry, level)

    def _folder(self, entry: os.DirEntry[str], level: _Level, mail: bool) -> Iterator[_Level]:
        path = _join(level.path, entry.name)
        ours = entry.path in self._walk._forbidden
        reason = rules.OURS if ours else rules.folder_reason(entry.name, hidden=self._walk._hidden)
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
            yield _Level(path, level.depth + 1, level.patterns, letters)

    def _file(self, entry: os.DirEntry[str], level: _Level) -> None:
        path = _join(level.path, entry.name)
        found = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            self._skipped[rules.SPECIAL] += 1
            return
        known = "mail" if level.maildir else names.format_of(entry.name) or ""
        if level.maildir:
            reason = rules.TOO_LARGE if found.st_size > _most(known) else ""
        else:
            reason = rules.file_reason(
                entry.name, found.st_size, _most(known), hidden=self._walk._hidden
            )
        if not reason and self._ignored(path, level, folder=False):
            reason = rules.IGNORED
        if not reason and len(self._files) >= LIMITS.source_files:
            reason = rules.MANY
        if reason:
            self._skipped[reason] += 1
        else:
            self._files[path] = _found(path, known, found)

    def _ignored(self, path: str, level: _Level, *, folder: bool) -> bool:
        said = self._walk._own.says(path, folder=folder)
        if said is not None:
            return said
        for base, patterns in reversed(level.patterns):
            below = path[len(base) + 1 :] if base else path
            said = patterns.says(below, folder=folder)
            if said is not None:
                return said
        return False

    def _with_ignore_files(self, level: _Level, there: set[str]) -> _Level:
        lines: list[str] = []
        for name in rules.IGNORE_FILES:
            if name in there:
                lines += _lines(self._walk._root, _join(level.path, name))
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


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _storable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_junction(entry: os.DirEntry[str]) -> bool:
    """Windows' links of folders; Python knows them from 3.12 on."""
    return bool(getattr(entry, "is_junction", bool)())
