"""Sources: the folders and files the user allowed, followed until the user says otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
from sqlite_utils import Database

from assistant.config import LIMITS, Paths
from assistant.errors import (
    AssistantError,
    Conflict,
    InvalidInput,
    SourceExists,
    SourceNotFound,
    SourceRefused,
)
from assistant.memory import erase
from assistant.memory import rows as memory_rows
from assistant.memory.ingest import imports, jobs, names, rows, rules
from assistant.memory.ingest.follower import Follower
from assistant.memory.ingest.jobs import Jobs
from assistant.memory.ingest.reader import Reader
from assistant.memory.ingest.shelf import Shelf
from assistant.types import ChildStatus, Forget, Source, SourceFile, now

log = logging.getLogger(__name__)

REMOVED_AT_ONCE = 200
"""Passages in one transaction of a removal."""
REMOVE_WAIT_S = 10.0
"""How long `remove` waits for its own end; a large source goes on in the background."""
RETRY_S = 30.0
_BARRED = "It is not read: it holds keys, passwords, or the system's or Nestor's own files."
_SYSTEM = ("/proc", "/sys", "/dev", "/run", "/boot", "/etc")

_Sources = list[Source]
_Files = list[SourceFile]


class Sources:
    """What may be read. Built by `memory.service.open_memory`; nothing is read before `start`."""

    def __init__(self, shelf: Shelf, paths: Paths, *, clock: Callable[[], str] = now) -> None:
        self._shelf = shelf
        self._clock = clock
        self._forbidden = tuple(
            path.resolve()
            for path in (paths.config, paths.data, paths.state, paths.cache, paths.models)
        )
        self.jobs = Jobs(shelf.writer, shelf.readers, clock)
        self.reader = Reader()
        self._turn = asyncio.Lock()
        self._changing = asyncio.Lock()
        self._followers: dict[str, Follower] = {}
        self._removals: dict[str, asyncio.Task[None]] = {}
        self._started = False

    async def start(self) -> None:
        """Follow what is allowed, and go on with what was interrupted."""
        self._started = True
        sources = await self._allowed()
        taken_back = await self._shelf.taken_back([source.id for source in sources])
        for source in sources:
            if source.state == "removing" or source.id in taken_back:
                self._remove_soon(source.id)
            elif source.state != "paused":
                await self._follow_allowed(source)

    async def close(self) -> None:
        """Stop following; the next start goes on."""
        tasks = list(self._removals.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        followers, self._followers = self._followers, {}
        await asyncio.gather(*(one.stop() for one in followers.values()))
        await self.reader.close()

    # --- what is allowed -----------------------------------------------------------------------

    async def add(
        self,
        path: str,
        *,
        kind: str | None = None,
        ignore: Sequence[str] = (),
        hidden: bool = False,
    ) -> Source:
        """Allow a folder or a file, by its absolute path; indexing begins at once.

        Raises InvalidInput, SourceRefused or SourceExists.
        """
        rules.Patterns(ignore)
        place, found = await asyncio.to_thread(self._checked, path)
        if kind not in (None, found):
            raise InvalidInput(f"That path is a {found}.", "Leave `kind` out.")
        async with self._changing:
            known = await self._allowed()
            if len(known) >= LIMITS.sources:
                raise Conflict(
                    f"{LIMITS.sources} sources are allowed at most.", "Remove one first."
                )
            if any(_overlap(place, Path(one.path)) for one in known):
                raise SourceExists
            options = rows.Options(tuple(ignore), hidden)
            moment = self._clock()
            source_id = await self._shelf.write(
                lambda db: rows.add_source(db, found, str(place), options, moment)
            )
            source = await self.get(source_id)
            self._follow(source)
        return source

    async def list(self) -> _Sources:
        """Everything that is allowed, oldest first; then what was imported."""
        return [*await self._allowed(), *await self._shelf.read(imports.listed)]

    async def get(self, source_id: str) -> Source:
        """One of them. Raises SourceNotFound."""
        for source in await self.list():
            if source.id == source_id:
                return source
        raise SourceNotFound

    async def files(
        self,
        source_id: str,
        *,
        cursor: str | None = None,
        limit: int = 50,
        state: str | None = None,
    ) -> tuple[_Files, str | None]:
        """A page of a source's files by path, with what is wrong with each. Raises SourceNotFound."""
        await self.get(source_id)
        after = memory_rows.read_cursor(cursor, 1)[0] if cursor else ""
        found = await self._shelf.read(
            lambda db: rows.files(db, source_id, after=after, limit=limit + 1, state=state)
        )
        page = found[:limit]
        following = memory_rows.write_cursor([page[-1].path]) if len(found) > limit else None
        return page, following

    async def pause(self, source_id: str) -> Source:
        """Stop following; what was read stays. Raises SourceNotFound."""
        async with self._changing:
            await self._present(source_id)
            await self._unfollow(source_id)
            await self._set(source_id, "paused")
            source = await self.get(source_id)
            if source.job is not None and source.job.state == "running":
                await self.jobs.finish(source.job.id, "paused")
        return await self.get(source_id)

    async def resume(self, source_id: str) -> Source:
        """Follow again, and look at once.

        Raises SourceNotFound; of one that may not be followed here (it may have come with an import),
        InvalidInput, SourceRefused or SourceExists.
        """
        async with self._changing:
            source = await self._present(source_id)
            if source.state == "paused":
                place = await asyncio.to_thread(self._still_allowed, source)
                if any(_overlap(place, Path(one.path)) for one in await self._followed()):
                    raise SourceExists
                await self._set(source_id, "indexing", path=str(place))
                self._follow(await self.get(source_id))
            elif source_id in self._followers:
                self._followers[source_id].poke()
        return await self.get(source_id)

    async def remove(self, source_id: str) -> Source | None:
        """Take a source back: all that came from it goes, out of answers that quoted it too.

        With an import go its chats, and what was said in them since.
        None: it is gone. A large one goes on in the background, and is `removing` meanwhile.
        Raises SourceNotFound.
        """
        async with self._changing:
            if (await self.get(source_id)).kind == "import":
                await self._shelf.memories.erase(partial(_without_import, source_id))
                return None
            await self._unfollow(source_id)
            moment = self._clock()
            mark = partial(
                rows.set_source, source_id=source_id, moment=moment, state="removing", problem=""
            )
            await self._shelf.bury(source_id, moment, mark)
            task = self._remove_soon(source_id)
        await asyncio.wait({task}, timeout=REMOVE_WAIT_S)
        try:
            return await self.get(source_id)
        except SourceNotFound:
            return None

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Nothing is read from any source in here; those that are still allowed are followed again."""
        async with self._changing:
            for source_id in list(self._followers):
                await self._unfollow(source_id)
            try:
                yield
            finally:
                for source in await self._allowed():
                    if source.state not in ("paused", "removing"):
                        await self._follow_allowed(source)

    def children(self) -> Sequence[ChildStatus]:
        """The process that reads files."""
        return [self.reader.status()]

    # --- inside --------------------------------------------------------------------------------

    async def _allowed(self) -> _Sources:
        """Folders and files, oldest first."""
        return [self._seen(source) for source in await self._shelf.read(rows.sources)]

    def _seen(self, source: Source) -> Source:
        follower = self._followers.get(source.id)
        watched = follower.watched if follower else ""
        return msgspec.structs.replace(source, watched=watched)

    async def _present(self, source_id: str) -> Source:
        source = await self.get(source_id)
        if source.state == "removing":
            raise SourceNotFound
        if source.kind == "import":
            raise InvalidInput("An import is not followed.", "Import a newer file of it.")
        return source

    async def _followed(self) -> _Sources:
        return [one for one in await self._allowed() if one.state not in ("paused", "removing")]

    async def _set(self, source_id: str, state: str, problem: str = "", **more: str) -> None:
        moment = self._clock()
        changes = {"state": state, "problem": problem, **more}
        await self._shelf.write(lambda db: rows.set_source(db, source_id, moment, **changes))

    async def _follow_allowed(self, source: Source) -> None:
        """Follow it, unless it is never read: its row may not have come through `add`."""
        if not self._started:
            return
        # By its name alone: a drive that does not answer must not hold up a start.
        if self._is_barred(Path(source.path), source):
            await self._set(source.id, "paused", _BARRED)
        else:
            self._follow(source)

    def _follow(self, source: Source) -> None:
        if not self._started:
            return
        follower = Follower(
            source,
            shelf=self._shelf,
            reader=self.reader,
            jobs=self.jobs,
            turn=self._turn,
            forbidden=self._forbidden,
            clock=self._clock,
        )
        self._followers[source.id] = follower
        follower.start()

    async def _unfollow(self, source_id: str) -> None:
        follower = self._followers.pop(source_id, None)
        if follower is not None:
            await follower.stop()

    def _checked(self, path: str) -> tuple[Path, str]:
        place = Path(path)
        if not place.is_absolute():
            raise InvalidInput(
                "The path is not absolute.", "Send the whole path of a folder or file."
            )
        try:
            place = place.resolve(strict=True)
            folder = place.is_dir()
            plain = folder or place.is_file()
            if folder:
                os.scandir(place).close()
            elif plain:
                place.open("rb").close()
        except FileNotFoundError as exc:
            raise InvalidInput(
                "There is no folder or file at that path.", "Check the path."
            ) from exc
        except (OSError, RuntimeError, ValueError) as exc:
            raise InvalidInput(
                "That path cannot be read.", "Check its permissions, and that its drive is there."
            ) from exc
        if not plain or self._is_refused(place, folder):
            raise SourceRefused
        if not folder and names.format_of(place.name) is None:
            raise InvalidInput("Files of this kind are not read.", "The README lists the formats.")
        return place, "folder" if folder else "file"

    def _still_allowed(self, source: Source) -> Path:
        """Where a source lies now, its drive there or not. Raises InvalidInput or SourceRefused."""
        place = Path(source.path)
        if not place.is_absolute():
            raise InvalidInput("That path is of another machine.", "Allow the folder it is here.")
        try:
            place = place.resolve()
            other = place.is_file() if source.kind == "folder" else place.is_dir()
        except OSError:
            other = False  # whoever follows it says so, and looks again
        except (RuntimeError, ValueError) as exc:
            raise InvalidInput("That path leads nowhere.", "Remove the source.") from exc
        if other:
            raise InvalidInput(f"That path is no {source.kind} here.", "Remove it, and add it.")
        if self._is_barred(place, source):
            raise SourceRefused
        return place

    def _is_barred(self, place: Path, source: Source) -> bool:
        place = Path(os.path.normpath(place))
        unread = source.kind == "file" and names.format_of(place.name) is None
        folder = source.kind == "folder"
        return unread or not place.is_absolute() or self._is_refused(place, folder)

    def _is_refused(self, place: Path, folder: bool) -> bool:
        if place == Path(place.anchor) or names.is_secret_path(place.parts[1:]):
            return True
        system = [Path(one) for one in _SYSTEM]
        if sys.platform == "win32":
            system = [Path(os.environ.get("SYSTEMROOT", r"C:\Windows"))]
        return any(place.is_relative_to(one) for one in (*system, *self._forbidden))

    # --- removal -------------------------------------------------------------------------------

    def _remove_soon(self, source_id: str) -> asyncio.Task[None]:
        task = self._removals.get(source_id)
        if task is None or task.done():
            task = asyncio.get_running_loop().create_task(self._remove(source_id))
            self._removals[source_id] = task
        return task

    async def _remove(self, source_id: str) -> None:
        while True:
            try:
                await self._take_away(source_id)
                break
            except AssistantError as exc:
                log.warning("a source could not be removed yet: %s", exc.code)
                await asyncio.sleep(RETRY_S)
        self._removals.pop(source_id, None)

    async def _take_away(self, source_id: str) -> None:
        left = await self._shelf.read(lambda db: rows.count_passages(db, source_id))
        job = await self.jobs.begin("remove", source_id)
        total = max(job.total, job.done + left)

        def choose(db: Database) -> Sequence[str]:
            chosen = rows.passages_of(db, source_id, REMOVED_AT_ONCE)
            jobs.advance(db, job.id, self._clock(), done=total - left + len(chosen), total=total)
            return chosen

        while gone := await self._shelf.forget(choose):
            left -= gone
        await self._shelf.write(lambda db: rows.drop_source(db, source_id))
        await self._shelf.wipe()


def _without_import(source_id: str, db: Database) -> erase.Erased:
    erased = erase.erase(db, *erase.exactly(db, Forget(source=source_id)))
    imports.drop(db, source_id)
    return erased


def _overlap(one: Path, other: Path) -> bool:
    first, second = Path(os.path.normcase(one)), Path(os.path.normcase(other))
    return first.is_relative_to(second) or second.is_relative_to(first)
