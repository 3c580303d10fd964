"""The program on the desktop: what it shows of the daemon, and what it does when asked.

One event loop in one thread. Windows are in Tk's thread; whoever has one registers what it does.
"""

from __future__ import annotations

import asyncio
import logging
import webbrowser
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from assistant.clients import launch, page
from assistant.clients.desktop import menu, status, tray
from assistant.clients.desktop.actions import Actions
from assistant.clients.desktop.autostart import Autostart
from assistant.clients.desktop.bindings import Bindings
from assistant.clients.desktop.bus import Bus
from assistant.clients.desktop.control import Control
from assistant.clients.desktop.link import Link
from assistant.clients.desktop.notifications import Choice, Notice, Notices
from assistant.clients.desktop.status import Seen, Taking
from assistant.clients.desktop.watch import Watch
from assistant.clients.http import Client
from assistant.config import Paths, Settings
from assistant.errors import AssistantError, DesktopError
from assistant.types import Event

log = logging.getLogger("assistant.desktop")

MISSED_S = 5.0
"""A daemon that is away for less was started anew, and nobody need be told."""
HOST_S = 3.0
"""A panel that comes within this time after us was only slower."""
_QUIT_S = 0.05


class Desk:
    """See the module. `run` is its life; `told` gets what a user at a terminal should know, in sentences."""

    def __init__(
        self, paths: Paths, settings: Settings, told: Callable[[str], None] = lambda text: None
    ) -> None:
        self._paths, self._settings, self._told = paths, settings, told
        self.actions = Actions()
        self._autostart = Autostart()
        self._bus: Bus | None = None
        self._tray: tray.Tray | None = None
        self._notices: Notices | None = None
        self._watch = Watch(paths, self._spawn, self._seen, self._happened)
        self._keys = Bindings(paths, self._run, known=lambda: self.actions.names)
        self._work: set[asyncio.Task[Any]] = set()
        self._ended = asyncio.Event()
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self._missing: asyncio.Task[Any] | None = None
        self._keys.register(self.actions)
        for name, work in (
            ("open", self._open),
            ("pause", self._pause),
            ("start", self._start_daemon),
            ("autostart", self._start_with_session),
            ("status", self._status),
            ("quit", self._quit),
        ):
            self.actions.register(name, work)

    async def run(self, ready: Callable[[dict[str, Any]], None] = lambda told: None) -> None:
        """Until `quit`, or until the session ends. `ready` gets the status once orders are taken.

        Raises DesktopError if there is neither a tray nor a window to show anything in, and SocketUnsafe.
        """
        control = Control(self._paths, self.actions)
        try:
            await self._find_tray()
            await control.start()
            self._spawn(self._watch.run())
            self._spawn(self._run("start"))
            await self._keys.start()
            ready(self._status())
            await self._ended.wait()
        finally:
            await control.close()
            await self._keys.stop()
            for close in self._closers:
                await close()
            for task in list(self._work):
                task.cancel()
            await asyncio.gather(*self._work, return_exceptions=True)
            if self._tray is not None:
                await self._tray.stop()
            if self._bus is not None:
                await self._bus.close()

    # --- for those who share this program ----------------------------------------------------

    def take(self, what: Taking, *, on: bool) -> None:
        """Something of the user's is taken, or no longer: the icon shows it. On the event loop."""
        self._watch.take(what, on=on)

    async def notify(self, notice: Notice) -> bool:
        """Tell the user; whether somebody shows it. On the event loop."""
        return self._notices is not None and await self._notices.tell(notice)

    def at_end(self, close: Callable[[], Awaitable[None]]) -> None:
        """Have it called when `run` ends, while the icon is still there."""
        self._closers.append(close)

    def end(self) -> None:
        """End `run`. On the event loop."""
        self._ended.set()

    # --- showing -------------------------------------------------------------------------

    @property
    def _windows(self) -> bool:
        return "ask" in self.actions.names

    async def _find_tray(self) -> None:
        try:
            if not tray.NEEDS_NO_BUS:
                self._bus = await Bus.connect()
                self._notices = Notices(self._bus, self._chose)
                self._spawn(self._until_gone(self._bus))
            self._tray = tray.make(self._bus, self._clicked, self._hosted, self._watch.look)
            await self._tray.start()
            self._show()
        except DesktopError as exc:
            if not self._windows:
                raise
            self._tray = None
            self._told(f"{exc.message} {exc.hint}")

    async def _until_gone(self, bus: Bus) -> None:
        await bus.gone()
        self._told("The desktop session has ended.")
        self.end()

    def _hosted(self, visible: bool) -> None:
        if visible:
            self._told("Nestor's icon is in the tray.")
        else:
            self._spawn(self._without_icon())

    async def _without_icon(self) -> None:
        await asyncio.sleep(HOST_S)
        if self._tray is not None and not self._tray.visible:
            self._told(tray.NO_HOST)
            await self.notify(Notice("tray", "Nestor runs, without an icon", tray.NO_HOST))

    def _seen(self, before: Seen) -> None:
        now = self._watch.seen
        self._show()
        if now.problem and now.problem != before.problem:
            self._spawn(self.notify(_problem(now)))
        if before.online and not now.online:
            self._missing = self._spawn(self._missed())
        elif now.online and not before.online:
            if self._missing is not None:
                self._missing.cancel()
            if self._notices is not None:
                self._spawn(self._notices.withdraw("daemon"))

    def _show(self) -> None:
        if self._tray is not None:
            seen = self._watch.seen
            entries = menu.entries(seen, self.actions.names, autostart=self._autostart.on)
            self._tray.show(status.shown(seen), status.sentence(seen), entries)

    def _happened(self, event: Event) -> None:
        if event.event == "parcel" and not event.data.get("gone"):
            self._spawn(self.notify(_PARCEL))

    async def _missed(self) -> None:
        await asyncio.sleep(MISSED_S)
        await self.notify(_STOPPED)

    def _clicked(self, entry: menu.Entry) -> None:
        name = entry.action if entry.action in self.actions.names else "open"
        self._spawn(self._run(name, **entry.arguments))

    def _chose(self, choice: Choice) -> None:
        self._spawn(self._run(choice.action, **choice.arguments))

    # --- actions -------------------------------------------------------------------------

    async def _run(self, name: str, **arguments: Any) -> None:
        """An action of the menu's, of a notification or of a key: what goes wrong is told."""
        try:
            await self.actions.run(name, **arguments)
        except AssistantError as exc:
            self._told(f"{exc.message} {exc.hint}")
            await self.notify(Notice("action", exc.message, exc.hint, shown="error"))

    async def _open(self, place: str = "") -> dict[str, bool]:
        """The page in the user's browser, there."""
        await asyncio.to_thread(self._browse, place)
        return {"opened": True}

    def _browse(self, place: str) -> None:
        launch.start(self._paths)
        with Client.to(self._paths) as client:
            address = page.connected(client, self._paths, place)
        if not webbrowser.open(address):
            raise DesktopError("No browser could be started.", "Try `nestor open --print`.")

    async def _pause(self, *, on: bool | None = None) -> dict[str, bool]:
        """Learn nothing from what is said on this computer; without `on`, the other of the two."""
        seen = self._watch.seen
        paused = not seen.paused if on is None else on
        async with Link.to(self._paths) as link:
            await link.send("PUT", "/api/v1/learning", {"mode": self._mode(paused)})
        self._watch.see(msgspec.structs.replace(self._watch.seen, paused=paused))
        return {"paused": paused}

    def _mode(self, paused: bool) -> str:
        usual = self._settings.learning
        return "off" if paused else usual if usual != "off" else "ask"

    async def _start_daemon(self) -> dict[str, int]:
        """Start the daemon, if none runs."""
        running = await asyncio.to_thread(launch.start, self._paths)
        return {"pid": running.pid}

    def _start_with_session(self, *, on: bool | None = None) -> dict[str, bool]:
        """Be there when the session begins; without `on`, the other of the two."""
        self._autostart.set(on=not self._autostart.on if on is None else on)
        self._show()
        return {"autostart": self._autostart.on}

    def _status(self) -> dict[str, Any]:
        """What there is of this program; for `nestor doctor` and `nestor tray`."""
        return {
            "shown": status.shown(self._watch.seen),
            "said": status.sentence(self._watch.seen),
            "tray": self._tray is not None and self._tray.visible,
            "windows": self._windows,
            "hotkeys": self._keys.report(),
            "actions": list(self.actions.names),
        }

    def _quit(self) -> dict[str, bool]:
        """End this program; the daemon stays. Soon, so that whoever asked hears of it."""
        asyncio.get_running_loop().call_later(_QUIT_S, self.end)
        return {"quit": True}

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._work.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("something went wrong on the desktop", exc_info=fault)


def _problem(seen: Seen) -> Notice:
    hint = f"Try: {seen.hint}" if seen.hint else ""
    choices = (Choice("Open", "open", {"place": "settings"}),)
    return Notice("problem", seen.problem, hint, choices, shown="error")


_STOPPED = Notice(
    "daemon", "Nestor has stopped", "It answers no more. Nothing that was stored is lost.",
    (Choice("Start it", "start"),), shown="offline",
)  # fmt: skip
_PARCEL = Notice(
    "parcel", "Something was sent to this computer", "It waits on the page until you take it.",
    (Choice("Show", "open", {"place": "devices"}),),
)  # fmt: skip
