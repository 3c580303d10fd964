"""A file beside the database while it is open, so that a log that was taken away is missed.

SQLite takes a database without its log for one that was closed: what was acknowledged and stood in
the log alone would be gone without a word.
"""

from __future__ import annotations

import os
from pathlib import Path

from assistant.memory.keys import sync_folder


class Mark:
    """The file. Every method may raise OSError."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + "-open")
        self._wal = database.with_name(database.name + "-wal")

    def log_is_missing(self) -> bool:
        """Whether the database was not closed, and its log is not here. To be asked before opening."""
        return self._path.exists() and not self._wal.exists()

    def set(self) -> None:
        """The database is open, and its log is there. Durable when this returns."""
        if self._path.exists():
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(self._path.parent)

    def clear(self) -> None:
        """Everything stands in the database now, and the log is empty or gone."""
        if not self._wal.exists() or self._wal.stat().st_size == 0:
            self.drop()

    def drop(self) -> None:
        """Another database takes its place."""
        self._path.unlink(missing_ok=True)
        sync_folder(self._path.parent)
