"""Open and close the memory: key, file, writer, readers, arrays and embedder, in this order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlite_utils import Database

from assistant.config import Paths, Settings
from assistant.errors import Damaged, StoreError
from assistant.memory import damage, database, migrations, pump
from assistant.memory.backups import Backups
from assistant.memory.centre import Prior
from assistant.memory.check import check
from assistant.memory.conversations import Conversations
from assistant.memory.devices import DeviceStore
from assistant.memory.embedder import Embedder
from assistant.memory.finder import Finder
from assistant.memory.forget import Forgetter
from assistant.memory.ingest.service import Sources
from assistant.memory.ingest.shelf import Shelf
from assistant.memory.keys import Key, drop_drafts, find_key, make_key
from assistant.memory.knowledge import Knowledge
from assistant.memory.opened import Mark
from assistant.memory.parcels import Parcels
from assistant.memory.readers import Readers
from assistant.memory.restore import undo_half
from assistant.memory.store import Memories
from assistant.memory.suggestions import Suggestions
from assistant.memory.swap import Leftovers, Swap
from assistant.memory.tombstones import Tombstones
from assistant.memory.tones import Tones
from assistant.memory.traces import Traces
from assistant.memory.transfer.transfers import Transfers
from assistant.memory.vectors import Index
from assistant.memory.wakings import WakingStore
from assistant.memory.writer import Writer
from assistant.types import ChildStatus, SwapProgress, now
from assistant.worker import Child

log = logging.getLogger(__name__)


class MemoryService:
    """Everything remembered. Use `open_memory`; close it when done."""

    def __init__(
        self,
        *,
        memories: Memories,
        conversations: Conversations,
        forgetter: Forgetter,
        sources: Sources,
        parcels: Parcels,
        devices: DeviceStore,
        wakings: WakingStore,
        tones: Tones,
        knowledge: Knowledge,
        suggestions: Suggestions,
        embedder: Embedder,
        backups: Backups,
        transfers: Transfers,
        key: Key,
        writer: Writer,
        readers: Readers,
        filler: pump.Pump,
        embed_with: Callable[[str], Embedder],
        problem: str = "",
    ) -> None:
        self.memories = memories
        self.conversations = conversations
        self.parcels = parcels
        self.backups = backups
        self.transfers = transfers
        self.forgetter = forgetter
        self.sources = sources
        """Started by whoever opened the memory, once its listeners are in place."""
        self.devices = devices
        self.wakings = wakings
        self.tones = tones
        self.knowledge = knowledge
        self.suggestions = suggestions
        self.key = key
        """Of the database. Whoever keeps what is remembered elsewhere encrypts it with a child of it."""
        self.key_place = key.place
        """Where the database key lies, in words for `doctor`."""
        self.problem = problem
        """What was wrong when it was opened, in words for `status` and `doctor`; mostly empty."""
        self._embedder = embedder
        self._writer = writer
        self._readers = readers
        self._pump = filler
        self._embed_with = embed_with
        self._swap: Swap | None = None
        self._leftovers = Leftovers(writer, readers, embedder)
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def embed_model(self) -> str:
        """Id of the embedding model; empty until it ran once on this machine."""
        return self._embedder.model

    @property
    def embed_dim(self) -> int:
        """Numbers in a vector; 0 until the child ran once in this process."""
        return self._embedder.dim

    @property
    def embed_problem(self) -> str:
        """Why no vectors can be had; empty while they can."""
        return self._embedder.problem

    async def embed(self, texts: Sequence[str], purpose: str = "passage") -> list[list[float]]:
        """Unit vectors as the model makes them; `purpose` is `query` or `passage`. Raises EmbedderError."""
        vectors = await self._embedder.embed(texts, purpose)
        return [[float(x) for x in row] for row in vectors]

    @property
    def swap_progress(self) -> SwapProgress | None:
        """How far another embedder is on its way to taking over; None if none is."""
        return self._swap.progress if self._swap else None

    def drop_leftovers(self) -> None:
        """Drop vectors that no model in use made, in the background; not while a swap makes some."""
        self._leftovers.start()

    async def swap(self, spec: str) -> None:
        """Have another embedder take over, in the background; the one in use answers until then.

        A swap that was under way is given up.
        """
        await self._leftovers.close()
        await self._end_swap()
        arriving = self._arriving = self._embed_with(spec)
        loop = asyncio.get_running_loop()

        def put(index: Index, prior: Prior) -> None:
            old = self._embedder.become(arriving)
            self._pump.take(index, prior, spec)
            self.memories.finder.take(index)
            loop.call_soon_threadsafe(self._end, old)

        self._swap = Swap(self._writer, self._readers, arriving, spec, put)
        self._swap.start()

    def _end(self, child: Child) -> None:
        self._arriving = None
        task = asyncio.get_running_loop().create_task(child.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    _arriving: Embedder | None = None

    async def _end_swap(self) -> None:
        if self._swap is not None:
            await self._swap.close()
        if self._arriving is not None:
            await self._arriving.close()
        self._arriving = self._swap = None

    def warm(self) -> None:
        """Start the embedder ahead of need; returns at once."""
        self._embedder.warm()

    def children(self) -> list[ChildStatus]:
        """The child processes the memory owns."""
        arriving = [self._arriving.status()] if self._arriving else []
        return [self._embedder.status(), *arriving, *self.sources.children()]

    async def close(self) -> None:
        """Finish what was accepted and close the file, its log emptied."""
        await self.sources.close()
        await self.backups.close()
        await self.transfers.close()
        await self._leftovers.close()
        await self._end_swap()
        await self._pump.close()
        await self._embedder.close()
        await asyncio.gather(*self._ending)
        await asyncio.to_thread(self._readers.close)
        await asyncio.to_thread(self._writer.close)


async def open_memory(
    paths: Paths, settings: Settings, *, clock: Callable[[], str] = now, fault: str = ""
) -> MemoryService:
    """Open the memory of `paths`, made if it is not there, migrated if it is old.

    Raises KeyMissing, KeyWrong or StoreError, and then has changed nothing. Returns when memories
    can be stored and words find them; vectors join as they are loaded and made.
    """
    key, writer, readers, problem = await asyncio.to_thread(_open, paths, settings)

    def embed_with(spec: str) -> Embedder:
        return Embedder(spec, idle_unload_s=settings.idle_unload_s, fault=fault)

    # Another embedder than last time takes over when it has a vector for everything.
    spec = await readers.run(pump.serving) or settings.embedder
    embedder = embed_with(spec)
    index = Index()
    backups = Backups(paths, settings, key, clock=clock)
    try:
        await backups.start()
        await readers.run(lambda db: index.add(pump.all_rows(db)))
        model = await readers.run(lambda db: pump.recall_model(db, spec))
        filler = pump.Pump(writer, readers, index, embedder, spec, model)
        traces = Traces(paths.database, writer, embedder)
        tombstones = Tombstones(paths.forgotten, key)
        finder = Finder(readers, index, embedder)
        finder.catch_up = filler.caught_up
        memories = Memories(writer, readers, finder, embedder, traces, tombstones, clock=clock)
        writer.rebuild = filler.rebuild
        memories.on_pending = filler.poke
        conversations = Conversations(writer, readers, traces, tombstones, clock=clock)
        transfers = Transfers(
            writer,
            readers,
            finder,
            lambda: embedder.model,
            filler.poke,
            tombstones,
            paths.incoming,
            clock=clock,
        )
        shelf = Shelf(writer, readers, embedder, memories, tombstones, traces.wipe)
        sources = Sources(shelf, paths, clock=clock)
        await filler.start()
    except BaseException:
        await backups.close()
        await embedder.close()
        await asyncio.to_thread(readers.close)
        await asyncio.to_thread(writer.close)
        raise
    service = MemoryService(
        memories=memories,
        conversations=conversations,
        forgetter=Forgetter(paths, key, writer, readers, memories, backups, sources),
        sources=sources,
        parcels=Parcels(writer, readers, traces),
        devices=DeviceStore(writer, readers, clock=clock),
        wakings=WakingStore(writer, readers),
        tones=Tones(writer, readers),
        knowledge=Knowledge(memories, clock=clock),
        suggestions=Suggestions(memories, clock=clock),
        embedder=embedder,
        backups=backups,
        transfers=transfers,
        key=key,
        writer=writer,
        readers=readers,
        filler=filler,
        embed_with=embed_with,
        problem=problem,
    )
    if spec != settings.embedder:
        await service.swap(settings.embedder)
    else:
        service.drop_leftovers()
    return service


def _open(paths: Paths, settings: Settings) -> tuple[Key, Writer, Readers, str]:
    database.assert_library()
    paths.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = paths.database
    undo_half(paths)
    if database.exists(path):
        key = find_key(paths, settings.key_store)
    else:
        key = make_key(paths, settings.key_store)
        _create(path, key)
    _refuse_newer(path, key)
    mark = Mark(path)
    if missing := mark.log_is_missing():
        _keep_as_found(path)
    db = database.connect(path, key)
    try:
        database.assert_encrypted(path)
        with damage.heard(), database.translated():
            if missing:
                _assert_whole(db)
            migrations.migrate(db, path)
            Tombstones(paths.forgotten, key).catch_up(db)
        migrations.drop_backups(path, older_than_s=migrations.BACKUP_KEPT_S)
        drop_drafts(paths)
        mark.set()
    except BaseException as exc:
        db.close()
        if isinstance(exc, OSError):
            raise StoreError("The memory's folder cannot be written.") from exc
        raise
    writer = Writer(db)
    writer.closed = mark.clear
    readers = Readers(lambda: database.connect(path, key, readonly=True))
    return key, writer, readers, _LOG_MISSING if missing else ""


def _refuse_newer(path: Path, key: Key) -> None:
    """Raise StoreError if a newer Nestor wrote the file or its log, KeyWrong if it is another's key.

    Before anybody may write: with the last connection that may, the log would go into the file.
    """
    db = database.connect_unchanged(path, key)
    with contextlib.closing(db), damage.heard(), database.translated():
        migrations.schema(db)


_LOG_MISSING = (
    "The memory was not closed, and its log was missing at this start: "
    "what was stored shortly before may be gone."
)


def _keep_as_found(path: Path) -> None:
    """A copy of the file as it is now, for as long as copies made before migrations are kept."""
    copy = path.with_name(f"{path.name}.before-missing-log")
    try:
        shutil.copyfile(path, copy)
        copy.chmod(0o600)
    except OSError as exc:
        log.warning("the database could not be copied as it was found: %s", type(exc).__name__)


def _assert_whole(db: Database) -> None:
    """Without its log a file may be half of one moment and half of another. Raises Damaged."""
    log.error("the memory's log is missing")
    if check(db, full=True)["problems"]:
        raise Damaged("The memory's log is missing, and the database is not whole without it.")


def _create(path: Path, key: Key) -> None:
    """Make the file under another name: an empty or half-made one is never taken for a memory."""
    draft = path.with_name(f".{path.name}.new")
    database.remove(draft)
    with contextlib.ExitStack() as undo:
        undo.callback(database.remove, draft)
        db = database.connect(draft, key, create=True)
        try:
            migrations.migrate(db)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            db.close()
        database.assert_encrypted(draft)
        draft.chmod(0o600)
        if path.exists():
            raise StoreError("Another program made the database at this moment.")
        database.put_in_place(draft, path)
        undo.pop_all()
    for side in ("-wal", "-shm"):
        with contextlib.suppress(OSError):
            os.unlink(f"{draft}{side}")  # noqa: PTH108
