"""Putting a backup in the memory's place, with no daemon running: all of it or nothing."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from assistant.config import Paths, Settings
from assistant.errors import AssistantError, BackupInvalid, BackupNotFound, StoreError
from assistant.memory import copies, database
from assistant.memory.backups import RESTORE_DRAFT
from assistant.memory.copies import Contents
from assistant.memory.kept import find, free_name, stamp
from assistant.memory.keys import Key, find_key, sync_folder
from assistant.memory.migrations import REPLACED
from assistant.types import now

log = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20


class Restored(msgspec.Struct, frozen=True):
    """What is the memory now, and where the one before it is."""

    contents: Contents
    kept: str
    """The file's name, beside the memory; empty if there was no memory."""


def inspect(paths: Paths, settings: Settings, name: str) -> tuple[Path, Contents]:
    """The file meant by a backup's name or a path, every page of it checked. Changes nothing.

    Raises BackupNotFound, BackupInvalid, KeyMissing, KeyWrong, or StoreError for a newer file.
    """
    source = find(paths, settings, name)
    if source is None:
        raise BackupNotFound
    if paths.database.exists() and source.samefile(paths.database):
        raise BackupInvalid("This file is the memory itself.")
    return source, copies.verify(source, find_key(paths, settings.key_store))


def restore(
    paths: Paths,
    settings: Settings,
    name: str,
    *,
    drop_caches: Callable[[], None],
    clock: Callable[[], str] = now,
) -> Restored:
    """Make this backup the memory; the present one is kept beside it under another name.

    Whoever calls holds the lock of the data folder. `drop_caches` removes what was derived from the
    present memory; it runs once the backup has proved whole. Whatever fails or crashes, there is a
    whole memory afterwards, the old one or the new one. Raises as `inspect`, and DiskFull.
    """
    source, _ = inspect(paths, settings, name)
    key = find_key(paths, settings.key_store)
    draft = paths.data / RESTORE_DRAFT
    try:
        database.remove(draft)
        copies.check_room(paths.data, source.stat().st_size)
        _copy(source, draft)
        # The copy is checked, not the source: it is the copy that will be the memory.
        contents = copies.verify(draft, key)
        database.assert_encrypted(draft)
        drop_caches()
        kept = _set_aside(paths.database, key, clock())
        draft.replace(paths.database)
        sync_folder(paths.data)
    except OSError as exc:
        if exc.errno == errno.ENOSPC:
            raise copies.no_room() from exc
        raise StoreError("The disk refused to restore the backup.") from exc
    finally:
        with contextlib.suppress(OSError):
            database.remove(draft)
    log.warning("a backup was restored: schema %d, %d rows", contents.schema, contents.rows)
    return Restored(contents, kept)


def _set_aside(path: Path, key: Key, date: str) -> str:
    """Give the present memory a second name; the first stays until the new one takes it."""
    wal = path.with_name(path.name + "-wal")
    if path.exists():
        _empty_log(path, key)
    elif not wal.exists():
        return ""
    kept = free_name(path.parent, f"{path.name}{REPLACED}{stamp(date)}{{}}")
    if path.exists():
        _second_name(path, kept)
    if wal.exists():
        # Left beside the new memory, SQLite would take it for that one's log.
        wal.replace(kept.with_name(kept.name + "-wal"))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    sync_folder(path.parent)
    return kept.name


def _empty_log(path: Path, key: Key) -> None:
    try:
        with contextlib.closing(database.connect(path, key)) as db, database.translated():
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except AssistantError as exc:
        log.warning("the memory that is replaced cannot be opened: %s", exc.code)


def _second_name(path: Path, kept: Path) -> None:
    try:
        os.link(path, kept)
    except FileExistsError:
        raise
    except OSError:  # FAT and some network folders have no links
        copies.check_room(path.parent, path.stat().st_size)
        _copy(path, kept)


def _copy(source: Path, target: Path) -> None:
    """Durable, private, and never over another file. Raises OSError."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with source.open("rb") as read, os.fdopen(descriptor, "wb") as write:
        shutil.copyfileobj(read, write, _CHUNK_BYTES)
        write.flush()
        os.fsync(write.fileno())
