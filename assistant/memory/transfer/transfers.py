"""Export and import of one memory, one at a time, beside everything else that goes on."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from assistant.config import LIMITS
from assistant.errors import Conflict, DiskFull, ImportInvalid, NotFound, StoreError
from assistant.memory.readers import Readers
from assistant.memory.transfer import archive, export, loader, origins, restore
from assistant.memory.transfer import format as form
from assistant.memory.transfer.layout import Layout, layout
from assistant.memory.transfer.records import Chat, Record
from assistant.memory.vectors import Index
from assistant.memory.writer import Writer
from assistant.types import new_id, now

Value = TypeVar("Value")
SAID_EVERY = 2_000
"""Rows between two reports."""


class Transfers:
    """What goes out of one memory and comes in. Built by `service.open_memory`."""

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        index: Index,
        model: Callable[[], str],
        on_pending: Callable[[], None],
        incoming: Path,
        *,
        clock: Callable[[], str] = now,
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._index = index
        self._model = model
        self._on_pending = on_pending
        self._incoming = incoming
        """A folder for files that are sent to be imported; whatever a crash left there is removed."""
        shutil.rmtree(incoming, ignore_errors=True)
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
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Import a file, or its bytes; yields how far it is, and last what became of its contents.

        A file of Nestor's own is read and checked whole before anything is stored; of another
        program's, what was read before an error stays. Raises NotFound, ImportInvalid, ImportNewer,
        PasswordNeeded, PasswordWrong or Conflict.
        """
        with self._alone():
            async with self._here(source, origin) as path:
                ours = origin == "nestor" or (
                    origin == "auto" and await asyncio.to_thread(_is_ours, path)
                )
                steps = (
                    self._restore(path, password, dry_run)
                    if ours
                    else self._take(path, origin, dry_run)
                )
                async with contextlib.aclosing(steps):
                    async for step in steps:
                        yield step

    @contextlib.asynccontextmanager
    async def _here(self, source: Path | AsyncIterator[bytes], origin: str) -> AsyncIterator[Path]:
        if isinstance(source, Path):
            yield source
            return
        folder = self._incoming / new_id("in")
        try:
            await _spool(source, folder / "file")
            yield await asyncio.to_thread(_named, folder / "file", origin)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _restore(
        self, path: Path, password: str, dry_run: bool
    ) -> AsyncGenerator[dict[str, Any], None]:
        known = await self._readers.run(layout)
        by_name = {one.name: one for one in known}
        sha256 = ""
        async for step in self._each(lambda: _checked(path, password, known)):
            sha256 = step.get("sha256", sha256)
            yield step
        outcome = restore.Outcome({}, {}, {})
        reads = _Read(path, password)
        async for batch in self._each(lambda: reads.batches(restore.hanging(known))):
            if dry_run:
                part = await self._readers.run(lambda db: restore.present(db, batch, by_name))  # noqa: B023
            else:
                part = await self._store(batch, by_name)
            outcome.join(part)
            yield reads.step("compare" if dry_run else "store")
        if not dry_run:
            async for batch in self._each(lambda: reads.successions()):
                await self._writer.run(lambda db: restore.link(db, batch))  # noqa: B023
        yield {"sha256": sha256, "dry_run": dry_run} | msgspec.to_builtins(outcome)

    async def _store(self, batch: list[form.Row], by_name: Mapping[str, Any]) -> restore.Outcome:
        def after(done: restore.Stored) -> None:
            self._index.add(done.rows)
            if done.vectors:
                self._index.put_vectors(*restore.arrays(done.vectors))

        done = await self._writer.run(
            lambda db: restore.store(db, batch, by_name, self._model()), after
        )
        if done.pending:
            self._on_pending()
        return done.outcome

    async def _take(
        self, path: Path, origin: str, dry_run: bool
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Import another program's file."""
        total = loader.Loaded.nothing()
        try:
            async for step in self._take_each(path, origin, dry_run, total):
                yield step
        except ImportInvalid as exc:
            if dry_run or not total.added:
                raise
            raise type(exc)(exc.message, _HALF) from exc

    async def _take_each(
        self, path: Path, origin: str, dry_run: bool, total: loader.Loaded
    ) -> AsyncGenerator[dict[str, Any], None]:
        moment = self._clock()
        come: loader.From | None = None
        async for come, batch, step in self._each(lambda: self._records(path, origin, moment)):
            if dry_run:
                part = await self._readers.run(lambda db: loader.present(db, batch, come))  # noqa: B023
            else:
                part = await self._writer.run(
                    lambda db: loader.load(db, batch, come, self._model()),  # noqa: B023
                    self._learn,
                )
            if part.pending:
                self._on_pending()
            total.join(part)
            yield step
        yield {"from": come.origin if come else origin, "dry_run": dry_run} | _told(total)

    def _records(
        self, path: Path, origin: str, moment: str
    ) -> Iterator[tuple[loader.From, list[Record], dict[str, Any]]]:
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        with archive.opened(path, self._incoming) as opened:
            name, importer = origins.importer(opened, origin)
            come = loader.From(name, importer.LABEL, opened.title, self.system, moment)
            done = 0
            yield come, [], _count_step(done)
            for batch in _batched(importer.read(opened)):
                done += len(batch)
                yield come, batch, _count_step(done)

    def _learn(self, done: loader.Loaded) -> None:
        for row in done.changed:
            self._index.change(row)
        self._index.add(done.rows)
        if done.vectors:
            self._index.put_vectors(*restore.arrays(done.vectors))

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


async def _spool(content: AsyncIterator[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            async for piece in content:
                await asyncio.to_thread(file.write, piece)
    except OSError as exc:
        if exc.errno == errno.ENOSPC:
            raise DiskFull("There is no room for the file to import.") from exc
        raise StoreError("The file to import cannot be kept for its reading.") from exc


def _is_ours(path: Path) -> bool:
    if path.is_dir():
        return False
    with opened(path) as file:
        return form.is_ours(file.read(1024))


def _named(path: Path, origin: str) -> Path:
    """An uploaded file has no name; programs tell theirs by the ending."""
    with path.open("rb") as file:
        start = file.read(64)
    # Any text can be a note: only where the user says so.
    name = {"obsidian": "upload.md", "openclaw": "MEMORY.md"}.get(origin, "upload")
    if start.startswith(archive.SQLITE):
        name = "upload.db"
    elif start.lstrip()[:1] in (b"{", b"["):
        name = "conversations.json"
    elif start.startswith(b"PK"):
        name = "upload.zip"
    return path.rename(path.with_name(name))


def _batched(records: Iterator[Record]) -> Iterator[list[Record]]:
    """As many as belong into one transaction: a long conversation counts as its messages."""
    batch: list[Record] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record.messages) if isinstance(record, Chat) else 1
        if size >= LIMITS.import_batch_rows:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _told(total: loader.Loaded) -> dict[str, Any]:
    """The outcome for clients: the first things that were left out, and how many there were."""
    first = [msgspec.structs.asdict(one) for one in total.skipped]
    return {
        "added": total.added,
        "same": total.same,
        "different": total.different,
        "skipped": first,
        "skipped_count": total.left_out,
    }


def _count_step(done: int) -> dict[str, Any]:
    return {"step": "store", "done_bytes": 0, "total_bytes": 0, "records": done}


def _checked(path: Path, password: str, known: Layout) -> Iterator[dict[str, Any]]:
    with opened(path) as file:
        size = path.stat().st_size
        reader = form.Reader(file, password)
        for count in restore.check(reader, known):
            if not count % SAID_EVERY:
                yield _step("check", file, size)
        yield _step("check", file, size) | {"sha256": reader.sha256}


class _Read:
    """A checked file, read again."""

    def __init__(self, path: Path, password: str) -> None:
        self._path, self._password = path, password
        self._file: BinaryIO | None = None
        self._size = 0

    def batches(self, hanging: frozenset[str]) -> Iterator[list[form.Row]]:
        with self._reader() as reader:
            yield from restore.batches(reader, hanging)

    def successions(self) -> Iterator[list[form.Row]]:
        with self._reader() as reader:
            yield from restore.batches(restore.superseded(reader), frozenset())

    def step(self, name: str) -> dict[str, Any]:
        return _step(name, self._file, self._size)

    @contextlib.contextmanager
    def _reader(self) -> Iterator[form.Reader]:
        with opened(self._path) as file:
            self._file, self._size = file, self._path.stat().st_size
            yield form.Reader(file, self._password)
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
