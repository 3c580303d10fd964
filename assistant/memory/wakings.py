"""The log of the wake word, kept with the settings."""

from __future__ import annotations

from typing import Any

from sqlite_utils import Database

from assistant.memory.readers import Readers
from assistant.memory.writer import Writer

_NAME = "wakings"


class WakingStore:
    """Of one database. Built by `service.open_memory`."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer, self._readers = writer, readers

    async def read(self) -> bytes | None:
        """As it was written; None if it never was."""
        sql = "SELECT value FROM settings WHERE name = ?"
        row: Any = await self._readers.run(lambda db: db.execute(sql, [_NAME]).fetchone())
        return None if row is None else bytes(row[0])

    async def write(self, log: bytes) -> None:
        """In place of what was there."""
        sql = "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)"

        def work(db: Database) -> None:
            db.execute(sql, [_NAME, log])

        await self._writer.run(work)
