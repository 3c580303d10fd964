"""Notice that something below a folder changed: told by the system, or by looking now and then."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import msgspec
import psutil

from assistant.memory.ingest import rules
from assistant.memory.ingest.walk import storable

log = logging.getLogger(__name__)

QUIET_S = 0.4
"""Changes of a file come in bursts: after the last of one."""
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


MOST_PATHS = 2_000
"""More than so many at once: everything is looked at."""


class Changes(msgspec.Struct, frozen=True):
    """What may have changed."""

    everywhere: bool = False
    """Nobody can tell where."""
    paths: frozenset[str] = frozenset()
    """Files and folders below the root, with `/`; the root is empty."""


class Watch:
    """Watches one folder, or the folder a single file is in, from `start` to `stop`."""

    def __init__(self, root: Path, *, single: bool, hidden: bool) -> None:
        self._root = root
        self._single = single
        self._hidden = hidden
        self._observer: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()
        self._paths: dict[str, tuple[float, float]] = {}
        """Each with when it was told first and last."""
        self._everywhere = False
        self._due = 0.0
        self._seen: tuple[int, int] | None = None
        self.mode: str = ""
        """`events` or `polling`; empty while it does not watch."""

    async def start(self) -> None:
        """Begin. Where the system cannot tell, looking now and then has to do."""
        await self.stop()
        self._loop = asyncio.get_running_loop()
        self.forget()
        self._seen = await asyncio.to_thread(_identity, self._root)
        self.mode = await asyncio.to_thread(self._observe)
        self._due = time.monotonic() + SAFETY_S

    async def stop(self) -> None:
        """End. Harmless when done twice."""
        observer, self._observer, self.mode = self._observer, None, ""
        if observer is not None:
            await asyncio.to_thread(_end, observer)

    def poke(self) -> None:
        """Say that something changed, anywhere. On the event loop."""
        self._note(None)

    def forget(self) -> None:
        """What was told until now is of no matter: everything is looked at next. On the event loop."""
        self._everywhere = False
        self._paths.clear()
        self._told.clear()

    async def changed(self) -> Changes:
        """What changed, once that is quiet for a moment, or everything when it is time to look anyway.

        It goes by what the system tells; a look through everything is due every `SAFETY_S`, for it
        may lose events, and at each return where nobody tells (`polling`).
        """
        until = self._due if self.mode == "events" else time.monotonic() + POLL_S
        while not self._told.is_set():
            left = until - time.monotonic()
            try:
                await asyncio.wait_for(self._told.wait(), min(left, PRESENCE_S))
            except TimeoutError:
                if (
                    left <= PRESENCE_S
                    or await asyncio.to_thread(_identity, self._root) != self._seen
                ):
                    return self._all()
        ripe = await self._ripe()
        if self._everywhere or time.monotonic() >= self._due:
            return self._all()
        return Changes(paths=ripe)

    async def _ripe(self) -> frozenset[str]:
        """The paths that are quiet, or have not been for too long; the others wait on."""
        while not self._everywhere:
            moment = time.monotonic()
            left = {
                path: min(last + QUIET_S, first + PATIENCE_S) - moment
                for path, (first, last) in self._paths.items()
            }
            ripe = frozenset(path for path, wait in left.items() if wait <= 0)
            for path in ripe:
                del self._paths[path]
            if ripe or not left:
                if not self._paths:
                    self._told.clear()
                return ripe
            await asyncio.sleep(max(0.01, min(left.values())))
        await asyncio.sleep(QUIET_S)
        return frozenset()

    def _all(self) -> Changes:
        """Everything is looked at next, and then not again for a while."""
        self.forget()
        self._due = time.monotonic() + SAFETY_S
        return Changes(everywhere=True)

    async def alive(self) -> bool:
        """Whether it watches what is at its path now: a folder that is moved takes its watch along."""
        if not self.mode or await asyncio.to_thread(_identity, self._root) != self._seen:
            return False
        if self.mode != "events":
            return True
        threads = [self._observer, *self._observer.emitters] if self._observer else []
        return bool(threads) and all(thread.is_alive() for thread in threads)

    def _observe(self) -> str:
        folder = self._root.parent if self._single else self._root
        if is_network(folder):
            return "polling"
        from watchdog.observers import Observer  # who allows nothing need not load it

        # It warns, with paths, when a folder that was moved out comes back, and is right all the same.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
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
        if self._loop is None or self._loop.is_closed():
            return
        below = self._below(path)
        if below is not None:
            with contextlib.suppress(RuntimeError):  # it closed just now
                self._loop.call_soon_threadsafe(self._note, below)

    def _note(self, path: str | None) -> None:
        """On the event loop; None: anywhere."""
        if path is None or len(self._paths) >= MOST_PATHS:
            self._everywhere = True
            self._paths.clear()
        if not self._everywhere and path is not None:
            moment = time.monotonic()
            first, _ = self._paths.get(path, (moment, moment))
            self._paths[path] = (first, moment)
        self._told.set()

    def _below(self, path: str) -> str | None:
        """The path below the root; None: it is of no matter."""
        if self._single:
            return "" if PurePath(path).name == self._root.name else None
        try:
            parts = PurePath(path).relative_to(self._root).parts
        except ValueError:
            return ""
        if any(rules.folder_reason(part, hidden=self._hidden) for part in parts[:-1]):
            return None
        return "/".join(parts) if storable(path) else None


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
