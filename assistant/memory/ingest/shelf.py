"""The memory as ingest uses it: transactions, and everything derived kept in step with them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from sqlite_utils import Database

from assistant.memory import tables
from assistant.memory.embedder import Embedder
from assistant.memory.ingest.rows import Stored
from assistant.memory.readers import Readers
from assistant.memory.redact import Touched
from assistant.memory.store import Memories
from assistant.memory.tombstones import Tombstone, Tombstones
from assistant.memory.writer import Writer

Answer = TypeVar("Answer")


class Shelf:
    """Writes passages and takes them away."""

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        embedder: Embedder,
        memories: Memories,
        tombstones: Tombstones,
        wipe: Callable[[], Awaitable[bool]],
    ) -> None:
        self.writer = writer
        self.readers = readers
        self.memories = memories
        self._tombstones = tombstones
        self._embedder = embedder
        self._wipe = wipe

    @property
    def model(self) -> str:
        """Id of the embedding model in use."""
        return self._embedder.model

    async def read(self, work: Callable[[Database], Answer]) -> Answer:
        """What `work` returns, of one consistent state."""
        return await self.readers.run(work)

    async def write(self, work: Callable[[Database], Any]) -> Any:
        """Run `work` in a transaction of its own."""
        return await self.writer.run(work)

    async def store(self, work: Callable[[Database], Sequence[Stored]]) -> None:
        """Run `work` in a transaction; arrays, vectors and caches follow before this returns."""
        changes = await self.writer.run(work, self._learn)
        if any(len(one.reused) < len(one.memories) for one in changes):
            self.memories.on_pending()
        gone = [memory_id for one in changes for _, memory_id in one.removed]
        if gone:
            self.memories.finder.postings.forget()
            # A draft may have been read with one of them in it.
            await self.memories.on_forgotten(gone, Touched())

    async def bury(self, source_id: str, moment: str, work: Callable[[Database], None]) -> None:
        """Note that a source is taken back, so that no restore follows it again; and do `work`."""

        def both(db: Database) -> list[Tombstone]:
            work(db)
            return self._tombstones.bury_source(db, source_id, moment)

        await self.writer.run(both, self._tombstones.keep)

    async def taken_back(self, source_ids: Sequence[str]) -> set[str]:
        """Those of these sources that were taken back: a restore had them again."""
        return await self.read(
            lambda db: {one for one in source_ids if self._tombstones.was_taken_back(db, one)}
        )

    async def forget(self, choose: Callable[[Database], Sequence[str]]) -> int:
        """Take passages away for good, and out of every answer that quoted them; how many they were."""

        def work(db: Database) -> tuple[Sequence[str], list[int], Touched]:
            chosen = choose(db)
            marks = json.dumps(list(chosen))
            sql = "SELECT DISTINCT memory_id FROM recalls WHERE memory_id IN (SELECT value FROM json_each(?))"
            quoted = [one for (one,) in db.execute(sql, [marks])]
            seqs, touched = tables.delete(db, quoted)
            sql = "SELECT seq FROM memories WHERE id IN (SELECT value FROM json_each(?))"
            others = [seq for (seq,) in db.execute(sql, [marks])]
            db.conn.executemany("DELETE FROM memories WHERE seq = ?", [(seq,) for seq in others])
            return chosen, seqs + others, touched

        def after(done: tuple[Sequence[str], list[int], Touched]) -> None:
            self.memories.finder.index.remove(done[1])

        gone, _, touched = await self.writer.run(work, after)
        if gone:
            self.memories.finder.postings.forget()
            await self.memories.on_forgotten(gone, touched)
        return len(gone)

    async def wipe(self) -> None:
        """No copy of what was taken away is left in logs and caches."""
        await self._wipe()

    def _learn(self, changes: Sequence[Stored]) -> None:
        index = self.memories.finder.index  # another one, once another model has taken over
        for one in changes:
            index.add(one.added)
            if one.reused:
                vectors = np.stack([np.frombuffer(blob, np.float16) for _, blob in one.reused])
                index.put_vectors([seq for seq, _ in one.reused], vectors.astype(np.float32))
            for row in one.closed:
                index.change(row)
            index.remove([seq for seq, _ in one.removed])
