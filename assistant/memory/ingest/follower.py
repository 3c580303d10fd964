"""One source, followed: indexed once, then again whenever something changed, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from sqlite_utils import Database

from assistant.errors import AssistantError, ChildStopped
from assistant.memory.ingest import rows
from assistant.memory.ingest.faults import GONE
from assistant.memory.ingest.indexer import Indexer, Stopped
from assistant.memory.ingest.jobs import Jobs
from assistant.memory.ingest.plan import Plan
from assistant.memory.ingest.reader import Reader
from assistant.memory.ingest.shelf import Shelf
from assistant.memory.ingest.spots import Unsure
from assistant.memory.ingest.walk import Seen, Walk
from assistant.memory.ingest.watch import Changes, Watch
from assistant.types import Source, SourceState

log = logging.getLogger(__name__)

AWAY_S = 20.0
"""Between two tries to reach a source that is away."""
RETRY_S = 30.0
"""After a failure of ours, or of the disk's."""
REST_SHARE = 10.0
"""A look that took a second is followed by a rest of so many."""
AWAY = "It cannot be reached: its folder was moved, or its drive is not connected. What was read stays."
CLOSED = "It may not be read by this user any more. What was read stays."


class Follower:
    """Keeps one source up to date. One look at a time over all sources: `turn` sees to that."""

    def __init__(
        self,
        source: Source,
        *,
        shelf: Shelf,
        reader: Reader,
        jobs: Jobs,
        turn: asyncio.Lock,
        forbidden: Sequence[Path],
        clock: Callable[[], str],
    ) -> None:
        self._source = source
        self._shelf = shelf
        self._jobs = jobs
        self._turn = turn
        self._clock = clock
        self._ended = False
        self._watch = Watch(Path(source.path), single=source.kind == "file", hidden=source.hidden)
        walk = Walk(
            Path(source.path),
            ignore=source.ignore,
            hidden=source.hidden,
            forbidden=forbidden,
            stopped=lambda: self._ended,
        )
        self._indexer = Indexer(source, walk, shelf, reader, clock, lambda: self._ended)
        self._state: SourceState | None = None
        self._problem = ""
        self._skipped: dict[str, int] | None = None
        self._rest_s = 0.0
        self._next_walk = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def watched(self) -> str:
        """How changes are noticed."""
        return self._watch.mode

    def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def poke(self) -> None:
        """Look now."""
        self._watch.poke()

    async def stop(self) -> None:
        """End after the file that is being stored; what is left is found by the next look."""
        self._ended = True
        self._watch.poke()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._watch.stop()

    async def _run(self) -> None:
        changes = Changes(everywhere=True)
        while not self._ended:
            if wait := await self._look_safely(changes):
                await asyncio.sleep(wait)
                changes = Changes(everywhere=True)
                continue
            await asyncio.sleep(self._rest_s)
            changes = await self._watch.changed()
            if changes.everywhere and (early := self._next_walk - time.monotonic()) > 0:
                await asyncio.sleep(early)
                self._watch.forget()

    async def _look_safely(self, changes: Changes) -> float:
        """One look; how long to wait before the next where something is in the way, else 0.

        After such a wait everything has to be looked at.
        """
        try:
            # First the watch, then the look: a change in between is seen by one of them.
            if not await self._watch.alive():
                changes = Changes(everywhere=True)
                await self._watch.start()
            async with self._turn:
                await self._look(changes)
        except PermissionError:
            return await self._away(CLOSED)
        except OSError:
            return await self._away(AWAY)
        except (Stopped, ChildStopped):
            return 0.0 if self._ended else RETRY_S
        except AssistantError as exc:
            log.warning("a source could not be indexed: %s", exc.code)
            return RETRY_S
        except Exception as exc:
            log.error("indexing failed with %s", type(exc).__name__)  # noqa: TRY400
            log.debug("indexing failed", exc_info=True)
            return RETRY_S
        return 0.0

    async def _look(self, changes: Changes) -> None:
        begun = time.monotonic()
        if not changes.everywhere:
            with contextlib.suppress(Unsure):
                seen, todo = await self._indexer.look_at(changes.paths)
                self._rest_s = _rest(begun)
                return await self._glance(seen, todo)
        seen, todo = await self._indexer.look()
        # What changes meanwhile is seen at once where it is told, but walks are rare.
        self._rest_s = 0.0 if changes.everywhere else _rest(begun)
        self._next_walk = time.monotonic() + _rest(begun)
        interrupted = self._state is None and self._source.job is not None
        interrupted = interrupted and self._source.job.state != "done"  # type: ignore[union-attr]
        work = todo.read or todo.gone or todo.away or seen.skipped != self._skipped or interrupted
        if work:
            self._skipped = seen.skipped
            if todo.read or todo.gone or interrupted or self._state is None:
                await self._index(seen, todo)
            else:
                await self._shelf.write(partial(self._note, seen, todo))
        problem = f"{len(todo.away)} of its files cannot be reached now." if todo.away else ""
        await self._set("unavailable" if todo.away and not seen.files else "ready", problem)
        return None

    async def _glance(self, seen: Seen, todo: Plan) -> None:
        """Do what was found where something changed; what is known of the rest stays."""
        if todo.read or todo.gone:
            state, problem = self._state or "ready", self._problem
            await self._index(seen, todo)
            await self._set(state, problem)

    async def _index(self, seen: Seen, todo: Plan) -> None:
        await self._set("indexing")
        job = await self._jobs.begin("index", self._source.id)
        await self._indexer.run(seen, todo, job)
        await self._jobs.finish(job.id)

    def _note(self, seen: Seen, todo: Plan, db: Database) -> None:
        rows.set_skipped(db, self._source.id, seen.skipped)
        rows.set_away(db, [one.id for one in todo.away], GONE)

    async def _away(self, problem: str) -> float:
        await self._watch.stop()
        await self._set("unavailable", problem)
        return AWAY_S

    async def _set(self, state: SourceState, problem: str = "") -> None:
        if (state, problem) != (self._state, self._problem):
            self._state, self._problem = state, problem
            moment = self._clock()
            await self._shelf.write(
                partial(
                    rows.set_source,
                    source_id=self._source.id,
                    moment=moment,
                    state=state,
                    problem=problem,
                )
            )


def _rest(begun: float) -> float:
    """How long to rest after a look that began then."""
    return min(RETRY_S, REST_SHARE * (time.monotonic() - begun))
