"""Another embedder takes over while the old one goes on answering.

Every text gets a vector of the new model beside its old one; questions are asked of the old model,
and rows that come in meanwhile get vectors of both. When nothing is missing, arrays of the new model
are made out of sight and put in place between two questions. A crash on the way forgets nothing: the
vectors that were made are in the table, and the next start goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

import numpy as np
from sqlite_utils import Database

from assistant.errors import AssistantError
from assistant.memory import pump
from assistant.memory.centre import Centre, Prior, make_prior, shipped_prior
from assistant.memory.embedder import Embedder
from assistant.memory.readers import Readers
from assistant.memory.vectors import Index
from assistant.memory.writer import Writer
from assistant.types import SwapProgress

log = logging.getLogger(__name__)

FETCHED = 64
EMBEDDED_AT_ONCE = 8
RETRY_S = 30.0
DROPPED = 500
"""Vectors of the old model that are removed in one transaction."""

Put = Callable[[Index, Prior], None]
_Text = tuple[int, bytes, str]


class Swap:
    """One change of embedder. `put` takes the finished arrays into use, on the writer's thread."""

    def __init__(
        self, writer: Writer, readers: Readers, arriving: Embedder, spec: str, put: Put
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._arriving = arriving
        self._spec = spec
        self._put = put
        self._done = self._total = 0
        self._given_up: set[bytes] = set()
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def progress(self) -> SwapProgress | None:
        """How far it is; None when it is over."""
        if self._task is None or self._task.done():
            return None
        return SwapProgress(self._arriving.model or self._spec, self._done, self._total)

    async def finished(self) -> None:
        """Wait for it."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def close(self) -> None:
        """Stop where it is; the next start goes on."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                prior = await self._prior()
                while await self._embed_missing():
                    pass
                # Alone on the writer: what comes in waits until the new arrays stand.
                job = self._writer.submit(partial(self._take_over, prior=prior), alone=True)
                if await asyncio.wrap_future(job):
                    break
            except AssistantError as exc:
                log.warning("the new embedder waits: %s", exc.code)
                await asyncio.sleep(RETRY_S)
        # A kill from here on leaves the rest to `Leftovers`.
        while await self._writer.run(lambda db: drop_others(db, prior.model, DROPPED)):
            pass

    async def _prior(self) -> Prior:
        await self._arriving.ready()
        model = self._arriving.model
        prior = shipped_prior(model) or await self._readers.run(
            lambda db: pump.read_prior(db, model)
        )
        if prior is None or prior.dim != self._arriving.dim:
            made = prior = await make_prior(model, self._arriving.raw)
            await self._writer.run(lambda db: pump.write_prior(db, made))
        return prior

    async def _embed_missing(self) -> bool:
        """One pass over all rows; whether any had to be embedded."""
        last, any_missing = 0, False
        await self._count()
        while batch := await self._readers.run(
            partial(_missing, model=self._arriving.model, after=last)
        ):
            last = batch[-1][0]
            texts = {one: text for _, one, text in batch if one not in self._given_up}
            any_missing |= bool(texts)
            hashes = list(texts)
            for start in range(0, len(hashes), EMBEDDED_AT_ONCE):
                await self._embed(
                    {one: texts[one] for one in hashes[start : start + EMBEDDED_AT_ONCE]}
                )
            await self._count()
        return any_missing

    async def _embed(self, texts: dict[bytes, str]) -> None:
        try:
            vectors = await self._arriving.embed(list(texts.values()))
        except AssistantError:
            if len(texts) == 1:
                await self._arriving.ready()  # raises if the child is at fault
                self._given_up.update(texts)
                return
            for one, text in texts.items():
                await self._embed({one: text})
            return
        rows = [
            (one, row.astype(np.float16).tobytes()) for one, row in zip(texts, vectors, strict=True)
        ]
        await self._writer.run(lambda db: _keep(db, self._arriving.model, rows))

    async def _count(self) -> None:
        self._done, self._total = await self._readers.run(
            lambda db: _counts(db, self._arriving.model)
        )

    def _take_over(self, db: Database, prior: Prior) -> bool:
        """Make the new arrays and put them in place; False if rows came in that have no vector yet."""
        waiting = {one for _, one, _ in _missing(db, model=prior.model, after=0)}
        if waiting - self._given_up:
            return False
        index = Index()
        index.add(pump.all_rows(db))
        index.start(Centre(prior))
        last = 0
        while batch := pump.stored_vectors(db, model=prior.model, after=last):
            last = batch[-1][0]
            joined = np.frombuffer(b"".join(blob for _, blob in batch), np.float16)
            rows = joined.reshape(len(batch), -1).astype(np.float32)
            index.put_vectors([seq for seq, _ in batch], rows)
        index.settled = True
        index.warm()
        if self._closed:
            return False
        db.execute("BEGIN IMMEDIATE")
        pump.mark(db, prior.model)
        pump.remember_model(db, self._spec, prior.model)
        db.execute("COMMIT")
        self._put(index, prior)
        return True


class Leftovers:
    """Vectors of models that were given up, or that a killed swap had no time to drop."""

    def __init__(self, writer: Writer, readers: Readers, embedder: Embedder) -> None:
        self._writer = writer
        self._readers = readers
        self._embedder = embedder
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Drop them; returns at once. Nothing else may make vectors of a second model meanwhile."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Stop where it is; the next start goes on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            # A reader looks first: mostly there are none, and whoever stores something need not wait.
            if not self._embedder.model or not await self._readers.run(self._any):
                return
            while await self._writer.run(self._drop):
                pass
        except AssistantError as exc:
            log.warning("vectors of another model are left: %s", exc.code)

    def _any(self, db: Database) -> bool:
        sql = "SELECT 1 FROM vectors WHERE model <> ? LIMIT 1"
        return db.execute(sql, [self._embedder.model]).fetchone() is not None

    def _drop(self, db: Database) -> int:
        # Asked anew each time: the child may turn out to be of another model than at the last start.
        return drop_others(db, self._embedder.model, DROPPED)


def drop_others(db: Database, model: str, most: int) -> int:
    """Remove some vectors of other models; how many."""
    sql = "DELETE FROM vectors WHERE rowid IN (SELECT rowid FROM vectors WHERE model <> ? LIMIT ?)"
    return int(db.execute(sql, [model, most]).rowcount)


def _missing(db: Database, *, model: str, after: int) -> list[_Text]:
    sql = """SELECT m.seq, m.content_hash, m.text FROM memories m WHERE m.seq > ? AND NOT EXISTS
                (SELECT 1 FROM vectors v WHERE v.content_hash = m.content_hash AND v.model = ?)
             ORDER BY m.seq LIMIT ?"""
    found: list[_Text] = db.execute(sql, [after, model, FETCHED]).fetchall()
    return found


def _keep(db: Database, model: str, rows: list[tuple[bytes, bytes]]) -> None:
    """Store vectors of texts that are still there."""
    sql = """INSERT OR REPLACE INTO vectors (content_hash, model, dim, vector)
             SELECT ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM memories WHERE content_hash = ?)"""
    db.conn.executemany(sql, [(one, model, len(row) // 2, row, one) for one, row in rows])


def _counts(db: Database, model: str) -> tuple[int, int]:
    (done,) = db.execute("SELECT count(*) FROM vectors WHERE model = ?", [model]).fetchone()
    (total,) = db.execute("SELECT count(DISTINCT content_hash) FROM memories").fetchone()
    return int(done), int(total)
