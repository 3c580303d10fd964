"""Give every memory its vector, in the background, and survive whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from functools import partial

import msgspec
import numpy as np
from sqlite_utils import Database

from assistant.errors import AssistantError, StoreError
from assistant.memory import rows
from assistant.memory.centre import Centre, Prior, make_prior, shipped_prior
from assistant.memory.embedder import Embedder
from assistant.memory.readers import Readers
from assistant.memory.scan import Floats
from assistant.memory.slots import Row
from assistant.memory.vectors import Index
from assistant.memory.writer import Writer

log = logging.getLogger(__name__)

FETCHED = 64
LOADED = 4_096
SERVING = "serving embedder"
"""Name of the setting that says which embedder answers questions."""
RETRY_S = 30.0
"""After a failure that a new try may not cure."""

_Waiting = tuple[bytes, str]


class Pump:
    """Pending rows are those without a vector in the table: a crash forgets nothing."""

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        index: Index,
        embedder: Embedder,
        spec: str,
        model: str,
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._index = index
        self._embedder = embedder
        self._adopted = ""
        self._prior: Prior | None = None
        self._switching = asyncio.Lock()
        self._spec = spec
        self._expected = model
        self._wanted = asyncio.Event()
        self._idle = asyncio.Event()
        self._given_up: set[bytes] = set()
        self._task: asyncio.Task[None] | None = None
        embedder.adopt = self._adopt

    async def start(self) -> None:
        """Find out which vectors there are; the rest goes on in the background.

        There it loads them, then works off what waits.
        """
        if self._expected:
            expected = self._expected
            prior = shipped_prior(expected) or await self._readers.run(
                lambda db: read_prior(db, expected)
            )
            if prior is not None:
                await self._use(prior)
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._wanted.set()

    def poke(self) -> None:
        """There may be new rows."""
        self._idle.clear()
        self._wanted.set()

    async def caught_up(self, timeout_s: float) -> bool:
        """Wait until nothing waits for a vector, or cannot get one; whether that came in time."""
        if self._idle.is_set():
            return True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Stop; what waits, waits for the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def take(self, index: Index, prior: Prior, spec: str) -> None:
        """Go on with these arrays, which are complete, and with the model of `prior`, which `spec` names."""
        self._index, self._prior, self._spec = index, prior, spec
        self._adopted = prior.model

    # --- which model -----------------------------------------------------------------------

    async def _adopt(self, model: str, dim: int) -> None:
        """The child is up with this model: make it the one in use, if it is not."""
        if model == self._adopted:
            return
        prior = shipped_prior(model) or await self._readers.run(lambda db: read_prior(db, model))
        if prior is None or prior.dim != dim:
            prior = await make_prior(model, self._embedder.raw)
            made = prior
            await self._writer.run(lambda db: write_prior(db, made))
        await self._writer.run(lambda db: remember_model(db, self._spec, model))
        await self._use(prior)
        await self._load()

    async def _use(self, prior: Prior) -> None:
        async with self._switching:
            await self._writer.run(lambda db: mark(db, prior.model))
            self._index.start(Centre(prior))
            self._prior = prior
            self._adopted = self._embedder.model = prior.model

    async def _load(self) -> None:
        """Give the index the stored vectors of the model, unless another takes its place meanwhile."""
        model = self._adopted
        last = 0
        while True:
            async with self._switching:
                if model != self._adopted:
                    return
                batch = await self._readers.run(partial(stored_vectors, model=model, after=last))
                if not batch:
                    self._index.settled = True
                    break
                last = batch[-1][0]
                await asyncio.to_thread(self._put, batch)
        self._wanted.set()

    def rebuild(self, db: Database) -> None:
        """Make the index again from the table. Blocks; for the writer's thread."""
        with self._index.anew():
            self._index.add(all_rows(db))
            if self._prior is None:
                return
            self._index.start(Centre(self._prior))
            last = 0
            while batch := stored_vectors(db, model=self._prior.model, after=last):
                last = batch[-1][0]
                self._put(batch)
            self._index.settled = True

    def _put(self, batch: Sequence[tuple[int, bytes]]) -> None:
        vectors = np.frombuffer(b"".join(blob for _, blob in batch), np.float16)
        self._index.put_vectors(
            [seq for seq, _ in batch], vectors.reshape(len(batch), -1).astype(np.float32)
        )

    # --- what waits ------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            self._idle.clear()
            try:
                await self._work_off()
            except AssistantError as exc:
                log.warning("memories wait for their vectors: %s", exc.code)
                asyncio.get_running_loop().call_later(RETRY_S, self._wanted.set)
            except Exception as exc:  # noqa: BLE001 - must never end the pump
                log.error(  # noqa: TRY400 - the traceback may quote the text
                    "embedding failed with %s", type(exc).__name__
                )
                asyncio.get_running_loop().call_later(RETRY_S, self._wanted.set)
            finally:
                if not self._wanted.is_set():
                    self._idle.set()

    async def _work_off(self) -> None:
        if self._adopted and not self._index.settled:
            await self._load()
        if not await self._waiting():
            return
        await self._embedder.ready()
        while waiting := await self._waiting():
            await self._embed(waiting)

    async def _waiting(self) -> list[_Waiting]:
        given_up = frozenset(self._given_up)
        return await self._readers.run(lambda db: _pending(db, given_up))

    async def _embed(self, waiting: Sequence[_Waiting]) -> None:
        for start in range(0, len(waiting), 8):
            part = waiting[start : start + 8]
            try:
                await self._make(part)
            except StoreError:
                raise
            except AssistantError:
                await self._one_by_one(part)

    async def _one_by_one(self, part: Sequence[_Waiting]) -> None:
        """Something in here kills the child, or it died by itself: find out which."""
        for content_hash, text in part:
            for attempt in (1, 2):
                try:
                    await self._make([(content_hash, text)])
                    break
                except StoreError:
                    raise
                except AssistantError:
                    if attempt == 2:
                        await self._embedder.ready()  # raises if the child is at fault
                        self._given_up.add(content_hash)
                        log.warning("a memory cannot be embedded; words still find it")

    async def _make(self, part: Sequence[_Waiting]) -> None:
        model = self._embedder.model
        vectors = await self._embedder.embed([text for _, text in part])
        await self._store(part, vectors, model)

    async def _store(self, part: Sequence[_Waiting], vectors: Floats, model: str) -> None:
        stored = [
            (content_hash, row.astype(np.float16))
            for (content_hash, _), row in zip(part, vectors, strict=True)
        ]

        def work(db: Database) -> list[tuple[int, bytes]]:
            if model != self._embedder.model:  # another took over while they were made
                return []
            return [pair for one, row in stored for pair in _keep(db, model, one, row.tobytes())]

        def after(kept: list[tuple[int, bytes]]) -> None:
            if kept:
                self._put(kept)

        await self._writer.run(work, after)


