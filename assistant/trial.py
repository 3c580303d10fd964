"""Builds assistants to be examined: the real memory, core and model, in a folder that is thrown away."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from assistant.config import Paths, Settings, load_paths
from assistant.core.chats import Chats
from assistant.core.compaction import Compactor
from assistant.core.drafts import Drafts
from assistant.core.forgetting import Forgetting
from assistant.core.learn import Learner
from assistant.core.orders import Orders
from assistant.core.ports import Engine, Place
from assistant.core.prompt import SYSTEM
from assistant.core.turn import Turns
from assistant.errors import Internal
from assistant.evaluation.examiner import Progress, examine
from assistant.evaluation.subject import Reply
from assistant.types import (
    Conversation,
    Forget,
    Generated,
    Learning,
    Memory,
    ModelInfo,
    NewMemory,
    Prefilled,
    Priority,
    Recalled,
    Request,
    Sampling,
    Trust,
    Turn,
    new_id,
    timestamp,
)

REPLY_TOKENS = 48
"""An answer is read no further."""
SEED = 7
TODAY = datetime(2026, 6, 1, 9, tzinfo=UTC)
"""What every clock shows at first, so that each run is the same."""
SETTLE_S = 120.0


def run(
    paths: Paths, settings: Settings, *, exams: Sequence[str] = (), progress: Progress | None = None
) -> dict[str, Any]:
    """Examine this machine's model and embedder; the user's memory is never opened.

    Raises ModelMissing or ModelNotFound before anything is begun. However it ends, Ctrl-C included,
    nothing of it is left.
    """
    os.umask(0o077)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return asyncio.run(_run(paths, settings, exams, progress))


async def _run(
    paths: Paths, settings: Settings, exams: Sequence[str], progress: Progress | None
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="nestor-eval-", ignore_cleanup_errors=True) as folder:
        laboratory = await Laboratory.open(Path(folder), paths, settings)
        try:
            how: dict[str, Any] = {"progress": progress} if progress else {}
            how |= {"exams": exams} if exams else {}
            return (await examine(laboratory, **how)).data()
        finally:
            await laboratory.close()


class Laboratory:
    """One model; a memory for each subject."""

    def __init__(self, folder: Path, settings: Settings, models: Path, engine: Any) -> None:
        self._folder = folder
        self._settings = settings
        self._models = models
        self._engine = engine
        self._numbers = itertools.count(1)
        self.embedder = ""

    @classmethod
    async def open(cls, folder: Path, paths: Paths, settings: Settings) -> Laboratory:
        """Load the model of these settings. Raises what stops it."""
        from assistant.daemon import open_engine

        # No backup, no keyring entry, nothing from the network: the folder alone.
        own = msgspec.structs.replace(
            settings, key_store="file", backup_every_h=0.0, backup_folder="", idle_unload_s=0.0
        )
        place = _paths(folder / "engine", paths.models)
        engine, _ = await asyncio.to_thread(open_engine, place, own, os.urandom(32))
        try:
            await engine.warm()
        except BaseException:
            await engine.close()
            raise
        return cls(folder, own, paths.models, engine)

    @property
    def model(self) -> str:
        """The model that answers."""
        return str(self._engine.info().id)

    @contextlib.asynccontextmanager
    async def fresh(self) -> AsyncIterator[Assistant]:
        """An assistant whose memory is empty, and gone afterwards."""
        from assistant.memory.service import open_memory

        paths = _paths(self._folder / f"subject-{next(self._numbers)}", self._models)
        service = await open_memory(paths, self._settings, clock=_ticking())
        assistant = Assistant(paths, service, Greedy(self._engine))
        try:
            service.warm()
            yield assistant
        finally:
            self.embedder = service.embed_model or self.embedder
            await assistant.close()
            await service.close()

    async def close(self) -> None:
        """End the model's process."""
        await self._engine.close()


