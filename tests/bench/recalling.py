"""Our own memory under test: the real service with its real embedder, asked from plain code."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from assistant.config import LIMITS, Settings, load_paths
from assistant.memory import tables
from assistant.memory.scan import Floats
from assistant.memory.service import MemoryService, open_memory
from assistant.types import NewMemory, Recalled, now

Answer = TypeVar("Answer")
_BATCH = 500
_PATIENCE_S = 20.0


class Store:
    """A memory in a folder of its own, open between `with` and its end."""

    def __init__(self, home: Path, *, embedder: str = "e5", moment: str = "") -> None:
        self._home, self._embedder, self._moment = home, embedder, moment
        self._loop = asyncio.new_event_loop()
        self.service: MemoryService

    def __enter__(self) -> Self:
        paths = load_paths({"NESTOR_HOME": str(self._home)})
        paths.make()
        settings = Settings(embedder=self._embedder, key_store="file")
        clock = (lambda: self._moment) if self._moment else now
        self.service = self.run(open_memory(paths, settings, clock=clock))
        if not self._embedder.startswith("none:"):
            self.run(self.service.embed(["ready"]))
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.service.close())
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Wait for it."""
        return self._loop.run_until_complete(work)

    def add(
        self, rows: Sequence[NewMemory], vectors: Floats | None = None, batch: int = _BATCH
    ) -> list[str]:
        """Store them, so many in a transaction; their ids."""
        ids: list[str] = []
        for at in range(0, len(rows), batch):
            given = None if vectors is None else vectors[at : at + batch]
            told = self.run(self.service.memories.add_many(rows[at : at + batch], given))
            ids += [one.id for one in told]
        return ids

    def settle(self, seconds: float = 600.0) -> None:
        """Wait until every row has its vector. Raises TimeoutError."""
        give_up = time.monotonic() + seconds
        while self.run(self.service.memories.count()).pending:
            if time.monotonic() > give_up:
                raise TimeoutError("rows still wait for their vectors")
            self.run(asyncio.sleep(0.1))

    def recall(self, question: str, **how: Any) -> list[str]:
        """The ids found for it, the best first."""
        return [one.id for one in self.search(question, **how)]

    def search(self, question: str, **how: Any) -> list[Recalled]:
        """What is found for it."""
        return self.run(self.service.memories.recall(question, patience_s=_PATIENCE_S, **how))

    def texts(self, seqs: Sequence[int]) -> dict[int, str]:
        """Whole, by `seq`."""
        readers = (
            self.service._readers
        )  # a candidate has a number, not the id that the service knows it by
        return self.run(readers.run(lambda db: tables.texts(db, seqs, LIMITS.memory_chars)))