def all_rows(db: Database) -> list[Row]:
    """Every memory, as the index takes it."""
    sql = f"SELECT {rows.INDEXED} FROM memories ORDER BY seq"  # noqa: S608
    return [rows.indexed(row) for row in db.execute(sql)]


def recall_model(db: Database, spec: str) -> str:
    """The model this setting last turned out to be; empty if it never ran here."""
    row = db.execute("SELECT value FROM settings WHERE name = ?", [f"model of {spec}"]).fetchone()
    return row[0].decode() if row else ""


def serving(db: Database) -> str:
    """The embedder that answers questions; empty before there was any."""
    row = db.execute("SELECT value FROM settings WHERE name = ?", [SERVING]).fetchone()
    return row[0].decode() if row else ""


def remember_model(db: Database, spec: str, model: str) -> None:
    """Note it, so that the next start need not wait for the child to read its vectors."""
    keep_setting(db, f"model of {spec}", model.encode())
    keep_setting(db, SERVING, spec.encode())


def keep_setting(db: Database, name: str, value: bytes) -> None:
    db.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", [name, value])


def read_prior(db: Database, model: str) -> Prior | None:
    row = db.execute("SELECT value FROM settings WHERE name = ?", [f"prior of {model}"]).fetchone()
    if row is None:
        return None
    try:
        return msgspec.msgpack.decode(row[0], type=Prior)
    except msgspec.DecodeError:
        return None


def write_prior(db: Database, prior: Prior) -> None:
    keep_setting(db, f"prior of {prior.model}", msgspec.msgpack.encode(prior))


def mark(db: Database, model: str) -> None:
    """Note at every row whether it has a vector of this model."""
    db.execute(
        """UPDATE memories SET embed_model = (SELECT v.model FROM vectors v
               WHERE v.content_hash = memories.content_hash AND v.model = ?)
           WHERE embed_model IS NULL OR embed_model <> ?""",
        [model, model],
    )


def stored_vectors(db: Database, *, model: str, after: int) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = db.execute(
        """SELECT m.seq, v.vector FROM memories m
           JOIN vectors v ON v.content_hash = m.content_hash AND v.model = ?
           WHERE m.seq > ? ORDER BY m.seq LIMIT ?""",
        [model, after, LOADED],
    ).fetchall()
    return found


def _pending(db: Database, given_up: frozenset[bytes]) -> list[_Waiting]:
    """Texts that wait, the newest first, each once: a few of them where there are many."""
    # Not grouped by text: that would read all that wait for every few that are embedded.
    found = db.execute(
        "SELECT content_hash, text FROM memories WHERE embed_model IS NULL "
        "AND hex(content_hash) NOT IN (SELECT value FROM json_each(?)) ORDER BY seq DESC LIMIT ?",
        [json.dumps([one.hex().upper() for one in given_up]), FETCHED],
    )
    return list(dict(found.fetchall()).items())


def _keep(db: Database, model: str, content_hash: bytes, vector: bytes) -> list[tuple[int, bytes]]:
    """Store a text's vector, unless it was forgotten while it was made; the rows that have it now."""
    sql = "SELECT seq FROM memories WHERE content_hash = ?"
    seqs = [seq for (seq,) in db.execute(sql, [content_hash])]
    if not seqs:
        return []
    db.execute(
        "INSERT OR REPLACE INTO vectors (content_hash, model, dim, vector) VALUES (?, ?, ?, ?)",
        [content_hash, model, len(vector) // 2, vector],
    )
    db.execute("UPDATE memories SET embed_model = ? WHERE content_hash = ?", [model, content_hash])
    return [(seq, vector) for seq in seqs]
