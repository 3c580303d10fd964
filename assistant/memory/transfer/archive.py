"""A file, a zip or a folder to import from, opened within limits and never written to or unpacked."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

from sqlcipher3 import dbapi2 as sqlcipher

from assistant.config import LIMITS
from assistant.errors import ImportInvalid, NotFound
from assistant.types import timestamp

SQLITE = b"SQLite format 3\0"
SMALL_BYTES = 1 << 20
"""What may be squeezed however much: the limit of the ratio is against bombs."""


class Archive(Protocol):
    """Named files to read."""

    title: str
    """The name of the file or folder itself."""

    def names(self) -> list[str]:
        """All files, with `/` between folders."""

    def open(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """One of them. Raises ImportInvalid where it cannot be read or is larger than it may be."""

    def date(self, name: str) -> str | None:
        """When it was last changed, as far as that is told."""

    def database(self, name: str) -> contextlib.AbstractContextManager[Any]:
        """One of them as an SQLite connection that can only read."""


@contextlib.contextmanager
def opened(path: Path, work: Path) -> Iterator[Archive]:
    """What `path` is; `work` is a private folder for copies that SQLite needs.

    Raises NotFound or ImportInvalid.
    """
    if path.is_dir():
        yield _Folder(path, work)
        return
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start[:2] == b"PK":
            with zipfile.ZipFile(path) as zipped:
                yield _Zip(zipped, path.name, work)
        else:
            yield _One(path, work)
    except FileNotFoundError as exc:
        raise NotFound("There is no such file.", "Check its name.") from exc
    except PermissionError as exc:
        raise ImportInvalid("The file cannot be read.", "Check its permissions.") from exc
    except (zipfile.BadZipFile, NotImplementedError) as exc:
        raise ImportInvalid("The zip file is damaged or cut off.") from exc


def head(archive: Archive, name: str, size: int = 4096) -> bytes:
    """The first bytes of a file."""
    with archive.open(name) as file:
        return file.read(size)


class _Folder:
    def __init__(self, path: Path, work: Path) -> None:
        self.title = path.name
        self._path, self._work = path, work

    def names(self) -> list[str]:
        found: list[str] = []
        for folder, folders, files in os.walk(self._path, followlinks=False):
            folders.sort()
            for name in sorted(files):
                path = Path(folder, name)
                if path.is_file() and not path.is_symlink():
                    found.append(path.relative_to(self._path).as_posix())
            if len(found) > LIMITS.archive_files:
                raise ImportInvalid(f"The folder has more than {LIMITS.archive_files:,} files.")
        return found

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        try:
            with (self._path / name).open("rb") as file:
                yield file
        except OSError as exc:
            raise ImportInvalid("A file of the folder cannot be read.") from exc

    def date(self, name: str) -> str | None:
        try:
            return timestamp(datetime.fromtimestamp((self._path / name).stat().st_mtime, UTC))
        except (OSError, ValueError, OverflowError):
            return None

    def database(self, name: str) -> contextlib.AbstractContextManager[Any]:
        return _database(self._path / name, self._work)


class _One:
    def __init__(self, path: Path, work: Path) -> None:
        self.title = path.name
        self._path, self._work = path, work

    def names(self) -> list[str]:
        return [self._path.name]

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        with self._path.open("rb") as file:
            yield file

    def date(self, name: str) -> str | None:
        return timestamp(datetime.fromtimestamp(self._path.stat().st_mtime, UTC))

    def database(self, name: str) -> contextlib.AbstractContextManager[Any]:
        return _database(self._path, self._work)


class _Zip:
    def __init__(self, zipped: zipfile.ZipFile, title: str, work: Path) -> None:
        self.title = title
        self._zip, self._work = zipped, work
        members = [one for one in zipped.infolist() if not one.is_dir()]
        if len(members) > LIMITS.archive_files:
            raise ImportInvalid(f"The zip has more than {LIMITS.archive_files:,} files.")
        if sum(one.file_size for one in members) > LIMITS.archive_bytes:
            raise ImportInvalid(f"The zip holds more than {LIMITS.archive_bytes:,} bytes.")
        self._members = {one.filename: one for one in members}

    def names(self) -> list[str]:
        return list(self._members)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        member = self._members[name]
        if member.flag_bits & 1:
            raise ImportInvalid("The zip is encrypted.", "Unpack it, then import the folder.")
        ratio = member.file_size / max(1, member.compress_size)
        if member.file_size > SMALL_BYTES and ratio > LIMITS.archive_ratio:
            raise ImportInvalid("A file of the zip is squeezed like a zip bomb.")
        try:
            with self._zip.open(member) as file:
                # The size in the zip's index is what it says, not what comes.
                yield io.BufferedReader(_Bounded(file, member.file_size))
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as exc:
            raise ImportInvalid("A file of the zip is damaged.") from exc

    def date(self, name: str) -> str | None:
        try:
            return timestamp(datetime(*self._members[name].date_time, tzinfo=UTC))
        except (ValueError, OverflowError):
            return None

    @contextlib.contextmanager
    def database(self, name: str) -> Iterator[Any]:
        with tempfile.TemporaryDirectory(dir=self._work) as folder:
            for suffix in ("", "-wal"):
                if name + suffix in self._members:
                    with (
                        self.open(name + suffix) as source,
                        Path(folder, "db" + suffix).open("wb") as out,
                    ):
                        shutil.copyfileobj(source, out)
            with _database(Path(folder, "db"), self._work) as db:
                yield db


class _Bounded(io.RawIOBase):
    """At most so many bytes of a file."""

    def __init__(self, file: Any, most: int) -> None:
        self._file, self._left = file, most

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        view = memoryview(target).cast("B")
        data = self._file.read(len(view))
        if len(data) > self._left:
            raise ImportInvalid("A file of the zip is larger than the zip says.")
        self._left -= len(data)
        view[: len(data)] = data
        return len(data)


@contextlib.contextmanager
def _database(path: Path, work: Path) -> Iterator[Any]:
    """Read-only. What stands in its log only is read too, from a copy: the original stays untouched."""
    with contextlib.ExitStack() as stack:
        wal = path.with_name(path.name + "-wal")
        if wal.exists() and wal.stat().st_size:
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=work))
            for one in (path, wal):
                shutil.copyfile(one, Path(folder, one.name))
            uri = Path(folder, path.name).as_uri()
        else:
            uri = path.absolute().as_uri() + "?mode=ro&immutable=1"
        try:
            db = sqlcipher.connect(uri, uri=True, check_same_thread=False)
            stack.callback(db.close)
            db.row_factory = sqlcipher.Row
            # The file is a stranger's: its schema may call nothing, and its pages are looked at.
            for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON"):
                db.execute(f"PRAGMA {pragma}")
            db.text_factory = lambda raw: raw.decode("utf-8", "replace")
            yield db
        except sqlcipher.Error as exc:
            raise ImportInvalid("The SQLite file is damaged or of another version.") from exc


def tables(db: Any) -> dict[str, set[str]]:
    """The real tables of a connection, with their columns."""
    names = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    quoted = [(name, name.replace('"', '""')) for (name,) in names]
    return {
        name: {row[1] for row in db.execute(f'PRAGMA table_info("{safe}")')}
        for name, safe in quoted
    }


def base(name: str) -> str:
    """A file's own name."""
    return PurePosixPath(name).name