class Assistant:
    """A subject: everything from the message to the answer, but the network and the schedule."""

    def __init__(self, paths: Paths, service: Any, engine: Greedy) -> None:
        self._paths = paths
        self._service = service
        log = service.conversations
        chats = Chats(engine, log)
        clock = _ticking()

        def now() -> datetime:
            return datetime.fromisoformat(clock())

        self._orders = Orders(service.knowledge, log)
        drafts = Drafts(engine, service.memories, chats, SYSTEM, now, profile=log.profile)
        compactor = Compactor(engine, chats, log)
        learner = _Hearing(engine, service.suggestions, log)
        self._turns = Turns(
            engine, service.memories, log, chats, drafts, compactor, now,
            orders=self._orders, learner=learner,
        )  # fmt: skip
        self._parts = (learner, compactor, drafts, self._turns)
        forgetting = Forgetting(engine, self._turns, drafts, compactor, learner)
        service.memories.on_forgotten = forgetting.memories

    async def note(
        self,
        texts: Sequence[str],
        *,
        trust: Trust = "user",
        said_at: str | None = None,
        source: str | None = None,
    ) -> list[str]:
        """See Subject."""
        new = [NewMemory(one, said_at=said_at, source=source, trust=trust) for one in texts]
        return [row.id for row in await self._service.memories.add_many(new)]

    async def state(self, text: str) -> None:
        """See Subject."""
        await self._service.knowledge.remember(text)

    async def say(self, text: str) -> str:
        """See Subject. As a turn does it, up to where the model would answer."""
        chat = await self._service.conversations.create("", SYSTEM)
        order = await self._orders.look(chat.id, text)
        if order is not None:
            outcome = await order.run(new_id("t"))
            return str(outcome.reply)
        turn = new_id("t")
        await self._service.conversations.start_turn(chat.id, turn, text)
        await self._orders.heard(chat.id, text, turn)
        await self._service.suggestions.learn(turn, text, auto=True)
        await self._service.conversations.finish_turn(turn, status="done", reply="…")
        return ""

    async def ask(self, text: str) -> Reply:
        """See Subject."""
        log = self._service.conversations
        run = await self._turns.start((await log.create("", SYSTEM)).id, text, learning="off")
        assert run.task is not None
        await run.task
        turn = await log.turn(run.id)
        if turn.status != "done":
            raise Internal("The model did not answer.")
        receipt = turn.receipt or {}
        first_ms = float(receipt.get("first_token_ms") or 0.0)
        return Reply(turn.reply, first_ms / 1e3, float(receipt.get("tokens_per_s") or 0.0))

    async def recall(self, text: str, k: int = 5, *, gate: bool = True) -> list[Recalled]:
        """See Subject."""
        found: list[Recalled] = await self._service.memories.recall(text, k=k, gate=gate)
        return found

    async def facts(self, *, closed: bool = False) -> list[Memory]:
        """See Subject."""
        found: list[Memory] = []
        cursor: str | None = None
        while True:
            page, cursor = await self._service.memories.list(
                limit=500, cursor=cursor, include_closed=closed
            )
            found += page
            if cursor is None:
                return found

    async def forget(
        self, *, ids: Sequence[str] = (), words: str = "", before: str = "", source: str = ""
    ) -> int:
        """See Subject."""
        which = Forget(ids=tuple(ids), query=words, before=before, source=source)
        done = await self._service.forgetter.forget(which)
        # What conversations still say of it may be the user's own question: `left` looks there.
        found = done.proof.places if done.proof else ()
        own = ("turns.", "conversations.")
        return sum(one.count for one in found if not one.place.startswith(own))

    async def left(self, word: str) -> int:
        """See Subject. Without the code that forgets and proves: plain SQL and plain bytes."""

        def rows(db: Any) -> int:
            count = 0
            names = [
                row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            for table in names:
                for _, column, *_ in db.execute(f"PRAGMA table_info([{table}])").fetchall():
                    sql = f"SELECT count(*) FROM [{table}] WHERE instr(lower(CAST([{column}] AS TEXT)), ?)"  # noqa: S608
                    # A table that only its own extension reads holds none of our text in columns.
                    with contextlib.suppress(Exception):
                        count += int(db.execute(sql, [word.lower()]).fetchone()[0])
            return count

        found: int = await self._service.memories.read(rows)
        return found + await asyncio.to_thread(_in_files, self._paths, word)

    async def settled(self) -> None:
        """See Subject."""
        await self._service.memories.finder.catch_up(SETTLE_S)

    async def close(self) -> None:
        """End what goes on."""
        for part in self._parts:
            await part.close()


class Greedy:
    """An engine that always takes the likeliest word, and not too many: each run says the same."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def sampling(self) -> Sampling:
        """The model's, with nothing left to chance."""
        sampling: Sampling = self._engine.sampling()
        return msgspec.structs.replace(sampling, temperature=0.0, seed=SEED)

    def reserve(self, priority: Priority = "interactive", device: str = "") -> Place:
        """As the engine's."""
        return _Short(self._engine.reserve(priority, device))

    def check_room(self, device: str = "") -> None:
        """As the engine's."""
        self._engine.check_room(device)

    async def prefill(self, request: Request) -> Prefilled:
        """As the engine's."""
        read: Prefilled = await self._engine.prefill(request)
        return read

    async def forget(self, refs: Collection[str]) -> None:
        """As the engine's."""
        await self._engine.forget(refs)

    async def warm(self) -> None:
        """As the engine's."""
        await self._engine.warm()

    def info(self) -> ModelInfo:
        """As the engine's."""
        info: ModelInfo = self._engine.info()
        return info


class _Short:
    def __init__(self, place: Place) -> None:
        self._place = place

    def stream(self, request: Request) -> AsyncGenerator[Generated, None]:
        most = min(request.sampling.max_tokens or REPLY_TOKENS, REPLY_TOKENS)
        sampling = msgspec.structs.replace(request.sampling, max_tokens=most)
        return self._place.stream(msgspec.structs.replace(request, sampling=sampling))

    def release(self) -> None:
        self._place.release()


class _Hearing(Learner):
    """Corrections are heard; the model proposes nothing, which would take minutes."""

    def __init__(self, engine: Engine, suggestions: Any, log: Any) -> None:
        super().__init__(engine, suggestions, log, "ask")

    async def mode(
        self, conversation: Conversation, device: str, asked: Learning | None = None
    ) -> Learning:
        return asked or "ask"

    def consider(self, turn: Turn, mode: Learning) -> None:
        """Not here."""


def _paths(home: Path, models: Path) -> Paths:
    made = load_paths({"NESTOR_HOME": str(home), "NESTOR_MODELS": str(models)})
    made.make()
    return made


def _ticking() -> Any:
    """A clock that is a second later each time it is looked at."""
    seconds = itertools.count()
    return lambda: timestamp(TODAY + timedelta(seconds=next(seconds)))


def _in_files(paths: Paths, word: str) -> int:
    wanted = [
        form for one in {word, word.lower()} for form in (one.encode(), one.encode("utf-16-le"))
    ]
    count = 0
    for folder in (paths.config, paths.data, paths.state, paths.cache):
        for path in folder.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                count += any(form in data for form in wanted)
    return count
