"""Forget by id, query, source, time or everything; say exactly what went, and prove that it is gone."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path

from sqlite_utils import Database

from assistant.config import Paths
from assistant.errors import Conflict, InvalidInput, SourceNotFound
from assistant.memory import erase, proof
from assistant.memory.backups import Backups
from assistant.memory.erase import Erased
from assistant.memory.ingest.service import Sources
from assistant.memory.keys import Key
from assistant.memory.needles import needles_for
from assistant.memory.readers import Readers
from assistant.memory.store import Memories
from assistant.memory.writer import Writer
from assistant.types import Forget, Forgotten, Proof

SAMPLE = 300
"""Memories that a proof looks for; of more, so many spread over all of them. Of turns, see `torn`."""

Work = Callable[[Database], Erased]


class Forgetter:
    """Built by `service.open_memory`."""

    def __init__(
        self,
        paths: Paths,
        key: Key,
        writer: Writer,
        readers: Readers,
        memories: Memories,
        backups: Backups,
        sources: Sources,
    ) -> None:
        self._paths = paths
        self._key = key
        self._writer = writer
        self._readers = readers
        self._memories = memories
        self._backups = backups
        self._sources = sources
        self._secret = secrets.token_bytes(32)
        self.sealed: Callable[[Collection[str]], Awaitable[Sequence[str]]] = _none
        """Files that only others can open, and that hold what has one of these ids."""

    async def dry_run(self, which: Forget) -> Forgotten:
        """What `forget` would do now, found by doing it and taking it back. Raises as `forget`."""
        work = await self._work(which)
        state = await self._readers.run(_state) if which.everything else ""

        def undone(db: Database) -> Erased:
            db.execute("SAVEPOINT dry_run")
            try:
                return work(db)
            finally:
                db.execute("ROLLBACK TO dry_run")
                db.execute("RELEASE dry_run")

        erased = await self._writer.run(undone)
        confirm = self._confirmation(state) if which.everything else ""
        return Forgotten(erased.ids, erased.turns, erased.counts, confirm=confirm)

    async def forget(self, which: Forget, *, prove: bool = True) -> Forgotten:
        """Remove what is meant and all that was made from it, then search all files for it.

        Raises InvalidInput for none or several choices, Conflict for `everything` without the
        confirmation of a dry run since which nothing was stored, EmbedderError as Memories.forget.
        """
        work = await self._work(which)
        if which.everything:
            work = self._confirmed(work, which.confirm)
        whole = bool(which.source or which.everything)
        # A folder that is still followed would bring back what goes here.
        async with self._sources.held() if whole else contextlib.nullcontext():
            erased = await self._memories.erase(work)
        if which.source:
            with contextlib.suppress(SourceNotFound):
                await self._sources.remove(which.source)
        found = await self._prove(erased) if prove else None
        return Forgotten(erased.ids, erased.turns, erased.counts, found)

    async def _work(self, which: Forget) -> Work:
        chosen = [
            which.ids,
            which.query,
            which.source,
            which.after or which.before,
            which.everything,
        ]
        if sum(map(bool, chosen)) != 1:
            raise InvalidInput(
                "Say what to forget.",
                "Send one of `ids`, `query`, `source`, `after` and `before`, or `everything`.",
            )
        if which.everything:
            return erase.erase_all
        if which.ids or which.query:
            ids = which.ids or await self._memories.meant(which.query)
            return lambda db: erase.erase(db, erase.with_versions(db, ids))
        return lambda db: erase.erase(db, *erase.exactly(db, which))

    def _confirmed(self, work: Work, confirm: str) -> Work:
        def confirmed(db: Database) -> Erased:
            if not hmac.compare_digest(confirm.encode(), self._confirmation(_state(db)).encode()):
                raise Conflict(
                    "Everything would be forgotten, and that was not confirmed.",
                    "Ask with `dry_run` first, then again with the `confirm` that it answers.",
                )
            return work(db)

        return confirmed

    def _confirmation(self, state: str) -> str:
        return hmac.new(self._secret, state.encode(), hashlib.sha256).hexdigest()[:16]

    async def _prove(self, erased: Erased) -> Proof:
        step = -(-len(erased.gone) // SAMPLE) or 1
        gone, said = erased.gone[::step], erased.said
        ids = {*erased.ids, *erased.touched.turns, *erased.touched.conversations}
        sealed = await self.sealed(ids)
        # Whoever forgets is told of these by name and date.
        skip = {Path(one.folder) / one.name for one in await self._backups.list()}

        def look(db: Database) -> Proof:
            needles = needles_for(
                db, [*gone, *said.asked], erased.told_in, shown=said.shown, since=said.since
            )
            return proof.search(self._paths, self._key, db, needles, sealed=sealed, skip=skip)

        found = await self._readers.run(look)
        sample_of = len(erased.gone) + said.turns if step > 1 or not said.whole else 0
        return Proof(
            found.copies, found.places, found.searched_for, found.files, found.pages, found.bytes,
            sample_of,
        )  # fmt: skip


def _state(db: Database) -> str:
    """Changes with whatever is stored, so that nobody confirms what they were not shown."""
    counts = [
        db.execute(f"SELECT count(*), max(seq) FROM {table}").fetchone()  # noqa: S608
        for table in ("memories", "turns", "conversations")
    ]
    return repr(counts)


async def _none(_ids: Collection[str]) -> Sequence[str]:
    return ()
