"""A few read-only connections and threads, so that no query blocks the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlite_utils import Database

from assistant.errors import Damaged, KeyWrong, StoreError
from assistant.memory import damage
from assistant.memory.database import translated

Answer = TypeVar("Answer")
THREADS = 3


class Readers:
    """Runs functions of a read-only database; each sees one consistent state of it."""

    def __init__(self, connect: Callable[[], Database]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._open: list[Database] = []
        self._idle: list[Database] = []
        """The one used last at the end: its cache has the pages that the next question needs."""
        self._closed = False
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="memory-reader")

    async def run(self, work: Callable[[Database], Answer]) -> Answer:
        """What `work` returns, from a reading thread. Raises what it raises, or StoreError."""
        if self._closed:
            raise StoreError("The memory is closed.")
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.read, work)

    def read(self, work: Callable[[Database], Answer]) -> Answer:
        """As `run`, on the calling thread.

        Raises Damaged where anything that was read is not as it was written.
        """
        with self.snapshot() as db:
            return work(db)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Database]:
        """One consistent state of the database, for the calling thread alone and until this ends.

        While it lasts, the log is not emptied. Raises Damaged as `read`.
        """
        db = self._take()
        try:
            with damage.heard(), translated():
                db.execute("BEGIN")
                try:
                    yield db
                finally:
                    db.rollback()
        except Damaged:
            self._drop(db)
            raise
        except BaseException:
            self._give_back(db)
            raise
        self._give_back(db)

    @staticmethod
    def anew(db: Database) -> None:
        """For a function that is being run: from here on, what is committed by now."""
        db.rollback()
        db.execute("BEGIN")

    def close(self) -> None:
        """Wait for what runs, close the connections. Blocks; call it off the event loop."""
        self._closed = True
        self._pool.shutdown()
        for db in self._open:
            db.close()

    def _take(self) -> Database:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        try:
            db = self._connect()
        except KeyWrong as exc:
            # The key has opened this file before; it is the file that cannot be read any more.
            raise Damaged() from exc
        with self._lock:
            self._open.append(db)
        return db

    def _give_back(self, db: Database) -> None:
        with self._lock:
            self._idle.append(db)

    def _drop(self, db: Database) -> None:
        """Its cache has zeros for pages that are damaged; a new connection reads them again."""
        with self._lock:
            self._open.remove(db)
        db.close()
