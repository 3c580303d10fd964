"""Memories: add, correct, forget, and find again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, get_args

import numpy as np
from sqlite_utils import Database

from assistant.config import LIMITS
from assistant.errors import InvalidInput
from assistant.memory import erase, facts, rows, tables
from assistant.memory.check import check
from assistant.memory.embedder import Embedder
from assistant.memory.erase import Erased, with_versions
from assistant.memory.finder import LAST_RESORT_S, PATIENCE_S, Finder
from assistant.memory.readers import Readers
from assistant.memory.recall import understand
from assistant.memory.redact import Touched
from assistant.memory.scan import Floats
from assistant.memory.slots import Filter
from assistant.memory.tombstones import Tombstone, Tombstones
from assistant.memory.traces import Traces
from assistant.memory.work import Indexing, Work
from assistant.memory.writer import Writer
from assistant.types import Kind, Memory, MemoryCount, NewMemory, Recalled, now

Answer = TypeVar("Answer")

# `list` is a method of the class, so these types need other names inside it.
_Memories = list[Memory]
_Recalls = list[Recalled]
_Ids = list[str]
_Seqs = list[int]
_Flags = list[bool]
_Stones = list[Tombstone]


class Memories:
    """The memories of one database. Built by `service.open_memory`."""

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        finder: Finder,
        embedder: Embedder,
        traces: Traces,
        tombstones: Tombstones,
        *,
        clock: Callable[[], str] = now,
    ) -> None:
        self._writer = writer
        self._readers = readers
        self.finder = finder
        self._embedder = embedder
        self._traces = traces
        self._tombstones = tombstones
        self._clock = clock
        self.on_pending: Callable[[], None] = lambda: None
        """Told, on the event loop, when rows may wait for their vectors."""
        self.on_forgotten: Callable[[Sequence[str], Touched], Awaitable[None]] = _nothing
        """Told, on the event loop, which memories are gone and where they stood.

        Caches elsewhere must follow; a delete returns when this has.
        """

    # --- writing ---------------------------------------------------------------------------

    async def add(self, new: NewMemory) -> Memory:
        """Store one memory; it is durable and found by words when this returns."""
        return (await self.add_many([new]))[0]

    async def add_many(
        self, items: Sequence[NewMemory], vectors: Floats | None = None
    ) -> _Memories:
        """Store many in one transaction: all or, if one cannot be stored, none.

        `vectors`, one row of unit length an item, are what the model in use made of the texts, if
        that is known already. Raises InvalidInput, also where they cannot be the model's own.
        """
        moment = self._clock()
        fresh = await asyncio.to_thread(lambda: [facts.fresh(item, moment) for item in items])
        work = await self.told(fresh, self._given(fresh, vectors))
        return work.told

    def _given(self, fresh: Sequence[facts.Fresh], vectors: Floats | None) -> Mapping[bytes, bytes]:
        if vectors is None:
            return {}
        if not self._embedder.model or vectors.shape != (len(fresh), self._embedder.dim):
            raise InvalidInput("These vectors are not those of the model in use.")
        if not np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=0.01):
            raise InvalidInput("A vector is not of unit length.")
        blobs = map(bytes, vectors.astype(np.float16))
        return {one.row["content_hash"]: blob for one, blob in zip(fresh, blobs, strict=True)}

    async def told(
        self, fresh: Sequence[facts.Fresh], given: Mapping[bytes, bytes] | None = None
    ) -> Work:
        """Store these with all that follows from them, in one transaction.

        `given` are vectors that are known already, float16, by the hash of their text.
        """
        if not fresh:
            return Work()
        # Records that came together may well be the same; one alone that is known was said again.
        single = len(fresh) == 1
        items = [one if one.segments or single else one.plain() for one in fresh]
        asked = self._embedder.model

        def work(db: Database, model: str) -> Work:
            # Another model may take over before it is our turn.
            return facts.store(db, items, model, given if given and model == asked else {})

        return await self.change(work)

    async def read(self, work: Callable[[Database], Answer]) -> Answer:
        """What `work` finds in the database, off the event loop."""
        return await self._readers.run(work)

    async def change(self, work: Callable[[Database, str], Work]) -> Work:
        """Run a change of facts in one transaction, then tell the index."""

        def run(db: Database) -> tuple[Work, Indexing]:
            done = work(db, self._embedder.model)
            return done, done.index(db)

        done, indexing = await self._writer.run(run, lambda both: self._learn(both[1]))
        if indexing.pending:
            self.on_pending()
        return done

    async def edit(
        self,
        memory_id: str,
        *,
        text: str | None = None,
        kind: str | None = None,
        importance: float | None = None,
        sensitivity: str | None = None,
    ) -> Memory:
        """Change a live memory; a new text supersedes it, anything else is changed in place.

        The old row is closed and the new one stored in one transaction; the new one is returned.
        The same text again changes nothing. Raises MemoryNotFound, MemoryClosed, InvalidInput.
        """
        changes: dict[str, Any] = {}
        if kind is not None:
            changes["kind"] = rows.one_of("kind", kind, get_args(Kind))
        if importance is not None:
            changes["importance"] = rows.fraction("importance", importance)
        if sensitivity is not None:
            changes["sensitivity"] = rows.clean_name("sensitivity", sensitivity) or "normal"
        if text is not None:
            rows.clean_text(text)
        moment = self._clock()

        def work(db: Database, model: str) -> Work:
            old = tables.get_live(db, memory_id)
            if text is None or text == old.text:
                if changes:
                    tables.update(db, memory_id, changes)
                return Work(told=[tables.get(db, memory_id)], changed=[memory_id])
            return facts.supersede(db, old, text, changes, moment, model)

        return (await self.change(work)).told[0]

    async def delete(self, memory_id: str) -> int:
        """Remove exactly this row and all that was derived from it; how many rows went.

        Raises MemoryNotFound. When it returns, no copy is left in the file nor, unless a reader
        holds it just then, in its log, which is emptied as soon as it can be.
        """
        gone = await self._remove(lambda db: [tables.get(db, memory_id).id])
        return len(gone)

    async def forget(self, *, ids: Sequence[str] | None = None, query: str | None = None) -> _Ids:
        """Remove memories with all their earlier versions; the ids that are gone.

        By ids: unknown ones are passed over. By query: memories that say exactly this or, if there
        are none, those that are clearly meant; raises EmbedderError if that cannot be told now.
        """
        if (ids is None) == (query is None):
            raise InvalidInput("Give either ids or a query.")
        wanted = list(ids or ()) if query is None else await self.meant(query)
        return await self._remove(lambda db: with_versions(db, wanted))

    async def meant(self, query: str) -> _Ids:
        """What `forget` by this query would remove, earlier versions apart. Raises as it does."""
        asked = rows.clean_text(query, LIMITS.query_chars)
        same = await self._readers.run(lambda db: tables.same_text(db, asked))
        if same:
            return same
        question = understand(asked, self.finder.index.speakers(), _local(self._clock()))
        return await self.finder.clearly_meant(question)

    async def _remove(self, choose: Callable[[Database], _Ids]) -> _Ids:
        return (await self.erase(lambda db: erase.erase(db, choose(db)))).ids

    async def erase(self, work: Callable[[Database], Erased]) -> Erased:
        """Do this, in one transaction, and drop every copy elsewhere before it returns."""
        moment = self._clock()

        def buried(db: Database) -> tuple[Erased, _Stones]:
            erased = work(db)
            stones = self._tombstones.bury(db, [(m.id, m.text) for m in erased.gone], moment)
            for chat in erased.conversations:
                stones += self._tombstones.bury_conversation(db, chat, moment)
            stones += self._tombstones.bury_turns(db, erased.torn_out, moment)
            return erased, stones

        def after(done: tuple[Erased, _Stones]) -> None:
            self._tombstones.keep(done[1])
            self.finder.index.remove(done[0].seqs)

        erased, _ = await self._writer.run(buried, after)
        self.finder.postings.forget()
        if erased.counts:
            try:
                await self.on_forgotten(erased.ids, erased.touched)
            finally:
                await self._traces.wipe()
        return erased

    def _learn(self, done: Indexing) -> None:
        self.finder.index.remove(done.removed)
        if done.removed:
            self.finder.postings.forget()
        for row in done.changed:
            self.finder.index.change(row)
        self.finder.index.add(done.added)
        if done.reused:
            joined = np.frombuffer(b"".join(blob for _, blob in done.reused), np.float16)
            vectors = joined.reshape(len(done.reused), -1).astype(np.float32)
            self.finder.index.put_vectors([seq for seq, _ in done.reused], vectors)

    async def was_forgotten(self, texts: Sequence[str]) -> _Flags:
        """Of each text whether a memory that said just this was forgotten and not brought back.

        What an import finds among these it leaves out, unless the user asks for it.
        """
        asked = list(texts)
        return await self._readers.run(
            lambda db: [self._tombstones.was_forgotten(db, text=one) for one in asked]
        )

    # --- reading ---------------------------------------------------------------------------

    async def get(self, memory_id: str) -> Memory:
        """One memory, live or closed. Raises MemoryNotFound."""
        return await self._readers.run(lambda db: tables.get(db, memory_id))

    async def of_episode(self, episode: str) -> Memory | None:
        """The memory that was stored with this episode, if any."""
        sql = "SELECT memory_id FROM episodes WHERE episode = ? LIMIT 1"

        def work(db: Database) -> Memory | None:
            row = db.execute(sql, [episode]).fetchone()
            return None if row is None else tables.get(db, row[0])

        return await self._readers.run(work)

    async def list(
        self,
        *,
        cursor: str | None = None,
        limit: int = 50,
        kind: str | None = None,
        include_closed: bool = False,
        classes: Sequence[str] | None = None,
    ) -> tuple[_Memories, str | None]:
        """One page, newest first, and the cursor of the next. Raises InvalidInput for a bad cursor."""
        before = rows.cursor_seq(rows.read_cursor(cursor, 1)[0]) if cursor else None
        where: Any = ["1"]
        values: Any = []
        if before is not None:
            where.append("seq < ?")
            values.append(before)
        if kind is not None:
            where.append("kind = ?")
            values.append(rows.one_of("kind", kind, get_args(Kind)))
        if not include_closed:
            where.append("valid_to IS NULL")
        if classes is not None:
            condition, wanted = rows.in_classes(classes)
            where.append(condition)
            values += wanted
        sql = (
            f"SELECT seq, {rows.COLUMNS} FROM memories WHERE {' AND '.join(where)} "  # noqa: S608
            "ORDER BY seq DESC LIMIT ?"
        )

        def work(db: Database) -> Sequence[Any]:
            return db.execute(sql, [*values, limit + 1]).fetchall()

        found = await self._readers.run(work)
        page = found[:limit]
        following = rows.write_cursor([page[-1][0]]) if len(found) > limit and page else None
        return [rows.memory(row[1:]) for row in page], following

    async def history(self, memory_id: str) -> _Memories:
        """The whole chain of versions, oldest first, whichever member is named."""
        return await self._readers.run(lambda db: tables.chain(db, memory_id))

    async def count(self) -> MemoryCount:
        """Live memories, and rows of all kinds that still wait for their vectors."""

        def work(db: Database) -> MemoryCount:
            (live,) = db.execute("SELECT count(*) FROM memories WHERE valid_to IS NULL").fetchone()
            sql = "SELECT count(*) FROM memories WHERE embed_model IS NULL"
            return MemoryCount(live, db.execute(sql).fetchone()[0])

        return await self._readers.run(work)

    async def check(self, *, full: bool = False) -> dict[str, Any]:
        """Compare table, words, vectors and arrays; `ok` and a list of `problems`. Slow when `full`."""
        # Alone: in a group, the arrays would not know yet what the jobs before it have stored.
        job = self._writer.submit(lambda db: check(db, self.finder.index, full=full), alone=True)
        return await asyncio.wrap_future(job)

    async def recall(
        self,
        query: str,
        *,
        k: int,
        kinds: Sequence[str] | None = None,
        as_of: str | None = None,
        scope: str | None = None,
        classes: Sequence[str] | None = None,
        gate: bool = False,
        patience_s: float = PATIENCE_S,
        last_resort_s: float = LAST_RESORT_S,
    ) -> _Recalls:
        """The `k` memories nearest to a question, best first.

        Only rows that hold now (or held at `as_of`), of these kinds, of this scope or none, and in
        these classes, are looked at; an empty list of kinds or classes finds nothing. With `gate`,
        only those there is evidence for: nothing, where nothing fits.
        Never waits longer than the given seconds for a vector; words answer without.
        """
        rows.clean_text(query, LIMITS.query_chars)
        if k < 1 or any(some is not None and not some for some in (kinds, classes)):
            return []
        which = Filter(
            tuple(rows.one_of("kind", kind, get_args(Kind)) for kind in kinds) if kinds else None,
            scope,
            rows.seconds(rows.clean_time(as_of)) if as_of else None,
            tuple(classes) if classes is not None else None,
        )
        question = understand(query, self.finder.index.speakers(), _local(as_of or self._clock()))
        return await self.finder.find(
            question, which, k=k, gate=gate, patience_s=patience_s, last_resort_s=last_resort_s
        )


async def _nothing(_gone: Sequence[str], _touched: Touched) -> None:
    """Nobody keeps anything."""


def _local(moment: str) -> datetime:
    """A time as the user's clock shows it: "yesterday" is the user's yesterday."""
    read = datetime.fromisoformat(moment)
    read = read if read.tzinfo else read.replace(tzinfo=UTC)
    try:
        return read.astimezone()
    except (ValueError, OverflowError, OSError):  # at the ends of the calendar
        return read
