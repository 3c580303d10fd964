"""One pass over a source: look, compare, read, store. Stopped at any point, the next goes on from there.

Each file is stored in one transaction with the progress of the job; a mailbox in several, and is then
`partial` until the last. What was stored is not read again unless its size or date changed, and not
parsed again unless its bytes did.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
from sqlite_utils import Database

from assistant.errors import AssistantError
from assistant.memory.ingest import files, jobs, rows, spots
from assistant.memory.ingest.documents import READER, Document
from assistant.memory.ingest.faults import CUT, DAMAGED, GONE, Unreadable
from assistant.memory.ingest.files import Loaded, Mailbox
from assistant.memory.ingest.opening import Missing
from assistant.memory.ingest.passages import Passage
from assistant.memory.ingest.plan import Diff, Known, Plan, plan
from assistant.memory.ingest.reader import Reader
from assistant.memory.ingest.shelf import Shelf
from assistant.memory.ingest.walk import Found, Seen, Walk
from assistant.types import Job, Source, new_id, timestamp

log = logging.getLogger(__name__)

GONE_BATCH = 100
"""Vanished files in one transaction."""


class Stopped(Exception):
    """The pass was told to stop between two files."""


class Indexer:
    """Brings what is remembered of one source in line with what is on disk."""

    def __init__(
        self,
        source: Source,
        walk: Walk,
        shelf: Shelf,
        reader: Reader,
        clock: Callable[[], str],
        stopped: Callable[[], bool],
    ) -> None:
        self._source = source
        self._root = Path(source.path)
        self._single = source.kind == "file"
        self._walk = walk
        self._shelf = shelf
        self._reader = reader
        self._clock = clock
        self._stopped = stopped
        self._known: dict[str, Known] = {}
        self._progress = _Progress()

    async def look(self) -> tuple[Seen, Plan]:
        """What has to be done. Raises OSError where the source cannot be reached."""
        seen = await asyncio.to_thread(self._walk.file if self._single else self._walk.folder)
        if self._stopped():
            raise Stopped
        self._known = await self._shelf.read(lambda db: rows.known(db, self._source.id))
        return seen, await asyncio.to_thread(plan, seen, self._known, READER)

    async def look_at(self, paths: Collection[str]) -> tuple[Seen, Plan]:
        """As `look`, only where these files and folders are or were.

        Raises OSError where the source cannot be reached, and Unsure where only `look` can tell.
        """
        places = spots.covering(paths)
        if self._single or "" in places:
            raise spots.Unsure
        self._known, others = await self._shelf.read(
            lambda db: rows.known_at(db, self._source.id, places)
        )
        seen = await asyncio.to_thread(spots.look, self._walk, places, others)
        if self._stopped():
            raise Stopped
        todo = plan(seen, self._known, READER)
        if todo.away:
            raise spots.Unsure
        return seen, todo

    async def run(self, seen: Seen, todo: Plan, job: Job) -> int:
        """Do it; how many files and passages went or came. Raises Stopped, StoreError, ChildStopped."""
        self._progress = _Progress(
            job.id,
            done=todo.same,
            total=todo.same + len(todo.read),
            bytes_done=todo.same_bytes,
            bytes_total=todo.same_bytes + sum(found.size for found in todo.read),
        )
        await self._shelf.write(partial(self._begin, seen, todo))
        for batch in files.batches(todo.read):
            if self._stopped():
                raise Stopped
            if batch[0].format == "mbox":
                await self._mailbox(batch[0])
            else:
                await self._batch(batch)
        # What went is taken away after what came is there: the vectors of a renamed file stay.
        for at in range(0, len(todo.gone), GONE_BATCH):
            if self._stopped():
                raise Stopped
            await self._drop(todo.gone[at : at + GONE_BATCH])
        if todo.gone:
            await self._shelf.wipe()
        return len(todo.read) + len(todo.gone)

    def _begin(self, seen: Seen, todo: Plan, db: Database) -> None:
        if seen.places is None:
            rows.set_skipped(db, self._source.id, seen.skipped)
        rows.set_away(db, [one.id for one in todo.away], GONE)
        self._progress.write(db, self._clock())

    # --- files in one piece ------------------------------------------------------------------

    async def _batch(self, batch: Sequence[Found]) -> None:
        loaded = await asyncio.to_thread(self._load, batch)
        documents = [one.document for one in loaded if one.document]
        texts: list[list[Passage]] = [[] for _ in documents]
        problems = [""] * len(documents)
        async with contextlib.aclosing(self._reader.read(documents)) as parts:
            async for at, part in parts:
                texts[at] += part.passages
                problems[at] = part.problem or problems[at]
                if self._stopped():
                    raise Stopped
        changes: list[_File] = []
        read = iter(zip(texts, problems, strict=True))
        for one in loaded:
            passages, problem = next(read) if one.document else ([], one.problem)
            changes.append(await self._change(one, passages, problem))
        await self._store(changes)

    def _load(self, batch: Sequence[Found]) -> list[Loaded]:
        return [
            files.load(
                self._root, found, self._known.get(found.path), single=self._single, reader=READER
            )
            for found in batch
        ]

    async def _change(self, one: Loaded, passages: Sequence[Passage], problem: str) -> _File:
        old = self._known.get(one.found.path)
        file = _File(one.found, old.id if old else new_id("f"), one.hash, problem, last=True)
        if one.missing:
            return msgspec.structs.replace(file, missing=True)
        if one.same:
            assert old is not None
            return msgspec.structs.replace(file, same=True, state=old.state, problem=old.problem)
        # A file that cannot be read now keeps what was read of it, unless its bytes are new.
        if problem and not passages and not one.document and old is not None:
            return msgspec.structs.replace(file, hash=old.hash, state="failed")
        diff = Diff(await self._shelf.read(lambda db: rows.chunks(db, file.id)) if old else ())
        new = await asyncio.to_thread(self._new, file, diff, passages)
        failed = problem and problem != CUT
        return msgspec.structs.replace(
            file,
            new=new,
            drop=diff.rest(),
            state="failed" if failed and not passages else "indexed",
        )

    def _new(self, file: _File, diff: Diff, passages: Sequence[Passage]) -> list[dict[str, object]]:
        moment = self._clock()
        said_at = _changed_at(file.found) or moment
        name = self._root.name if self._single else f"{self._root.name}/{file.found.path}"
        new = []
        for passage in passages:
            try:
                row = rows.fresh(
                    passage, name=name, file_id=file.id, said_at=said_at, moment=moment
                )
            except AssistantError as exc:
                log.debug("a passage is not stored: %s", exc.code)
                continue
            if diff.is_new(row["content_hash"]):
                new.append(row)
        return new

    async def _store(self, changes: Sequence[_File]) -> None:
        """In one transaction: files, passages, and how far we are."""
        moment = self._clock()
        progress = self._progress.after(changes)

        def work(db: Database) -> list[rows.Stored]:
            stored = [part for one in changes for part in self._write(db, one, moment)]
            progress.write(db, moment)
            return stored

        await self._shelf.store(work)
        self._progress = progress

    def _write(self, db: Database, one: _File, moment: str) -> list[rows.Stored]:
        if one.missing:
            return []  # the next look finds out
        rows.put_file(
            db,
            one.id,
            self._source.id,
            one.found,
            moment,
            content_hash=one.hash,
            state=one.state,
            problem=one.problem,
            reader=READER,
        )
        if one.same:
            return []
        return [
            rows.insert(db, one.new, self._shelf.model),
            rows.retire(db, one.drop, self._source.id, moment),
        ]

    # --- mailboxes ---------------------------------------------------------------------------

    async def _mailbox(self, found: Found) -> None:
        old = self._known.get(found.path)
        file = _File(found, old.id if old else new_id("f"), b"", "")
        try:
            box = await asyncio.to_thread(Mailbox, self._root, found, single=self._single)
        except Missing:
            return
        except (Unreadable, OSError) as exc:
            problem = exc.reason if isinstance(exc, Unreadable) else "The disk could not read it."
            kept = old.hash if old else b""
            await self._store(
                [
                    msgspec.structs.replace(
                        file, hash=kept, problem=problem, state="failed", same=True, last=True
                    )
                ]
            )
            return
        try:
            if old and old.hash == box.hash and old.reader == READER and old.state == "indexed":
                await self._store(
                    [
                        msgspec.structs.replace(
                            file, hash=box.hash, same=True, problem=old.problem, last=True
                        )
                    ]
                )
            else:
                await self._letters(file, box, old)
        finally:
            await asyncio.to_thread(box.close)

    async def _letters(self, file: _File, box: Mailbox, old: Known | None) -> None:
        diff = Diff(await self._shelf.read(lambda db: rows.chunks(db, file.id)) if old else ())
        begun, bad, some = self._progress.bytes_done, 0, False
        while documents := await asyncio.to_thread(box.next):
            passages, unread = await self._read_letters(documents)
            bad, some = bad + unread, some or bool(passages)
            new = await asyncio.to_thread(self._new, file, diff, passages)
            # Its hash comes last: until then the file counts as not read.
            part = msgspec.structs.replace(file, new=new, state="partial")
            self._progress = msgspec.structs.replace(self._progress, bytes_done=begun + box.at)
            await self._store([part])
        self._progress = msgspec.structs.replace(self._progress, bytes_done=begun)
        problem = f"{bad} of its messages could not be read." if bad else ""
        await self._store(
            [
                msgspec.structs.replace(
                    file,
                    hash=box.hash,
                    drop=diff.rest(),
                    problem=problem or ("" if some else DAMAGED),
                    state="indexed" if some else "failed",
                    last=True,
                )
            ]
        )

    async def _read_letters(self, documents: Sequence[Document]) -> tuple[list[Passage], int]:
        passages: list[Passage] = []
        unread = 0
        async with contextlib.aclosing(self._reader.read(documents)) as parts:
            async for _, part in parts:
                passages += part.passages
                unread += bool(part.problem)
                if self._stopped():
                    raise Stopped
        return passages, unread

    # --- what went -----------------------------------------------------------------------------

    async def _drop(self, gone: Sequence[Known]) -> None:
        moment = self._clock()

        def work(db: Database) -> list[rows.Stored]:
            return [rows.drop_file(db, one.id, self._source.id, moment) for one in gone]

        await self._shelf.store(work)


class _File(msgspec.Struct, frozen=True):
    """One file's part of a transaction."""

    found: Found
    id: str
    hash: bytes
    problem: str
    state: str = "indexed"
    new: Sequence[dict[str, object]] = ()
    drop: tuple[int, ...] = ()
    same: bool = False
    missing: bool = False
    last: bool = False
    """Nothing of it comes in a later transaction."""


class _Progress(msgspec.Struct, frozen=True):
    """How far a job is."""

    job: str = ""
    done: int = 0
    total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    errors: int = 0

    def after(self, changes: Sequence[_File]) -> _Progress:
        ended = [one for one in changes if one.last]
        return msgspec.structs.replace(
            self,
            done=self.done + len(ended),
            bytes_done=self.bytes_done + sum(one.found.size for one in ended),
            errors=self.errors + sum(one.state == "failed" for one in ended),
        )

    def write(self, db: Database, moment: str) -> None:
        values = msgspec.structs.asdict(self)
        jobs.advance(db, values.pop("job"), moment, **values)


def _changed_at(found: Found) -> str:
    try:
        return timestamp(datetime.fromtimestamp(found.changed_ns / 1e9, UTC))
    except (ValueError, OverflowError, OSError):
        return ""
