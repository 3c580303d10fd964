"""Putting a backup in the memory's place, with no daemon running: all of it or nothing."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
from sqlite_utils import Database

from assistant.config import Paths, Settings
from assistant.errors import (
    AssistantError,
    BackupInvalid,
    BackupNotFound,
    DiskFull,
    KeyMissing,
    KeyWrong,
    StoreError,
)
from assistant.memory import copies, database, migrations, tables
from assistant.memory.backups import RESTORE_DRAFT
from assistant.memory.copies import Contents
from assistant.memory.erase import delete_turns
from assistant.memory.kept import Kept, backup_folder, find, free_name, stamp
from assistant.memory.keys import Key, find_key, put_back, sync_folder
from assistant.memory.migrations import REPLACED
from assistant.memory.opened import Mark
from assistant.memory.tombstones import Known, Tombstones, load, read_file
from assistant.types import now

log = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20

Progress = Callable[[str, int, int], None]
"""Hears which step it is, and how many bytes of how many are done."""


def _silent(_step: str, _done: int, _total: int) -> None:
    """Nobody looks on."""


class Restored(msgspec.Struct, frozen=True):
    """What is the memory now, and where the one before it is."""

    contents: Contents
    kept: str
    """The file's name, beside the memory; empty if there was no memory."""
    forgotten: int
    """Memories, conversations and turns of the backup that were forgotten since."""


def inspect(
    paths: Paths,
    settings: Settings,
    name: str,
    typed: bytes | None = None,
    progress: Progress = _silent,
) -> tuple[Path, Contents]:
    """The file meant by a backup's name or a path, every page of it checked. Changes nothing.

    `typed` is a recovery key to open it with. Raises BackupNotFound, BackupInvalid, KeyMissing,
    KeyWrong, or StoreError for a newer file.
    """
    source = find(paths, settings, name)
    if source is None:
        raise BackupNotFound
    if paths.database.exists() and source.samefile(paths.database):
        raise BackupInvalid("This file is the memory itself.")
    return source, _verified(source, _opener(paths, settings, typed), typed, progress)


def restore(
    paths: Paths,
    settings: Settings,
    name: str,
    *,
    drop_caches: Callable[[], None],
    typed: bytes | None = None,
    with_forgotten: bool = False,
    clock: Callable[[], str] = now,
    progress: Progress = _silent,
) -> Restored:
    """Make this backup the memory; the present one is kept beside it under another name.

    What was forgotten since the backup is left out, unless `with_forgotten`. A `typed` key becomes
    the memory's where there is none; where there is one, the memory keeps it.

    Whoever calls holds the lock of the data folder. `drop_caches` removes what was derived from the
    present memory; it runs once the backup has proved whole. Whatever fails or crashes, there is a
    whole memory afterwards, the old one or the new one. Raises as `inspect`, and DiskFull.
    """
    source, _ = inspect(paths, settings, name, typed, progress)
    theirs = _opener(paths, settings, typed)
    ours = _present(paths, settings) or theirs
    draft = paths.data / RESTORE_DRAFT
    try:
        database.remove(draft)
        copies.check_room(paths.data, source.stat().st_size)
        _copy(source, draft, partial(progress, "copy"))
        size = draft.stat().st_size
        progress("leave out what was forgotten", 0, size)
        known = _known(paths, settings, ours)
        gone = _settle(paths, draft, theirs, ours, known, clock(), with_forgotten)
        # The copy is checked, not the source: it is the copy that will be the memory.
        contents = copies.verify(draft, ours, partial(progress, "check the copy"))
        database.assert_encrypted(draft)
        drop_caches()
        if typed and ours is theirs:
            put_back(paths, settings.key_store, typed)
        Mark(paths.database).drop()
        kept = _set_aside(paths.database, ours, clock())
        draft.replace(paths.database)
        sync_folder(paths.data)
    except DiskFull as exc:
        raise copies.no_room() from exc
    except OSError as exc:
        if exc.errno == errno.ENOSPC:
            raise copies.no_room() from exc
        raise StoreError("The disk refused to restore the backup.") from exc
    finally:
        with contextlib.suppress(OSError):
            database.remove(draft)
    log.warning("a backup was restored: schema %d, %d rows", contents.schema, contents.rows)
    return Restored(contents, kept, gone)


