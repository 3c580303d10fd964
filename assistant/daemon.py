"""Builds everything once; starts in order, stops in reverse. The only place that knows concrete classes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Collection
from typing import Any

from assistant import __version__
from assistant.ambient.captures import Captures
from assistant.ambient.write import Writing
from assistant.api.app import create_app, routes
from assistant.api.auth import Auth
from assistant.api.services import Services
from assistant.config import LIMITS, Paths, Settings, owner_token
from assistant.core.chats import Chats
from assistant.core.compaction import Compactor
from assistant.core.completion import Completions
from assistant.core.desk import Desk
from assistant.core.devices import Devices
from assistant.core.drafts import Drafts
from assistant.core.feed import Feed
from assistant.core.forgetting import Forgetting
from assistant.core.learn import Learner
from assistant.core.orders import Orders
from assistant.core.pairing import Pairing
from assistant.core.prompt import SYSTEM
from assistant.core.talk import Talks
from assistant.core.turn import Turns
from assistant.core.wakings import Wakings
from assistant.errors import AssistantError, Internal
from assistant.instance import Instance, Running
from assistant.listen.lan import Lan
from assistant.listen.listener import Listener
from assistant.listen.sockets import loopback
from assistant.logs import log_to, unhandled
from assistant.owner import owners
from assistant.types import Door
from assistant.worker import sandbox

log = logging.getLogger("assistant.daemon")

GRACE_S = 2
"""For streams that were told to end."""


def run(paths: Paths, settings: Settings) -> None:
    """Run the daemon until SIGTERM or SIGINT. Raises AlreadyRunning, PortTaken, ConfigInvalid."""
    os.umask(0o077)
    sandbox.forbid_dumps()
    _room_for_connections()
    paths.make()
    instance = Instance(paths.lock)
    instance.acquire()
    try:
        log_to(paths, settings)
        sockets = loopback(settings.port)
        # Before anybody is told that we are here: an earlier daemon's socket leads nowhere.
        owners_own = _owners_socket(paths)
        port = int(sockets[0].getsockname()[1])
        auth = Auth(owner_token(paths.token))
        instance.announce(Running(pid=os.getpid(), port=port, version=__version__))
        asyncio.run(Daemon(paths, settings, auth, port).serve(sockets, owners_own))
    finally:
        paths.socket.unlink(missing_ok=True)
        instance.release()


class Daemon:
    """One run of the daemon."""

    def __init__(self, paths: Paths, settings: Settings, auth: Auth, port: int) -> None:
        self._paths = paths
        self._settings = settings
        self._port = port
        self._services = Services()
        self._work = contextlib.AsyncExitStack()
        self._store = contextlib.AsyncExitStack()
        self._auth = auth
        self._routes = routes(self._services)
        hosts = tuple(f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]"))
        self._loopback = self._listener(Door("loopback", hosts, connections=LIMITS.connections))
        self._owners = self._listener(
            Door("socket", ("localhost",), connections=LIMITS.socket_connections)
        )

    def _listener(self, door: Door) -> Listener:
        return Listener(create_app(self._routes, self._services, self._auth, door), door)

    async def serve(self, sockets: list[socket.socket], owners_own: list[socket.socket]) -> None:
        """Listen at once, open the rest beside it, and end cleanly when told to."""
        stop = asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(unhandled)
        _on_signals(stop)
        await self._loopback.start(sockets)
        await self._open_owners_door(owners_own)
        opening = asyncio.create_task(self._open())
        log.info("listening on port %d", self._port)
        await stop.wait()
        log.info("stopping")
        await asyncio.wait([opening], timeout=GRACE_S)
        # Streams get their last event, then the connections close, then the memory.
        await self._work.aclose()
        for listener in (self._loopback, self._owners):
            await listener.close()
        await self._store.aclose()
        log.info("stopped")

    async def _open_owners_door(self, sockets: list[socket.socket]) -> None:
        if sys.platform != "win32":
            return await self._owners.start(sockets)
        try:
            await self._owners.start_pipe(self._paths.pipe)
        except AssistantError as exc:
            log.warning("%s %s", exc.message, exc.hint)

    async def _open(self) -> None:
        try:
            await self._build()
        except AssistantError as exc:
            log.error("%s: %s", exc.code, exc.message)  # noqa: TRY400
            self._services.fail(exc)
        except Exception as exc:
            log.error("the daemon could not start: %s", type(exc).__name__)  # noqa: TRY400
            log.debug("details", exc_info=True)
            self._services.fail(Internal("Nestor could not start."))
        else:
            self._services.open()

    async def _build(self) -> None:
        # numpy and sqlite-utils take half a second to import; /health answers meanwhile.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        from assistant.state import State

        paths, services = self._paths, self._services
        memory = await self._open_memory()
        engine, models = await asyncio.to_thread(
            open_engine, paths, self._settings, memory.key.secret
        )
        self._work.push_async_callback(engine.close)
        self._work.push_async_callback(models.close)
        services.speech = speech = self._open_speech()
        services.wakings = Wakings(memory.wakings, self._settings.wake_word)
        await services.wakings.load()
        self._assemble(engine, memory)
        services.completions = Completions(engine, memory.memories)
        services.captures = Captures(memory.memories)
        services.writing = Writing(engine, memory.tones)
        await self._let_devices_in(memory.devices)
        services.memories = memory.memories
        services.forgetter = memory.forgetter
        memory.forgetter.sealed = self._states_holding(memory.key.secret)
        services.conversations = memory.conversations
        services.parcels = memory.parcels
        services.backups = memory.backups
        services.transfers = memory.transfers
        memory.transfers.system = SYSTEM
        services.sources = memory.sources
        services.embedder = memory
        services.models = models
        services.system_prompt = SYSTEM
        rota = self._rota(memory.backups, engine)
        services.status = State(
            paths,
            engine,
            memory.memories,
            port=self._port,
            key_place=memory.key_place,
            vectors=memory,
            rota=rota,
            sources=memory.sources,
            children=lambda: [*engine.children(), *memory.children(), speech.status()],
            speech=speech,
            memory_problem=memory.problem,
        )
        await memory.sources.start()

    def _open_speech(self) -> Any:
        from assistant.speech.local import LocalSpeech

        speech = LocalSpeech(
            self._paths.speech_models,
            stt=self._settings.stt,
            voice=self._settings.voice,
            idle_unload_s=self._settings.idle_unload_s,
        )
        self._work.push_async_callback(speech.close)
        return speech

    def _rota(self, backups: Any, engine: Any) -> Any:
        from assistant.memory.rota import Rota

        rota = Rota(backups, self._settings.backup_every_h, lambda: not engine.queue_length)
        self._work.push_async_callback(rota.close)
        rota.start()
        return rota

    def _states_holding(self, secret: bytes) -> Any:
        """Tells which states of chats hold what has one of these ids; asked after they were dropped."""
        from assistant.engine.state_files import StateFiles
        from assistant.engine.states import state_key

        files = StateFiles(self._paths.chats, state_key(secret))

        async def holding(ids: Collection[str]) -> list[str]:
            names = await asyncio.to_thread(files.holding, ids)
            return [f"cache/chats/{name}" for name in names]

        return holding

    async def _let_devices_in(self, store: Any) -> None:
        """Devices, pairing, and the network if a device is paired that comes from there."""
        services = self._services
        devices = services.devices = Devices(store)
        lan = Lan(
            self._paths,
            self._settings.port and self._settings.port + 1,
            lambda door: create_app(self._routes, services, self._auth, door),
            store,
            lambda: any(one.kind in ("phone", "computer") for one in devices.list()),
        )
        services.pairing = Pairing(devices, lan)
        services.diagnose = lan.diagnose
        self._work.push_async_callback(devices.close)
        self._work.push_async_callback(lan.close)
        await devices.load()

        def changed() -> None:
            lan.on_devices_changed()
            services.feed.tell("devices", {})

        devices.on_changed = changed
        self._auth.devices = devices
        await lan.resume()

    def _assemble(self, engine: Any, memory: Any) -> None:
        """What core does, each part built once."""
        services, turn_log = self._services, memory.conversations
        services.feed = Feed()
        services.desk = Desk(services.feed)
        self._work.callback(services.feed.close)
        chats = Chats(engine, turn_log)
        drafts = Drafts(engine, memory.memories, chats, SYSTEM, profile=turn_log.profile)
        compactor = Compactor(engine, chats, turn_log)
        drafts.on_opened = compactor.consider
        orders = Orders(memory.knowledge, turn_log)
        learner = Learner(engine, memory.suggestions, turn_log, self._settings.learning)
        turns = Turns(
            engine,
            memory.memories,
            turn_log,
            chats,
            drafts,
            compactor,
            orders=orders,
            learner=learner,
        )
        for part in (learner, compactor, drafts, turns):
            self._work.push_async_callback(part.close)
        services.turns, services.drafts = turns, drafts
        services.talks = Talks(services.speech, turns, services.wakings)
        self._work.push_async_callback(services.talks.close)
        services.forgetting = Forgetting(engine, turns, drafts, compactor, learner)
        services.learner, services.suggestions = learner, memory.suggestions
        turns.on_changed = self._turn_changed
        memory.memories.on_forgotten = services.forgetting.memories

    def _turn_changed(self, run: Any) -> None:
        self._services.feed.turn(run)
        self._services.desk.turn(run)

    async def _open_memory(self) -> Any:
        open_memory = await asyncio.to_thread(_import_memory)
        memory = await open_memory(self._paths, self._settings)
        self._store.push_async_callback(memory.close)
        await memory.conversations.interrupted()
        return memory


def open_engine(paths: Paths, settings: Settings, secret: bytes) -> tuple[Any, Any]:
    """The engine of these settings, and the catalogue it is chosen from; nothing is loaded yet.

    `secret` encrypts what it keeps of chats on disk. Blocks.
    """
    from assistant.engine.catalogue import Catalogue
    from assistant.engine.fake import FakeEngine
    from assistant.engine.fallback import Remembered
    from assistant.engine.loader import Loader
    from assistant.engine.local import LocalEngine
    from assistant.engine.models import Models
    from assistant.engine.states import state_key
    from assistant.worker import Child

    catalogue = Catalogue(paths.models)
    if settings.model.partition(":")[0] == "fake":
        engine: Any = FakeEngine.named(settings.model)
    else:
        child = Child("engine", "assistant.engine.service", idle_unload_s=settings.idle_unload_s)
        remembered = Remembered(paths.engine_memory)
        loader = Loader(child, catalogue, settings, remembered, paths.chats, state_key(secret))
        engine = LocalEngine(child, catalogue, settings, loader)
    return engine, Models(catalogue, engine, paths)


def _owners_socket(paths: Paths) -> list[socket.socket]:
    """The owner's socket; none where it cannot be had, and then wrong tokens can make the owner wait."""
    if sys.platform == "win32":
        return []
    try:
        return [owners(paths.socket)]
    except AssistantError as exc:
        log.warning("%s %s", exc.message, exc.hint)
        return []


def _room_for_connections() -> None:
    """As many files as our limits need; a soft limit of 256 or 1,024 is usual."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 2 * LIMITS.connections + LIMITS.socket_connections
        if soft != resource.RLIM_INFINITY and soft < wanted:
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _import_memory() -> Any:
    from assistant.memory.service import open_memory

    return open_memory


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
