"""Files that are sent to be imported: kept, private, while they are read."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from assistant.errors import DiskFull, StoreError
from assistant.memory.transfer import archive
from assistant.types import new_id


class Incoming:
    """One folder; whatever a crash left there is removed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shutil.rmtree(folder, ignore_errors=True)

    def make(self) -> Path:
        """The folder, made if it is not there."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._folder

    @contextlib.asynccontextmanager
    async def here(self, source: Path | AsyncIterator[bytes], origin: str) -> AsyncIterator[Path]:
        """A file as it lies there, or a stream's bytes in a file that goes again.

        Raises DiskFull or StoreError.
        """
        if isinstance(source, Path):
            yield source
            return
        folder = self._folder / new_id("in")
        try:
            await _spool(source, folder / "file")
            yield await asyncio.to_thread(_named, folder / "file", origin)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _spool(content: AsyncIterator[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            async for piece in content:
                await asyncio.to_thread(file.write, piece)
    except OSError as exc:
        if exc.errno == errno.ENOSPC:
            raise DiskFull("There is no room for the file to import.") from exc
        raise StoreError("The file to import cannot be kept for its reading.") from exc


def _named(path: Path, origin: str) -> Path:
    """An uploaded file has no name; programs tell theirs by the ending."""
    with path.open("rb") as file:
        start = file.read(64)
    # Any text can be a note: only where the user says so.
    name = {"obsidian": "upload.md", "openclaw": "MEMORY.md"}.get(origin, "upload")
    if start.startswith(archive.SQLITE):
        name = "upload.db"
    elif start.lstrip()[:1] in (b"{", b"["):
        name = "conversations.json"
    elif start.startswith(b"PK"):
        name = "upload.zip"
    return path.rename(path.with_name(name))
