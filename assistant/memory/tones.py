"""The tone in which each device wants its texts, where its user chose to have it remembered."""

from __future__ import annotations

from sqlite_utils import Database

from assistant.memory.readers import Readers
from assistant.memory.writer import Writer


class Tones:
    """Of one database. Built by `service.open_memory`."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def tone(self, device: str) -> str:
        """What a device chose; empty: nothing."""
        sql = "SELECT value FROM settings WHERE name = ?"
        row = await self._readers.run(lambda db: db.execute(sql, [f"tone:{device}"]).fetchone())
        return "" if row is None else bytes(row[0]).decode()

    async def set_tone(self, device: str, tone: str) -> None:
        """Keep it, in place of the one before; an empty one is dropped."""

        def work(db: Database) -> None:
            db.execute("DELETE FROM settings WHERE name = ?", [f"tone:{device}"])
            if tone:
                db.execute(
                    "INSERT INTO settings (name, value) VALUES (?, ?)",
                    [f"tone:{device}", tone.encode()],
                )

        await self._writer.run(work)