def _opener(paths: Paths, settings: Settings, typed: bytes | None) -> Key:
    if typed is not None:
        return Key(typed, "typed")
    try:
        return find_key(paths, settings.key_store)
    except KeyMissing as exc:
        if paths.database.exists():
            raise
        raise KeyMissing(
            "The key that opens this backup is not here.",
            "Type the recovery key of its memory: `nestor restore --recovery-key`.",
        ) from exc


def _verified(source: Path, key: Key, typed: bytes | None, progress: Progress) -> Contents:
    try:
        return copies.verify(source, key, partial(progress, "check the backup"))
    except KeyWrong as exc:
        if typed is None:
            raise
        raise KeyWrong(
            "This is a whole recovery key, but it does not open this file.",
            "It is another memory's key, or the file is damaged. Nothing was changed.",
        ) from exc


def _present(paths: Paths, settings: Settings) -> Key | None:
    """The key that is here, since other backups may need it; none where it is lost or not whole."""
    try:
        return find_key(paths, settings.key_store)
    except (KeyMissing, KeyWrong):
        return None


def _known(paths: Paths, settings: Settings, key: Key) -> list[Known]:
    """What was forgotten, from wherever it is noted: the present memory may be lost."""
    found = [Known(tuple(read_file(paths.forgotten)))]
    backups = Kept(paths, backup_folder(paths, settings), key).all()
    still = [Path(one.folder) / one.name for one in backups if one.reachable]
    found.append(_noted(paths.database, partial(database.connect, paths.database, key)))
    return found + [_noted(path, partial(database.connect_still, path, key)) for path in still]


def _noted(path: Path, connect: Callable[[], Database]) -> Known:
    try:
        if path.stat().st_size < database.PAGE_BYTES:
            return Known()
        with contextlib.closing(connect()) as db, database.translated():
            return load(db)
    except (AssistantError, OSError):
        return Known()


def _settle(
    paths: Paths,
    draft: Path,
    theirs: Key,
    ours: Key,
    known: Sequence[Known],
    moment: str,
    bring_back: bool,
) -> int:
    """Leave out of a copy what was forgotten since, and give it our key; how many it had."""
    with contextlib.closing(database.connect(draft, theirs)) as db, database.translated():
        migrations.migrate(db)
        db.execute("BEGIN IMMEDIATE")
        # A token that was revoked since must not open the door again.
        db.execute("DELETE FROM tokens")
        if theirs.secret != ours.secret:
            Tombstones(paths.forgotten, theirs).change_key(db)
        memories, chats, turns = Tombstones(paths.forgotten, ours).settle(
            db, known, moment, bring_back=bring_back
        )
        if not bring_back:
            tables.delete(db, memories)
            delete_turns(db, turns)
            db.conn.executemany("DELETE FROM conversations WHERE id = ?", [(c,) for c in chats])
        db.execute("COMMIT")
        if theirs.secret != ours.secret:
            database.change_key(db, ours)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return len(memories) + len(chats) + len(turns)


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


def undo_half(paths: Paths) -> None:
    """At start, before the memory is opened: give it back what a restore took that a crash ended."""
    names = paths.data.glob(f"{paths.database.name}{REPLACED}*")
    for kept in [path for path in names if not path.name.endswith("-wal")]:
        if not paths.database.exists() or not kept.samefile(paths.database):
            continue
        # A second name of the memory, not a copy; its log may have moved there already.
        log_of = {one: one.with_name(one.name + "-wal") for one in (kept, paths.database)}
        if log_of[kept].exists() and not log_of[paths.database].exists():
            log_of[kept].rename(log_of[paths.database])
        kept.unlink()
        sync_folder(paths.data)


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


def _copy(
    source: Path, target: Path, step: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Durable, private, and never over another file. Raises OSError."""
    size, done = source.stat().st_size, 0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with source.open("rb") as read, os.fdopen(descriptor, "wb") as write:
        while chunk := read.read(_CHUNK_BYTES):
            write.write(chunk)
            done += len(chunk)
            step(done, size)
        write.flush()
        os.fsync(write.fileno())
