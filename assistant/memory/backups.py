"""Backups of the memory, made while it is in use; one at a time, on a thread of their own."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from assistant.config import Paths, Settings
from assistant.errors import BackupFailed, BackupInvalid, InvalidInput
from assistant.memory import copies, database, migrations
from assistant.memory.kept import Kept, backup_folder, free_name, stamp
from assistant.memory.keys import Key, sync_folder
from assistant.types import Backup, Purged, now

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
NICENESS = 10
RESTORE_DRAFT = ".memory.db.restore"
"""What a restore copies to before it counts."""


class Progress(msgspec.Struct):
    """A backup that is being made."""

    name: str
    folder: str
    date: str
    done_bytes: int = 0
    total_bytes: int = 0
    step: str = "copying"
    """`copying`, then `verifying`."""


class Backups:
    """Makes, lists and removes them. `name` of a backup is unique in its folder."""

    def __init__(
        self, paths: Paths, settings: Settings, key: Key, *, clock: Callable[[], str] = now
    ) -> None:
        self._paths = paths
        self._key = key
        self._clock = clock
        self._keep = settings.backup_keep
        self._own_folder = bool(settings.backup_folder)
        self.folder = backup_folder(paths, settings)
        """Where they go unless another folder is named."""
        self._kept = Kept(paths, self.folder, key)
        self._one = asyncio.Lock()
        self._running: Progress | None = None
        self._closing = threading.Event()
        self._thread = ThreadPoolExecutor(1, "memory-backup", initializer=_step_back)

    @property
    def key_place(self) -> str:
        """Where the key lies without which no backup can be opened."""
        return self._key.place

    @property
    def running(self) -> dict[str, Any] | None:
        """The one that is being made, with `done_bytes` of `total_bytes`."""
        return msgspec.to_builtins(self._running) if self._running else None

    async def make(
        self, *, to: str = "", purge: bool = False, gentle: bool = False
    ) -> tuple[Backup, Purged]:
        """Make one and read it back; it is durable and verified when this returns.

        What was stored before the call is in it. `to` is another folder than the usual one, which
        must exist; with `purge` all older backups are removed afterwards. `gentle` takes half the
        speed. Raises BackupFailed, BackupInvalid, DiskFull, InvalidInput; older ones are then as
        they were.
        """
        async with self._one:
            return await self._on_thread(partial(self._make, to, purge, gentle))

    async def list(self) -> list[Backup]:
        """All of them, also those out of reach, and what restores replaced; newest first."""
        return await asyncio.to_thread(self._kept.all)

    async def holders(self) -> Sequence[Backup]:
        """The backups that may hold what was deleted before this call; one being made is among them."""
        making = self._running
        found = await self.list()
        if making and not any((b.name, b.folder) == (making.name, making.folder) for b in found):
            found.insert(0, Backup(making.name, making.folder, making.date, making.done_bytes))
        return found

    async def start(self) -> None:
        """Remove what a crash left of a copy or of a restore."""
        await self._on_thread(self._sweep_all)

    async def close(self) -> None:
        """End the one being made, if any."""
        self._closing.set()
        await asyncio.to_thread(self._thread.shutdown)

    async def _on_thread(self, work: Callable[[], Answer]) -> Answer:
        if self._closing.is_set():
            raise BackupFailed("Nestor is stopping.")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # --- the thread ------------------------------------------------------------------------

    def _make(self, to: str, purge: bool, gentle: bool) -> tuple[Backup, Purged]:
        folder = self._folder_for(to)
        try:
            self._sweep(folder)
            backup = self._make_in(folder, gentle)
        except OSError as exc:
            raise BackupFailed("The folder for backups cannot be written.") from exc
        log.info("a backup was made and verified: %d rows, %d bytes", backup.rows, backup.bytes)
        return backup, self._tidy(backup, purge)

    def _make_in(self, folder: Path, gentle: bool) -> Backup:
        date = self._clock()
        path = free_name(folder, f"memory-{stamp(date)}{{}}.db")
        draft = folder / f".{path.stem}.{self._mark()}.part"
        making = self._running = Progress(path.name, str(folder), date)
        try:
            contents = self._copy(draft, making, gentle)
            _claim(draft, path)
            return self._noted(path, date, contents)
        finally:
            _discard(draft)
            self._running = None

    def _noted(self, path: Path, date: str, contents: copies.Contents) -> Backup:
        try:
            return self._kept.add(path, date, contents)
        except BaseException:
            _discard(path)  # one that no list names could not be told to those who forget
            raise

    def _copy(self, draft: Path, making: Progress, gentle: bool) -> copies.Contents:
        source = database.connect(self._paths.database, self._key, readonly=True)
        try:
            expected = copies.make(source, draft, self._key, self._pace(making, gentle))
        finally:
            source.close()
        making.step = "verifying"
        database.assert_encrypted(draft)
        found = copies.verify(draft, self._key)
        if found != expected:
            raise BackupInvalid("The backup does not hold what the memory holds.")
        return found

    def _pace(self, making: Progress, gentle: bool) -> copies.Step:
        begun = time.monotonic()

        def step(done: int, total: int) -> None:
            nonlocal begun
            making.done_bytes, making.total_bytes = done, total
            if self._closing.is_set():
                raise BackupFailed("The backup was stopped.", "Make it again when Nestor runs.")
            if gentle:
                self._closing.wait(time.monotonic() - begun)
                begun = time.monotonic()

        return step

    def _tidy(self, fresh: Backup, purge: bool) -> Purged:
        if purge:
            migrations.drop_backups(self._paths.database)
            return self._kept.purge(fresh)
        self._kept.prune(self._keep)
        return Purged()

    def _folder_for(self, to: str) -> Path:
        folder = Path(to).expanduser() if to else self.folder
        if not folder.is_absolute():
            raise InvalidInput("`to` must be an absolute path.", "Name the whole path of a folder.")
        try:
            if not to and not self._own_folder:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # A folder of the user's is not made: on a disk that is not plugged in it would lie elsewhere.
            there = folder.is_dir()
        except (OSError, ValueError) as exc:
            raise BackupFailed("The folder for backups cannot be used.") from exc
        if not there:
            raise BackupFailed(
                "The folder for backups is not there.",
                "Plug in its disk or make the folder, or change backup_folder.",
            )
        return folder.resolve() if to else folder

    def _sweep_all(self) -> None:
        database.remove(self._paths.data / RESTORE_DRAFT)
        self._sweep(self.folder)

    def _sweep(self, folder: Path) -> None:
        for draft in folder.glob(f".memory-*.{self._mark()}.part"):
            _discard(draft)

    def _mark(self) -> str:
        # Two memories may share a folder, and each must leave the other's draft alone.
        return hashlib.sha256(os.fsencode(self._paths.data.resolve())).hexdigest()[:8]


def _claim(draft: Path, path: Path) -> None:
    """Give a backup its name, never another memory's that took it meanwhile. Raises OSError."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:  # FAT and some network folders have no links
        database.put_in_place(draft, path)
    sync_folder(path.parent)


def _discard(draft: Path) -> None:
    try:
        draft.unlink(missing_ok=True)
    except OSError as exc:
        log.warning("half a backup cannot be deleted: %s", type(exc).__name__)


def _step_back() -> None:
    """Let everything else go first; this thread only, and only where the system can."""
    if sys.platform == "linux":
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        except OSError:
            log.info("backups run at the usual priority")
