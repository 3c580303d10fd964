"""Export and import of one memory, one at a time, beside everything else that goes on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec
from sqlite_utils import Database

from assistant.errors import Conflict, ImportInvalid, NotFound
from assistant.memory import named_imports
from assistant.memory.finder import Finder
from assistant.memory.readers import Readers
from assistant.memory.tombstones import Tombstones
from assistant.memory.transfer import archive, export, loader, origins, readback
from assistant.memory.transfer import format as form
from assistant.memory.transfer.forgotten import Forgotten
from assistant.memory.transfer.incoming import Incoming
from assistant.memory.transfer.layout import Layout, Table, layout
from assistant.memory.transfer.records import Record
from assistant.memory.writer import Writer
from assistant.types import now

Value = TypeVar("Value")
SAID_EVERY = 2_000
"""Rows between two reports."""


class Transfers:
    """What goes out of one memory and comes in. Built by `service.open_memory`."""

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        finder: Finder,
        model: Callable[[], str],
        on_pending: Callable[[], None],
        tombstones: Tombstones,
        incoming: Path,
        *,
        clock: Callable[[], str] = now,
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._finder = finder
        self._model = model
        self._on_pending = on_pending
        self._tombstones = tombstones
        self._incoming = Incoming(incoming)
        self._clock = clock
        # A generator that holds a read transaction must be taken further by the thread that began it.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="memory-transfer")
        self._busy = False
        self.system = ""
        """What opens an imported conversation when it goes on here."""

    async def export(
        self, password: str = "", *, vectors: bool = True
    ) -> AsyncGenerator[bytes, None]:
        """The bytes of a file with everything remembered at this moment. Raises Conflict.

        Sealed under the password, if there is one. Without its vectors a file is a third as large,
        and they are made again after an import, which takes as long as it took at first.
        """
        with self._alone():
            pieces = self._each(lambda: self._bytes(password, vectors))
            async with contextlib.aclosing(pieces):
                async for piece in pieces:
                    yield piece

    def _bytes(self, password: str, vectors: bool) -> Iterator[bytes]:
        with self._readers.snapshot() as db:
            yield from form.packed(export.export(db, self._clock(), vectors=vectors), password)

    async def load(
        self,
        source: Path | AsyncIterator[bytes],
        password: str = "",
        *,
        origin: str = "auto",
        dry_run: bool = False,
        with_forgotten: bool = False,
        mine: Collection[str] = (),
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Import a file, or its bytes; yields how far it is, and last what became of its contents.

        A file of Nestor's own is read and checked whole before anything is stored; of another
        program's, what was read before an error stays. What was forgotten stays so, unless
        `with_forgotten`. Notes of another program become the user's own facts where `mine` has the
        SHA-256 of exactly their text; a dry run lists `notes` to choose from. Raises NotFound,
        ImportInvalid, ImportNewer, PasswordNeeded, PasswordWrong or Conflict.
        """
        with self._alone():
            async with self._incoming.here(source, origin) as path:
                ours = origin == "nestor" or (
                    origin == "auto" and await asyncio.to_thread(_is_ours, path)
                )
                steps = (
                    self._restore(path, password, dry_run, with_forgotten)
                    if ours
                    else self._take(path, origin, dry_run, with_forgotten, frozenset(mine))
                )
                async with contextlib.aclosing(steps):
                    async for step in steps:
                        yield step

    async def _restore(
        self, path: Path, password: str, dry_run: bool, back: bool
    ) -> AsyncGenerator[dict[str, Any], None]:
        known = await self._readers.run(layout)
        by_name = {one.name: one for one in known}
        sha256 = ""
        async for step in self._each(lambda: _checked(path, password, known)):
            sha256 = step.get("sha256", sha256)
            yield step
        outcome = readback.Outcome.nothing()
        reads = _Read(path, password)
        grouped = readback.hanging(known)
        async for batch in self._each(lambda: reads.batches(grouped)):
            if dry_run:
                part = await self._readers.run(
                    lambda db: readback.present(db, batch, by_name, self._known(db, back), grouped)  # noqa: B023
                )
            else:
                part = await self._store(batch, by_name, grouped, back)
            outcome.join(part)
            yield reads.step("compare" if dry_run else "store")
        if not dry_run:
            async for batch in self._each(lambda: reads.successions()):
                await self._writer.run(lambda db: readback.link(db, batch))  # noqa: B023
            if named_imports.STEP not in reads.schema:
                await self._writer.run(named_imports.name_all)
        yield {"sha256": sha256, "dry_run": dry_run} | msgspec.to_builtins(outcome)

    async def _store(
        self,
        batch: list[form.Row],
        by_name: Mapping[str, Table],
        grouped: frozenset[str],
        back: bool,
    ) -> readback.Outcome:
        def work(db: Database) -> readback.Stored:
            forgotten = self._known(db, back)
            model = self._model()
            return readback.store(db, batch, by_name, model, forgotten, grouped, self.system)

        def after(done: readback.Stored) -> None:
            self._tombstones.keep(done.stones)
            self._finder.index.add(done.rows)
            if done.vectors:
                self._finder.index.put_vectors(*readback.arrays(done.vectors))

        done = await self._writer.run(work, after)
        if done.pending:
            self._on_pending()
        return done.outcome

    async def _take(
        self, path: Path, origin: str, dry_run: bool, back: bool, mine: frozenset[str]
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Import another program's file."""
        total = loader.Loaded.nothing()
        try:
            async for step in self._take_each(path, origin, dry_run, back, mine, total):
                yield step
        except ImportInvalid as exc:
            if dry_run or not total.added:
                raise
            raise type(exc)(exc.message, _HALF) from exc

    async def _take_each(
        self,
        path: Path,
        origin: str,
        dry_run: bool,
        back: bool,
        mine: frozenset[str],
        total: loader.Loaded,
    ) -> AsyncGenerator[dict[str, Any], None]:
        moment = self._clock()
        come: loader.From | None = None
        async for come, batch, step in self._each(
            lambda: self._records(path, origin, moment, mine)
        ):
            part = await self._take_batch(come, batch, dry_run, back)
            if part.pending:
                self._on_pending()
            total.join(part)
            yield step
        yield {"from": come.origin if come else origin, "dry_run": dry_run} | total.told()

    async def _take_batch(
        self, come: loader.From, batch: list[Record], dry_run: bool, back: bool
    ) -> loader.Loaded:
        if dry_run:
            return await self._readers.run(
                lambda db: loader.present(db, batch, come, self._known(db, back))
            )
        return await self._writer.run(
            lambda db: loader.load(db, batch, come, self._model(), self._known(db, back)),
            self._learn,
        )

    def _records(
        self, path: Path, origin: str, moment: str, mine: frozenset[str]
    ) -> Iterator[tuple[loader.From, list[Record], dict[str, Any]]]:
        with archive.opened(path, self._incoming.make()) as opened:
            name, importer = origins.importer(opened, origin)
            come = loader.From(name, importer.LABEL, opened.title, self.system, moment, mine)
            done = 0
            yield come, [], _count_step(done)
            for batch in loader.batches(importer.read(opened)):
                done += len(batch)
                yield come, batch, _count_step(done)

    def _learn(self, done: loader.Loaded) -> None:
        self._tombstones.keep(done.stones)
        index = self._finder.index
        index.remove(done.removed)
        for row in done.changed:
            index.change(row)
        index.add(done.rows)
        if done.vectors:
            index.put_vectors(*readback.arrays(done.vectors))

    def _known(self, db: Database, back: bool) -> Forgotten:
        return Forgotten(db, self._tombstones, self._clock(), back=back)

    async def close(self) -> None:
        """Wait for the thread; whoever iterates has ended before."""
        await asyncio.to_thread(self._pool.shutdown)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if self._busy:
            raise Conflict(
                "Another export or import is going on.", "Try again when it has finished."
            )
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    async def _each(self, make: Callable[[], Iterator[Value]]) -> AsyncGenerator[Value, None]:
        """Take a blocking iterator's values on the one thread."""
        loop = asyncio.get_running_loop()
        made = await loop.run_in_executor(self._pool, make)
        try:
            while True:
                item = await loop.run_in_executor(self._pool, next, made, _END)
                if item is _END:
                    return
                yield item  # type: ignore[misc]
        finally:
            if close := getattr(made, "close", None):
                await asyncio.shield(loop.run_in_executor(self._pool, close))


_END = object()
_HALF = "What stood before that is stored; once the file is whole, import it again for the rest."


def _is_ours(path: Path) -> bool:
    if path.is_dir():
        return False
    with opened(path) as file:
        return form.is_ours(file.read(1024))


def _count_step(done: int) -> dict[str, Any]:
    return {"step": "store", "done_bytes": 0, "total_bytes": 0, "records": done}


def _checked(path: Path, password: str, known: Layout) -> Iterator[dict[str, Any]]:
    with opened(path) as file:
        size = path.stat().st_size
        reader = form.Reader(file, password)
        for count in readback.check(reader, known):
            if not count % SAID_EVERY:
                yield _step("check", file, size)
        yield _step("check", file, size) | {"sha256": reader.sha256}


class _Read:
    """A checked file, read again."""

    def __init__(self, path: Path, password: str) -> None:
        self._path, self._password = path, password
        self._file: BinaryIO | None = None
        self._size = 0
        self.schema: tuple[str, ...] = ()
        """The steps that the file was made after."""

    def batches(self, hanging: frozenset[str]) -> Iterator[list[form.Row]]:
        with self._reader() as reader:
            yield from readback.batches(reader, hanging)

    def successions(self) -> Iterator[list[form.Row]]:
        with self._reader() as reader:
            yield from readback.batches(readback.superseded(reader), frozenset())

    def step(self, name: str) -> dict[str, Any]:
        return _step(name, self._file, self._size)

    @contextlib.contextmanager
    def _reader(self) -> Iterator[form.Reader]:
        with opened(self._path) as file:
            self._file, self._size = file, self._path.stat().st_size
            reader = form.Reader(file, self._password)
            self.schema = reader.header.schema
            yield reader
            self._file = None


def _step(name: str, file: BinaryIO | None, size: int) -> dict[str, Any]:
    done = file.tell() if file is not None and not file.closed else size
    return {"step": name, "done_bytes": done, "total_bytes": size}


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file to import. Raises NotFound, or ImportInvalid where it cannot be read."""
    try:
        file = path.open("rb")
    except (FileNotFoundError, IsADirectoryError) as exc:
        raise NotFound("There is no such file.", "Check its name.") from exc
    except OSError as exc:
        raise ImportInvalid("The file cannot be read.", "Check its permissions.") from exc
    with file:
        yield file
