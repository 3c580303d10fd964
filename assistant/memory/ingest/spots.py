"""Look only where something changed, with the same result there as a walk through everything.

The way down to each place is checked as the walk checks it: plain folders alone, and the ignore files
of each. Blocks; call it off the event loop.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from assistant.memory.ingest import rules
from assistant.memory.ingest.walk import Level, Pass, Seen, Walk, join

_MAILDIR = frozenset({"cur", "new", "tmp"})


class Unsure(Exception):
    """Only a walk through everything can tell."""


def covering(paths: Collection[str]) -> tuple[str, ...]:
    """The fewest places that hold all these: nothing below another, and a folder whose rules changed whole.

    The empty path is the root.
    """
    places: list[str] = []
    for path in sorted({_place(path) for path in paths}, key=lambda one: (one.count("/"), one)):
        if not any(_below(path, place) for place in places):
            places.append(path)
    return tuple(places)


def look(walk: Walk, places: Collection[str], others: int) -> Seen:
    """What is at these places and below; nothing of a place means that it is gone or passed over.

    `others`: how many files of the source are elsewhere. Raises OSError if the root itself cannot be
    read, Unsure where the names of what is there do not settle it.
    """
    found = Pass(walk, others)
    with os.scandir(walk.root):
        pass
    for place in places:
        if walk.stopped():
            break
        found.run(list(_down(found, place)))
    return found.seen(places=tuple(places))


def _place(path: str) -> str:
    """What has to be looked at when this changed."""
    folder, _, name = path.rpartition("/")
    return folder if name in rules.IGNORE_FILES or name in _MAILDIR else path


def _below(path: str, place: str) -> bool:
    return not place or path == place or path.startswith(f"{place}/")


def _down(found: Pass, place: str) -> Iterator[Level]:
    """Step down to a place; its level where it is a folder. A file is noted in `found`."""
    level = Level("", 0, ())
    for name in place.split("/"):
        parent = found.walk.root / level.path
        if not _is_called(parent, name):
            return found.note_empty(level.path)
        level = found.with_ignore_files(level, _there(parent))
        step = _Step(parent / name)
        try:
            below = list(found.entry(step, level, _is_maildir(parent)))
        except FileNotFoundError:
            return found.note_empty(level.path)
        except OSError:
            return found.note_closed(join(level.path, name))
        if not below:
            return None
        (level,) = below
    yield level
    return None


def _there(folder: Path) -> set[str]:
    return {name for name in rules.IGNORE_FILES if os.path.lexists(folder / name)}


def _is_maildir(folder: Path) -> bool:
    return all((folder / name).is_dir() for name in _MAILDIR)


def _is_called(folder: Path, name: str) -> bool:
    """Whether something in the folder has exactly this name.

    Raises Unsure where the system finds it, but calls it something else: upper case, or other accents.
    """
    if not os.path.lexists(folder / name):
        return False
    if sys.platform != "linux" and name not in os.listdir(folder):  # noqa: PTH208 - names alone
        raise Unsure
    return True


class _Step:
    """One entry of a folder, as `os.DirEntry` has it, without reading the whole folder."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.path = str(path)
        self._stat = os.lstat(path)

    def is_symlink(self) -> bool:
        return stat.S_ISLNK(self._stat.st_mode)

    def is_junction(self) -> bool:
        return bool(getattr(os.path, "isjunction", lambda _: False)(self.path))

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        del follow_symlinks  # never
        return stat.S_ISDIR(self._stat.st_mode)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        del follow_symlinks
        return self._stat
