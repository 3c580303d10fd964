"""The backups there are: found, told apart from other people's files, and removed."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from assistant.config import Paths, Settings
from assistant.errors import BackupFailed, StoreError
from assistant.memory import copies, database
from assistant.memory.copies import Contents
from assistant.memory.keys import Key
from assistant.memory.migrations import REPLACED
from assistant.memory.record import Made, Record
from assistant.types import Backup, Purged, timestamp

log = logging.getLogger(__name__)

_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"memory-(\d{8}T\d{6}Z)(?:-\d+)?\.db")
_REPLACED = re.compile(rf"memory\.db{re.escape(REPLACED)}(\d{{8}}T\d{{6}}Z)(?:-\d+)?")


def stamp(date: str) -> str:
    """A date as part of a file's name: no colons, which Windows does not take."""
    return datetime.fromisoformat(date).astimezone(UTC).strftime(_STAMP)


def free_name(folder: Path, form: str) -> Path:
    """A path in `folder` that nothing has; `{}` in `form` becomes empty, `-2`, `-3` …

    Later ones have higher numbers, also where earlier ones are gone. Raises OSError.
    """
    before, after = (re.escape(part) for part in form.split("{}"))
    taken = re.compile(rf"{before}(?:-(\d+))?{after}")
    names = [taken.fullmatch(path.name) for path in folder.iterdir()]
    number = max((int(name[1] or 1) for name in names if name), default=0) + 1
    return folder / form.format("" if number == 1 else f"-{number}")


def backup_folder(paths: Paths, settings: Settings) -> Path:
    """Where backups go if nothing else is said. Makes nothing."""
    chosen = settings.backup_folder
    return Path(chosen).expanduser().absolute() if chosen else paths.backups


class Kept:
    """The backups of one memory, wherever they were put. Blocks; every method reads the disk."""

    def __init__(self, paths: Paths, folder: Path, key: Key) -> None:
        self._paths = paths
        self._folder = folder
        self._key = key
        self._record = Record(paths.backup_record)
        self._looked: dict[tuple[str, int, int], Contents | None] = {}

    def add(self, path: Path, date: str, contents: Contents) -> Backup:
        """Note a backup that has just been verified. Raises BackupFailed if it cannot be noted."""
        try:
            stat = path.stat()
            made = Made(
                path=str(path),
                date=date,
                bytes=stat.st_size,
                schema=contents.schema,
                rows=contents.rows,
                mtime_ns=stat.st_mtime_ns,
                device=stat.st_dev,
            )
            self._record.add(made)
        except OSError as exc:
            raise BackupFailed("The backup was made, but the list of backups not written.") from exc
        return _recorded(made)

    def all(self) -> list[Backup]:
        """Every backup, also those that are out of reach, and what restores replaced; newest first."""
        made = {one.path: one for one in self._record.read()}
        found = {path: _recorded(one) for path, one in made.items()}
        for folder, pattern, kind in (
            (self._folder, _NAME, "backup"),
            (self._paths.data, _REPLACED, "replaced"),
        ):
            for path, name in _matching(folder, pattern):
                if str(path) not in found and not _same(path, self._paths.database):
                    found[str(path)] = self._unrecorded(path, name, kind)
        return sorted(found.values(), key=_age, reverse=True)

    def prune(self, keep: int) -> None:
        """Remove what is older than the newest `keep` verified backups in the usual folder."""
        here = [b for b in self.all() if b.folder == str(self._folder) and b.kind == "backup"]
        verified = [one for one in here if one.verified]
        if len(verified) > keep:
            self.remove(here[here.index(verified[keep - 1]) + 1 :])

    def purge(self, fresh: Backup) -> Purged:
        """Remove every backup but `fresh`."""
        return self.remove(one for one in self.all() if _path(one) != _path(fresh))

    def remove(self, chosen: Iterable[Backup]) -> Purged:
        """Delete these; files that are not certainly of this memory stay."""
        removed: list[Backup] = []
        left: list[Backup] = []
        for one in chosen:
            done = _ours(one) and one.reachable and _delete(_path(one))
            (removed if done else left).append(one)
        try:
            self._record.drop(str(_path(one)) for one in removed)
        except OSError as exc:
            log.warning("the list of backups cannot be written: %s", type(exc).__name__)
        return Purged(tuple(removed), tuple(left))

    def _unrecorded(self, path: Path, name: re.Match[str], kind: str) -> Backup:
        contents = self._look(path)
        moment = datetime.strptime(name[1], _STAMP).replace(tzinfo=UTC)
        return Backup(
            name=path.name,
            folder=str(path.parent),
            date=timestamp(moment),
            bytes=_bytes(path),
            schema=contents.schema if contents else 0,
            rows=contents.rows if contents else 0,
            kind="replaced" if kind == "replaced" else "backup",
        )

    def _look(self, path: Path) -> Contents | None:
        try:
            stat = path.stat()
            known = (str(path), stat.st_mtime_ns, stat.st_size)
            if known not in self._looked:
                self._looked[known] = _or_none(lambda: copies.look(path, self._key))
            return self._looked[known]
        except OSError:
            return None


def find(paths: Paths, settings: Settings, name: str) -> Path | None:
    """The file a user means by the name of a backup or by a path; None if there is none."""
    if (path := Path(name).expanduser()).is_file():
        return path.absolute()
    if path.name != name:
        return None
    places = [backup_folder(paths, settings) / name, paths.data / name]
    places += [Path(m.path) for m in Record(paths.backup_record).read() if m.path.endswith(name)]
    return next((place for place in places if place.name == name and place.is_file()), None)


def _recorded(made: Made) -> Backup:
    path = Path(made.path)
    try:
        verified, reachable = made.unchanged(path.stat()), True
    except OSError:
        verified, reachable = False, False
    return Backup(
        name=path.name,
        folder=str(path.parent),
        date=made.date,
        bytes=made.bytes,
        schema=made.schema,
        rows=made.rows,
        verified=verified,
        reachable=reachable,
    )


def _matching(folder: Path, pattern: re.Pattern[str]) -> Sequence[tuple[Path, re.Match[str]]]:
    try:
        found = [(path, pattern.fullmatch(path.name)) for path in folder.iterdir()]
    except OSError:
        return []
    return [(path, name) for path, name in found if name and path.is_file()]


def _age(backup: Backup) -> tuple[str, int, str]:
    # Of those of one second the later has the higher number at its end.
    return backup.date, len(backup.name), backup.name


def _ours(backup: Backup) -> bool:
    """Two memories may share a folder for backups: what another key made is not ours to delete."""
    return backup.schema > 0 or backup.kind == "replaced"


def _path(backup: Backup) -> Path:
    return Path(backup.folder) / backup.name


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _delete(path: Path) -> bool:
    try:
        database.remove(path)
    except OSError as exc:
        log.warning("a backup cannot be deleted: %s", type(exc).__name__)
        return False
    return True


def _or_none(look: Callable[[], Contents]) -> Contents | None:
    try:
        return look()
    except StoreError as exc:
        log.info("a file among the backups cannot be read: %s", exc.code)
        return None
