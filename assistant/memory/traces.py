"""What is left of a deleted row outside its table: caches, copies of the file, the log."""

from __future__ import annotations

import asyncio
from pathlib import Path

from assistant.memory.embedder import Embedder
from assistant.memory.migrations import drop_backups
from assistant.memory.writer import Writer


class Traces:
    """Wipes them after a delete has been committed."""

    def __init__(self, path: Path, writer: Writer, embedder: Embedder) -> None:
        self._path = path
        self._writer = writer
        self._embedder = embedder

    async def wipe(self) -> bool:
        """Drop cached questions and the copies, empty the log; whether all of it is gone by now.

        What a reader or another program holds is tried again: the log within a minute, a copy at
        the next start.
        """
        self._embedder.forget()
        left = await asyncio.to_thread(drop_backups, self._path)
        return await self._writer.checkpoint() and not left
