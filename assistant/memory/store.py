"""Memories: add, correct, forget, and find again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, get_args

import numpy as np
from sqlite_utils import Database

from assistant.config import LIMITS
from assistant.errors import EmbedderError, InvalidInput
from assistant.memory import erase, facts, rows, subjects, tables, words
from assistant.memory.check import check
from assistant.memory.embedder import Embedder
from assistant.memory.erase import Erased, with_versions
from assistant.memory.persons import told_apart
from assistant.memory.readers import Readers
from assistant.memory.recall import (
    CONTENDERS,
    Question,
    clearly_meant,
    contenders,
    fuse,
    gate_for,
    ranked,
    understand,
)
from assistant.memory.redact import Touched
from assistant.memory.scan import Floats
from assistant.memory.slots import Candidates, Filter
from assistant.memory.tombstones import Tombstone, Tombstones
from assistant.memory.traces import Traces
from assistant.memory.trust import own_first
from assistant.memory.vectors import Index
from assistant.memory.wanted import Wanted
from assistant.memory.words import Found
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

CANDIDATES = 150
"""Rows ranked for one question, by words and by vectors each; their neighbours come on top."""
NAMED = 32
"""Rows with a name that is asked for, the latest, which are ranked whatever else they say."""
PATIENCE_S = 0.4
"""How long a question waits for its vector where words found something."""
WAITING = "SELECT count(*) FROM (SELECT 1 FROM memories WHERE embed_model IS NULL LIMIT ?)"
"""Rows without a vector, at most so many."""
FEW = 32
"""New rows whose vectors are worth waiting for: about a second's work."""
FORGET_S = 30.0
"""How long a forget by query waits for vectors: it is never decided without."""
LAST_RESORT_S = 5.0
"""The same where words found nothing: the child may have to start first."""


