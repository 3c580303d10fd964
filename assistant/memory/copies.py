"""One copy of the memory: made while it is written to, and read back whole before it counts."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from sqlcipher3 import dbapi2 as sqlcipher
from sqlite_utils import Database

from assistant.errors import BackupFailed, BackupInvalid, Damaged, DiskFull, KeyWrong, StoreError
from assistant.memory import damage, database, migrations
from assistant.memory.keys import Key

STEP_PAGES = 64
"""A quarter of a megabyte: about a millisecond, after which a copy can rest or end."""
SYNC_BYTES = 16 << 20
"""So much is flushed at a time: one flush of everything would make a write wait for it."""
SPARE_BYTES = 64 << 20
"""What a copy leaves free on the disk: the memory itself may need it next."""

_COUNTED = ("memories", "conversations", "turns")

Step = Callable[[int, int], None]
"""Told bytes done and bytes in all, after each step; what it raises ends the copy."""


class Contents(msgspec.Struct, frozen=True):
    """What a database holds."""

    schema: int
    rows: int
    """Memories of all versions, conversations and turns."""


def make(source: Database, draft: Path, key: Key, step: Step) -> Contents:
    """Write what `source` holds at this moment to `draft`, encrypted with the same key, durably.

    Writes by others go on meanwhile and are not in it. Raises BackupFailed, Damaged, DiskFull, or what
    `step` raises; `draft` is then no use.
    """
    # A damaged page would be copied as zeros, and signed anew.
    with damage.heard(), _explained():
        check_room(draft.parent, _size(source))
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with draft.open("rb") as file, contextlib.closing(database.connect_draft(draft, key)) as to:
            # One snapshot for the count and the pages: nothing can come between them.
            source.execute("BEGIN")
            try:
                contents = read(source)
                _copy_pages(source, to, file.fileno(), step)
            finally:
                source.rollback()
            os.fsync(file.fileno())
    return contents


def _copy_pages(source: Database, to: Database, descriptor: int, step: Step) -> None:
    synced = 0

    def progress(_status: int, left: int, total: int) -> None:
        nonlocal synced
        done = (total - left) * database.PAGE_BYTES
        if done - synced >= SYNC_BYTES:
            os.fsync(descriptor)
            synced = done
        step(done, total * database.PAGE_BYTES)

    source.conn.backup(to.conn, pages=STEP_PAGES, progress=progress, sleep=0)


def verify(path: Path, key: Key, step: Step = lambda done, total: None) -> Contents:
    """Read every page of a file that nobody writes, and what it holds. Changes nothing.

    `step` hears how far it is, in bytes. Raises BackupInvalid if any of it is damaged or it is no
    memory, KeyWrong, or StoreError if a newer Nestor wrote it.
    """
    size = path.stat().st_size if path.exists() else 0
    with _opened(path, key) as db:
        contents = read(db)
        step(0, size)
        problems = [row[0] for row in db.execute("PRAGMA quick_check") if row[0] != "ok"]
        step(size // 2, size)
        problems += [row[0] for row in db.execute("PRAGMA cipher_integrity_check")]
        step(size, size)
    if problems:
        raise BackupInvalid("This file is damaged.")
    return contents


def look(path: Path, key: Key) -> Contents:
    """What a file that nobody writes holds; its pages are not checked. Raises as `verify`."""
    with _opened(path, key) as db:
        return read(db)


def read(db: Database) -> Contents:
    """What a database holds. Raises BackupInvalid if it is no memory, StoreError if it is newer."""
    schema = migrations.schema(db)
    if not schema or not set(_COUNTED) <= set(db.table_names()):
        raise BackupInvalid("This file is a database, but no memory of Nestor's.")
    counts = [db.execute(f"SELECT count(*) FROM {one}").fetchone()[0] for one in _COUNTED]  # noqa: S608
    return Contents(schema, sum(counts))


def check_room(folder: Path, wanted_bytes: int) -> None:
    """Raise DiskFull unless a file of this size would leave SPARE_BYTES free in `folder`."""
    if shutil.disk_usage(folder).free < wanted_bytes + SPARE_BYTES:
        raise no_room()


def no_room() -> DiskFull:
    """There is no room for a copy; the memory itself still has some."""
    return DiskFull(
        "There is no room for a copy of the memory.",
        "Free some space, or set backup_folder to a larger disk.",
    )


def _size(db: Database) -> int:
    pages: int = db.execute("PRAGMA page_count").fetchone()[0]
    return pages * database.PAGE_BYTES


@contextlib.contextmanager
def _opened(path: Path, key: Key) -> Iterator[Database]:
    try:
        if path.stat().st_size < database.PAGE_BYTES:
            raise BackupInvalid("This file was cut off.")
        with contextlib.closing(database.connect_still(path, key)) as db, database.translated():
            yield db
    except KeyWrong as exc:
        raise KeyWrong(
            "The key does not open this file, or it is damaged.",
            "A backup opens only with the key it was made with. Nothing was changed.",
        ) from exc
    except OSError as exc:
        raise BackupInvalid("This file cannot be read.") from exc
    except StoreError as exc:
        from_library = isinstance(exc.__cause__, sqlcipher.Error)
        if isinstance(exc, Damaged) or (type(exc) is StoreError and from_library):
            raise BackupInvalid("This file is damaged.") from exc
        raise


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """What stopped a copy, as one of ours: the disk of the copy is not the memory's."""
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_room() from exc
        raise BackupFailed("The folder for backups cannot be written.") from exc
    except sqlcipher.Error as exc:
        said = database.explain(exc)
        if isinstance(said, DiskFull):
            raise no_room() from exc
        raise BackupFailed("The disk refused a part of the backup.") from exc
    except DiskFull as exc:
        raise no_room() from exc
