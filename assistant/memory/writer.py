"""The one thread that writes: many jobs, one transaction, and no promise before COMMIT."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import msgspec
from sqlcipher3 import dbapi2 as sqlcipher
from sqlite_utils import Database

from assistant.errors import AssistantError, Damaged, Internal, StoreError
from assistant.memory import damage
from assistant.memory.database import explain

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
GROUP_MOST = 64
"""Jobs in one transaction: bounds how long the first of them waits."""
CHECKPOINT_TRIES = 20
"""A hundredth of a second apart."""
CHECKPOINT_AGAIN_S = 15.0


class _Job(msgspec.Struct):
    work: Callable[[Database], Any]
    after: Callable[[Any], None] | None
    future: Future[Any]
    alone: bool = False
    """Outside any transaction: a checkpoint."""
    answer: Any = None


class Writer:
    """Owns the write connection. What `run` returned is on disk, and survives a power cut."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self.rebuild: Callable[[Database], None] = lambda db: None
        """Makes what `after` keeps up to date again, from the database, when an `after` failed."""
        self.closed: Callable[[], None] = lambda: None
        """Called at the end whenever the log may be empty: before the connection closes, and after."""
        self._broken: AssistantError | None = None
        self._closing = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="memory-writer", daemon=True)
        self._thread.start()

    async def run(
        self,
        work: Callable[[Database], Answer],
        after: Callable[[Answer], None] | None = None,
    ) -> Answer:
        """Run `work` in a transaction, then, once it is durable, `after` with what it returned.

        `after` runs on the writer's thread before this returns; if it fails, `rebuild` runs. A job
        that raises is rolled back alone; after a failure that undid the whole transaction each job
        runs once more, by itself. Raises what `work` raises, DiskFull or StoreError.
        """
        return await asyncio.wrap_future(self.submit(work, after))

    def submit(
        self,
        work: Callable[[Database], Answer],
        after: Callable[[Answer], None] | None = None,
        *,
        alone: bool = False,
    ) -> Future[Answer]:
        """As `run`, from any thread."""
        job = _Job(work, after, Future(), alone)
        with self._lock:
            if self._closing:
                job.future.set_exception(StoreError("The memory is closed."))
            else:
                self._jobs.put(job)
        return job.future

    async def checkpoint(self) -> bool:
        """Move everything from the log into the database and empty the log file; whether it is done.

        Where a reader is in the way this gives up soon, so that no write waits long, and is tried
        again every CHECKPOINT_AGAIN_S seconds until it is done.
        """
        return await asyncio.wrap_future(self.submit(self._empty_log, alone=True))

    def close(self) -> None:
        """Do what was accepted, checkpoint, close the connection. Blocks; call it off the event loop."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            self._jobs.put(None)
        self._thread.join()

    # --- the thread ----------------------------------------------------------------------

    def _empty_log(self, db: Database) -> bool:
        done = False
        try:
            done = _checkpoint(db)
        except sqlcipher.Error as exc:
            log.warning("the log cannot be emptied: %s", type(exc).__name__)
        self._checkpoint_due = None if done else time.monotonic() + CHECKPOINT_AGAIN_S
        return done

    def _run(self) -> None:
        while (group := self._next_group()) is not None:
            group = [job for job in group if job.future.set_running_or_notify_cancel()]
            if self._broken is not None:
                _fail(group, self._broken)
            elif group and group[0].alone:
                self._run_alone(group[0])
            elif group:
                self._commit(group)
        try:
            if self._broken is None and _checkpoint(self._db):
                self.closed()
            self._db.close()
            self.closed()
        except (sqlcipher.Error, OSError):
            log.warning("the log could not be emptied at the end; the next start reads it")

    def _next_group(self) -> list[_Job] | None:
        """The jobs that wait, in order; None at the end. A job that runs alone comes alone."""
        group: list[_Job] = []
        while len(group) < GROUP_MOST:
            if not group and self._checkpoint_wait() == 0.0:
                return [_Job(self._empty_log, None, Future(), alone=True)]
            if self._held is None:
                try:
                    job = self._jobs.get(not group, self._checkpoint_wait())
                except queue.Empty:
                    if group:
                        break
                    continue
            else:
                job, self._held = self._held, None
            if job is None:
                if not group:
                    return None
                self._jobs.put(None)
                break
            if job.alone and group:
                self._held = job
                break
            group.append(job)
            if job.alone:
                break
        return group

    def _checkpoint_wait(self) -> float | None:
        """Seconds until the log is to be emptied once more; None: it is not to be."""
        due = self._checkpoint_due
        if due is None or self._broken is not None:
            return None
        return max(0.0, due - time.monotonic())

    _held: _Job | None = None
    _checkpoint_due: float | None = None

    def _run_alone(self, job: _Job) -> None:
        try:
            with damage.heard():
                answer = job.work(self._db)
            job.future.set_result(answer)
        except Damaged as exc:
            self._stop_writing(exc)
            job.future.set_exception(exc)
        except Exception as exc:  # noqa: BLE001 - every failure belongs to the job's caller
            job.future.set_exception(_ours(exc))

    def _commit(self, group: list[_Job]) -> None:
        try:
            # What was read wrongly must not be written back.
            with damage.heard():
                self._db.execute("BEGIN IMMEDIATE")
                done = [job for job in group if self._attempt(job)]
            self._db.execute("COMMIT")
        except Exception as exc:  # noqa: BLE001 - nothing of the group is stored
            self._roll_back(exc)
            left = [job for job in group if not job.future.done()]
            if self._broken is not None or len(group) == 1:
                _fail(left, _ours(exc))
            else:  # a job too big for the disk must not take the small ones along
                for job in left:
                    self._commit([job])
            return
        told = [self._tell(job) for job in done]
        if not all(told):
            self._rebuild()
        for job in done:
            job.future.set_result(job.answer)

    def _tell(self, job: _Job) -> bool:
        """Run what follows a commit; whether it worked. The job is stored in any case."""
        try:
            if job.after is not None:
                job.after(job.answer)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the arrays can be made again
            log.error("stored, but the index was not told: %s", type(exc).__name__)  # noqa: TRY400
            return False
        return True

    def _rebuild(self) -> None:
        try:
            self.rebuild(self._db)
        except Exception as exc:  # noqa: BLE001 - the table has all; the next start reads it
            log.error("the index could not be made again: %s", type(exc).__name__)  # noqa: TRY400

    def _attempt(self, job: _Job) -> bool:
        self._db.execute("SAVEPOINT job")
        try:
            job.answer = job.work(self._db)
        except Exception as exc:  # one job's failure must not take its neighbours along
            if not self._db.conn.in_transaction:
                raise  # the whole transaction is gone: a full disk, an I/O error
            self._db.execute("ROLLBACK TO job")
            self._db.execute("RELEASE job")
            job.future.set_exception(_ours(exc))
            return False
        self._db.execute("RELEASE job")
        return True

    def _roll_back(self, error: Exception) -> None:
        try:
            self._db.rollback()
        except sqlcipher.Error as exc:
            error = error if isinstance(error, Damaged) else exc
        if isinstance(error, Damaged):
            self._stop_writing(error)
        elif "disk I/O" in str(error):
            # After a failed fsync nobody knows what is on the disk: stop promising.
            self._broken = StoreError(
                "The disk failed while a memory was being stored; nothing more is stored.",
                "Check the disk, then restart Nestor. Reading still works.",
            )
            log.error("disk error; the memory is read-only until the next start")

    def _stop_writing(self, error: Damaged) -> None:
        """A damaged page stands as zeros in the cache of this connection: it writes no more."""
        self._broken = error
        log.error("the database is damaged; the memory is read-only until the next start")


def _checkpoint(db: Database) -> bool:
    """Whether the log is empty now; a reader may hold it."""
    (patience,) = db.execute("PRAGMA busy_timeout").fetchone()
    # SQLite would hold every writer for as long as it waits for the reader.
    db.execute("PRAGMA busy_timeout = 0")
    try:
        for _ in range(CHECKPOINT_TRIES):
            if not db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                return True
            time.sleep(0.01)
    finally:
        db.execute(f"PRAGMA busy_timeout = {patience}")
    log.info("the log is not emptied yet: a reader holds it")
    return False


def _fail(group: list[_Job], error: AssistantError) -> None:
    for job in group:
        if not job.future.done():
            job.future.set_exception(error)


def _ours(error: Exception) -> AssistantError:
    if isinstance(error, AssistantError):
        return error
    if isinstance(error, sqlcipher.Error):
        ours = explain(error)
    else:
        # The message may quote the user's text: it goes no further than DEBUG.
        log.error("a write failed with %s", type(error).__name__)
        log.debug("the failed write", exc_info=error)
        ours = Internal()
    ours.__cause__ = error
    return ours