class Memories:
    """The memories of one database. Built by `service.open_memory`."""

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        index: Index,
        embedder: Embedder,
        traces: Traces,
        tombstones: Tombstones,
        *,
        clock: Callable[[], str] = now,
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._index = index
        self._embedder = embedder
        self._traces = traces
        self._tombstones = tombstones
        self._clock = clock
        self._counted = words.Counted()
        self.on_pending: Callable[[], None] = lambda: None
        """Told, on the event loop, when rows may wait for their vectors."""
        self.catch_up: Callable[[float], Awaitable[bool]] | None = None
        """Waits until all rows have their vectors, for at most these seconds."""
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
    ) -> facts.Work:
        """Store these with all that follows from them, in one transaction.

        `given` are vectors that are known already, float16, by the hash of their text.
        """
        if not fresh:
            return facts.Work()
        # Records that came together may well be the same; one alone that is known was said again.
        single = len(fresh) == 1
        items = [one if one.segments or single else one.plain() for one in fresh]
        asked = self._embedder.model

        def work(db: Database, model: str) -> facts.Work:
            # Another model may take over before it is our turn.
            return facts.store(db, items, model, given if given and model == asked else {})

        return await self.change(work)

    async def read(self, work: Callable[[Database], Answer]) -> Answer:
        """What `work` finds in the database, off the event loop."""
        return await self._readers.run(work)

    async def change(self, work: Callable[[Database, str], facts.Work]) -> facts.Work:
        """Run a change of facts in one transaction, then tell the index."""

        def run(db: Database) -> tuple[facts.Work, facts.Indexing]:
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

        def work(db: Database, model: str) -> facts.Work:
            old = tables.get_live(db, memory_id)
            if text is None or text == old.text:
                if changes:
                    tables.update(db, memory_id, changes)
                return facts.Work(told=[tables.get(db, memory_id)], changed=[memory_id])
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
        return same or await self._clearly_meant(asked)

    async def _clearly_meant(self, query: str) -> _Ids:
        """Live memories that share both the meaning and most of the telling words of `query`."""
        question = understand(query, self._index.speakers(), _local(self._clock()))
        give_up = time.monotonic() + FORGET_S
        asking = asyncio.get_running_loop().create_task(self._vector(question.bare))
        await asyncio.wait({asking}, timeout=FORGET_S)
        vector = asking.result() if asking.done() else None
        if vector is None:
            raise EmbedderError(
                "Which memories are meant cannot be told now: the embedder does not run.",
                "Forget by id, or try again later.",
            )
        if self.catch_up:
            await self.catch_up(max(0.0, give_up - time.monotonic()))

        def work(db: Database) -> _Ids:
            found = self._find_words(db, question, Filter())
            candidates = _candidates(self._index, question, Filter(), found, vector)
            near = gate_for(self._index.noise, len(self._index))
            return tables.ids(db, clearly_meant(candidates, found, near))

        return await self._readers.run(work)

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
            self._index.remove(done[0].seqs)

        erased, _ = await self._writer.run(buried, after)
        self._counted.forget()
        if erased.counts:
            try:
                await self.on_forgotten(erased.ids, erased.touched)
            finally:
                await self._traces.wipe()
        return erased

    def _learn(self, done: facts.Indexing) -> None:
        self._index.remove(done.removed)
        if done.removed:
            self._counted.forget()
        for row in done.changed:
            self._index.change(row)
        self._index.add(done.added)
        if done.reused:
            joined = np.frombuffer(b"".join(blob for _, blob in done.reused), np.float16)
            vectors = joined.reshape(len(done.reused), -1).astype(np.float32)
            self._index.put_vectors([seq for seq, _ in done.reused], vectors)

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
        job = self._writer.submit(lambda db: check(db, self._index, full=full), alone=True)
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
        question = understand(query, self._index.speakers(), _local(as_of or self._clock()))
        index = self._index
        asking = asyncio.get_running_loop().create_task(self._vector(question.bare))
        found = await self._readers.run(lambda db: self._find_words(db, question, which))
        # With the gate, words are an answer only where they are evidence.
        answered = len(found.rare) + len(found.named) if gate else len(found.seqs)
        if answered:
            await asyncio.wait({asking}, timeout=patience_s)
        else:
            await self._last_resort(asking, last_resort_s)
        # Left alone when it is late: the child goes on starting, for the next question.
        vector = asking.result() if asking.done() else None
        if index is not self._index:  # another model took over meanwhile: begin again
            return await self.recall(
                query, k=k, kinds=kinds, as_of=as_of, scope=scope, classes=classes, gate=gate,
                patience_s=patience_s, last_resort_s=last_resort_s,
            )  # fmt: skip
        return await self._readers.run(
            lambda db: self._rank(db, index, question, which, found, vector, k, gate)
        )

    async def _last_resort(self, asking: asyncio.Task[Floats | None], timeout_s: float) -> None:
        """Only vectors can help: wait for the question's, and for those of a few new rows."""
        give_up = time.monotonic() + timeout_s
        await asyncio.wait({asking}, timeout=timeout_s)
        left = give_up - time.monotonic()
        if left > 0 and self.catch_up and await self._readers.run(_few_wait):
            await self.catch_up(left)

    async def _vector(self, text: str) -> Floats | None:
        """Of the model whose vectors the index has; None if there is none to be had."""
        try:
            for _ in range(3):
                vector = await self._embedder.question(text)
                if self._embedder.model == self._index.model:
                    return vector
                await asyncio.sleep(0)  # another model takes over at this moment
        except EmbedderError:
            pass
        return None

    def take(self, index: Index) -> None:
        """Go on with these arrays, which are complete. On the writer's thread."""
        self._index = index

    def _find_words(self, db: Database, question: Question, which: Filter) -> Found:
        view = self._index.view(which)
        names = question.names | question.speakers | subjects.other_names(db, question.text)
        return words.search(db, question.words, sorted(names), view, CANDIDATES, self._counted)

    def _rank(
        self,
        db: Database,
        index: Index,
        question: Question,
        which: Filter,
        found: Found,
        vector: Floats | None,
        k: int,
        gate: bool,
    ) -> _Recalls:
        candidates = _candidates(index, question, which, found, vector)
        candidates = told_apart(db, question, candidates, found)
        near = gate_for(index.noise, len(index)) if vector is not None else 0.0
        evidence = fuse(question, candidates, found, near)
        refused = _refused(db, question, which, contenders(evidence)) if gate else ()
        best = ranked(evidence, near, k=len(evidence.seqs), gate=gate, refused=refused)
        best = own_first(best, index.of_kind("chunk", [seq for seq, _ in best]), k)
        texts = tables.recalled_rows(db, [seq for seq, _ in best], which)
        return [texts[seq](score) for seq, score in best if seq in texts]


def _candidates(
    index: Index, question: Question, which: Filter, found: Found, vector: Floats | None
) -> Candidates:
    # Who is asked about may have another name in the row than in the question.
    seqs = np.unique(np.concatenate([found.seqs, found.named[-NAMED:]]))
    return index.candidates(vector, question.language, seqs, which, CANDIDATES, question.focus)


def _few_wait(db: Database) -> bool:
    """Whether at most FEW rows wait for their vectors. Looks at no more: to count a million takes 90 ms."""
    return int(db.execute(WAITING, [FEW + 1]).fetchone()[0]) <= FEW


def _refused(db: Database, question: Question, which: Filter, seqs: Sequence[int]) -> list[int]:
    """Those that cannot hold what is asked for."""
    wanted = Wanted(question.text, question.language)
    if not wanted:
        return []
    told = tables.recalled_rows(db, seqs[:CONTENDERS], which)
    return [seq for seq in seqs if seq not in told or not wanted.allows(told[seq](0.0).text)]


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
