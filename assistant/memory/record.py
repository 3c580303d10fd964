"""Which backups were made, wherever they are: what is forgotten must be told to be in them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from assistant.config import write_private

log = logging.getLogger(__name__)

_CLOCKS_NS = (1, 10_000_000, 2_000_000_000)
"""What disks keep of a time: most all of it, exFAT hundredths, FAT every other second."""


class Made(msgspec.Struct, frozen=True):
    """A backup as it was when all of it had been read back."""

    path: str
    date: str
    bytes: int
    schema: int
    rows: int
    mtime_ns: int
    device: int
    """Of the disk it is on: another one, or none, may be in that place later."""

    def unchanged(self, stat: os.stat_result) -> bool:
        """Whether the file is as it was."""
        times = [self.mtime_ns // clock * clock for clock in _CLOCKS_NS]
        return stat.st_size == self.bytes and stat.st_mtime_ns in times


class Record:
    """The list, in a file of its own: a restored memory must not bring back an older list."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Made]:
        """What was made, without those whose file was deleted; those on a disk that is away stay."""
        return [made for made in self._load() if not _deleted(made)]

    def add(self, made: Made) -> None:
        """Raises OSError."""
        self._save([*(one for one in self.read() if one.path != made.path), made])

    def drop(self, paths: Iterable[str]) -> None:
        """Raises OSError."""
        gone = set(paths)
        self._save([made for made in self.read() if made.path not in gone])

    def _load(self) -> list[Made]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Made])
        except FileNotFoundError:
            return []
        except (msgspec.DecodeError, OSError) as exc:
            log.warning("the list of backups cannot be read: %s", type(exc).__name__)
            return []

    def _save(self, all_made: list[Made]) -> None:
        write_private(self._path, msgspec.json.encode(all_made))


def _deleted(made: Made) -> bool:
    path = Path(made.path)
    try:
        return not path.exists() and path.parent.stat().st_dev == made.device
    except OSError:
        return False
