"""Notice that something below a folder changed: told by the system, or by looking now and then."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import psutil

from assistant.memory.ingest import rules

log = logging.getLogger(__name__)

QUIET_S = 0.4
"""Changes come in bursts: after the last of one."""
PATIENCE_S = 5.0
"""Where they do not end."""
POLL_S = 60.0
"""Between two looks where nobody tells."""
PRESENCE_S = 5.0
"""Between two glances whether the source itself is still there: no event tells that it was moved."""
SAFETY_S = 900.0
"""And where the system does: it may lose events."""
_TELLING = frozenset({"created", "modified", "moved", "deleted", "closed"})
"""Our own reading causes the others."""
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb", "smb3", "smbfs", "afpfs", "webdav", "davfs", "ncpfs",
                      "9p", "ceph", "glusterfs", "lustre", "afs", "virtiofs", "vboxsf", "prl_fs",
                      "drvfs"})  # fmt: skip
"""What others change on such drives no event tells."""


class Watch:
    """Watches one folder, or the folder a single file is in, from `start` to `stop`."""

    def __init__(self, root: Path, *, single: bool, hidden: bool) -> None:
        self._root = root
        self._single = single
        self._hidden = hidden
        self._observer: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()
        self._seen: tuple[int, int] | None = None
        self.mode: str = ""
        """`events` or `polling`; empty while it does not watch."""

    async def start(self) -> None:
        """Begin. Where the system cannot tell, looking now and then has to do."""
        await self.stop()
        self._loop = asyncio.get_running_loop()
        self._told.clear()
        self._seen = await asyncio.to_thread(_identity, self._root)
        self.mode = await asyncio.to_thread(self._observe)

    async def stop(self) -> None:
        """End. Harmless when done twice."""
        observer, self._observer, self.mode = self._observer, None, ""
        if observer is not None:
            await asyncio.to_thread(_end, observer)

    def poke(self) -> None:
        """Say that something changed. On the event loop."""
        self._told.set()

    async def changed(self) -> None:
        """Return when something changed and a moment is quiet, or it is time to look anyway."""
        rest = SAFETY_S if self.mode == "events" else POLL_S
        until = time.monotonic() + rest
        while not self._told.is_set():
            left = until - time.monotonic()
            try:
                await asyncio.wait_for(self._told.wait(), min(left, PRESENCE_S))
            except TimeoutError:
                if (
                    left <= PRESENCE_S
                    or await asyncio.to_thread(_identity, self._root) != self._seen
                ):
                    return
        waited = 0.0
        while self._told.is_set() and waited < PATIENCE_S:
            self._told.clear()
            await asyncio.sleep(QUIET_S)
            waited += QUIET_S
        self._told.clear()

    async def alive(self) -> bool:
        """Whether it watches what is at its path now: a folder that is moved takes its watch along."""
        if not self.mode or await asyncio.to_thread(_identity, self._root) != self._seen:
            return False
        return self.mode != "events" or (self._observer is not None and self._observer.is_alive())

    def _observe(self) -> str:
        folder = self._root.parent if self._single else self._root
        if is_network(folder):
            return "polling"
        from watchdog.observers import Observer  # who allows nothing need not load it

        observer: Any = Observer()
        try:
            observer.schedule(_Handler(self._tell), str(folder), recursive=not self._single)
            observer.start()
        except (OSError, RuntimeError) as exc:  # Linux: no more inotify watches
            log.warning(
                "a folder cannot be watched (%s): it is looked at now and then", type(exc).__name__
            )
            _end(observer)
            return "polling"
        self._observer = observer
        return "events"

    def _tell(self, path: str) -> None:
        """On a thread of the library's."""
        if self._matters(path) and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._told.set)

    def _matters(self, path: str) -> bool:
        if self._single:
            return PurePath(path).name == self._root.name
        try:
            parts = PurePath(path).relative_to(self._root).parts
        except ValueError:
            return True
        return not any(rules.folder_reason(part, hidden=self._hidden) for part in parts[:-1])


class _Handler:
    """What the library calls with each event, on a thread of its own."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell

    def dispatch(self, event: Any) -> None:
        """Pass on what tells of a change."""
        if event.event_type not in _TELLING:
            return
        # A folder is "modified" with each file in it, and when it is only looked into on some systems.
        if event.is_directory and event.event_type == "modified":
            return
        for path in (event.src_path, event.dest_path):
            if path:
                self._tell(os.fsdecode(path))


def is_network(folder: Path) -> bool:
    """Whether a folder lies on a drive of another machine. Blocks."""
    best, kind = "", ""
    try:
        partitions = psutil.disk_partitions(all=True)
    except OSError:
        return False
    for partition in partitions:
        point = partition.mountpoint
        if len(point) >= len(best) and folder.is_relative_to(point):
            best, kind = point, partition.fstype.lower()
    return kind in _NETWORK or kind.startswith("fuse.") or best.startswith("\\\\")


def _identity(root: Path) -> tuple[int, int] | None:
    """Device and inode, of a folder; a file is replaced by each editor that saves it. None: not there."""
    try:
        found = root.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if root.is_dir() else (0, 0)


def _end(observer: Any) -> None:
    observer.stop()
    if observer.is_alive():
        observer.join(5)
