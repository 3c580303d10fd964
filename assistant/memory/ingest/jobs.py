"""Long work as rows: how far it is, and what to go on with after the process died.

Progress is written in the transaction of the work itself, so neither is ever ahead of the other.
Whoever works begins a job, calls `advance` in each of its transactions and `finish` at the end; what is
still `running` at the next start was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlite_utils import Database

from assistant.memory.readers import Readers
from assistant.memory.writer import Writer
from assistant.types import Job, JobState, new_id, now

_FIELDS = tuple(name for name in Job.__struct_fields__)
_COLUMNS = ", ".join(_FIELDS)


class Jobs:
    """The table of jobs."""

    def __init__(self, writer: Writer, readers: Readers, clock: Callable[[], str] = now) -> None:
        self._writer = writer
        self._readers = readers
        self._clock = clock

    async def begin(self, kind: str, source_id: str | None = None) -> Job:
        """The unfinished job of this kind and source, running again, or a new one.

        Finished ones of the same kind and source leave the table.
        """
        moment = self._clock()

        def work(db: Database) -> Job:
            same = [kind, source_id]
            unfinished = "kind = ? AND source_id IS ? AND state <> 'done'"
            found = db.execute(f"SELECT id FROM jobs WHERE {unfinished}", same).fetchone()  # noqa: S608
            db.execute(
                "DELETE FROM jobs WHERE kind = ? AND source_id IS ? AND state = 'done'", same
            )
            job_id = found[0] if found else new_id("j")
            if not found:
                db.execute(
                    "INSERT INTO jobs (id, kind, source_id, state, created_at, updated_at) "
                    "VALUES (?, ?, ?, 'running', ?, ?)",
                    [job_id, kind, source_id, moment, moment],
                )
            advance(db, job_id, moment, state="running", problem="")
            return get(db, job_id)

        return await self._writer.run(work)

    async def update(self, job_id: str, **changes: Any) -> None:
        """As `advance`, in a transaction of its own."""
        moment = self._clock()
        await self._writer.run(lambda db: advance(db, job_id, moment, **changes))

    async def finish(self, job_id: str, state: JobState = "done", problem: str = "") -> None:
        """It is over, or rests (`paused`)."""
        moment = self._clock()
        ended = moment if state in ("done", "failed") else None
        await self._writer.run(
            lambda db: advance(db, job_id, moment, state=state, problem=problem, finished_at=ended)
        )

    async def cursor(self, job_id: str) -> str:
        """Where to go on, as the last `advance` left it."""

        def work(db: Database) -> str:
            found = db.execute("SELECT cursor FROM jobs WHERE id = ?", [job_id]).fetchone()
            return str(found[0]) if found else ""

        return await self._readers.run(work)

    async def list(self, kind: str | None = None) -> list[Job]:
        """Jobs, the latest first."""

        def work(db: Database) -> Any:
            sql = f"SELECT {_COLUMNS} FROM jobs WHERE ? IS NULL OR kind = ? ORDER BY id DESC"  # noqa: S608
            return [_job(row) for row in db.execute(sql, [kind, kind])]

        found: list[Job] = await self._readers.run(work)
        return found


def get(db: Database, job_id: str) -> Job:
    """A job that is there."""
    sql = f"SELECT {_COLUMNS} FROM jobs WHERE id = ?"  # noqa: S608
    return _job(db.execute(sql, [job_id]).fetchone())


def latest(db: Database) -> dict[str, Job]:
    """The newest job of each source."""
    sql = f"SELECT {_COLUMNS} FROM jobs WHERE source_id IS NOT NULL ORDER BY updated_at, id"  # noqa: S608
    return {job.source_id or "": job for job in map(_job, db.execute(sql))}


def advance(db: Database, job_id: str, moment: str, **changes: Any) -> None:
    """Write how far a job is: any of its columns, `cursor` too."""
    values = changes | {"updated_at": moment}
    names = ", ".join(f"{name} = ?" for name in values)
    db.execute(f"UPDATE jobs SET {names} WHERE id = ?", [*values.values(), job_id])  # noqa: S608


def _job(row: Any) -> Job:
    return Job(**dict(zip(_FIELDS, row, strict=True)))
