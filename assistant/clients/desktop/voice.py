"""Talking and the wake word on one desktop: what they show on the icon, what they tell, and Esc."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from assistant.clients.desktop.actions import Actions
from assistant.clients.desktop.bindings import backend, wayland
from assistant.clients.desktop.hotkeys import Combination, Hotkeys, Press
from assistant.clients.desktop.notifications import Notice
from assistant.clients.desktop.status import Taking
from assistant.clients.desktop.talk import HoldToTalk
from assistant.clients.desktop.wake import WakeWatch
from assistant.config import Paths, Settings
from assistant.errors import AssistantError, DesktopError, WakeWordOff

_ESCAPE = {"escape": Combination((), "esc")}
_SILENT = ("idle", "closed")
_ENDS = ("waiting", "thinking", "heard", "nothing_heard", "error", *_SILENT)
"""Nobody is listened to any more."""
AGAIN_S = 5.0
"""Until the wake word is tried again where it could not begin."""


def available() -> bool:
    """Whether this installation can open a microphone (the extra `voice`)."""
    return importlib.util.find_spec("sounddevice") is not None


class Desk(Protocol):
    """What of the desktop's program is used; all on the event loop."""

    @property
    def actions(self) -> Actions:
        """Where `talk.*` and `wake.*` are registered."""

    def take(self, what: Taking, *, on: bool) -> None:
        """Show that something is taken from the user, or no longer."""

    def notify(self, notice: Notice) -> Awaitable[bool]:
        """Tell the user."""


class Voice:
    """Made and used on the event loop. `start` begins to wait for the wake word, if the user has one."""

    def __init__(self, paths: Paths, settings: Settings, desk: Desk) -> None:
        self._desk = desk
        self._talk = HoldToTalk(paths, self._talked)
        self._wake = WakeWatch(paths, self._woke) if settings.wake_word != "off" else None
        self._beginning: asyncio.Task[Any] | None = None
        self._waking = False
        """Whether the microphone is open for the wake word."""
        self._told = ""
        """What went wrong with the wake word and was told, until it works again."""
        self._open = False
        """Whether a talk has the microphone open."""
        self._escape = Escape(self.hush)
        self._work: set[asyncio.Task[Any]] = set()
        self._talk.register(desk.actions)
        if self._wake is not None:
            desk.actions.register("wake.start", self._wait)
            desk.actions.register("wake.stop", self._wait_no_more)
            desk.actions.register("wake.toggle", self._toggle)

    async def start(self) -> None:
        """Returns at once."""
        if self._wake is not None:
            self._beginning = self._spawn(self._begin(self._wake))

    async def close(self) -> None:
        """Give the devices back."""
        for task in list(self._work):
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self._talk.close()
        if self._wake is not None:
            await self._wake.stop()
        await self._escape.off()

    async def hush(self) -> None:
        """Esc: be silent now, and forget what was being said."""
        await self._talk.cancel()
        if self._wake is not None:
            await self._wake.hush()

    # --- the wake word -----------------------------------------------------------------------

    async def _begin(self, wake: WakeWatch, pause_s: float = 0.0) -> None:
        """Until it listens: the session may be there before the daemon or the microphone is."""
        while True:
            await asyncio.sleep(pause_s)
            pause_s = AGAIN_S
            try:
                await wake.start()
            except WakeWordOff:
                pass
            except AssistantError as exc:
                self._woke("error", {"error": exc.body()})
                continue
            return

    async def _wait(self) -> None:
        """Wait for the word. Says at once if that cannot be, and goes on trying."""
        if self._wake is None or self._waking:
            return
        await self._wait_no_more()
        try:
            await self._wake.start()
        except WakeWordOff:
            raise
        except AssistantError as exc:
            self._told = exc.code
            self._beginning = self._spawn(self._begin(self._wake, AGAIN_S))
            raise

    async def _wait_no_more(self) -> None:
        if self._beginning is not None:
            self._beginning.cancel()
        if self._wake is not None:
            await self._wake.stop()

    async def _toggle(self) -> None:
        await (self._wait_no_more() if self._waking else self._wait())

    def _woke(self, name: str, data: dict[str, Any]) -> None:
        if name in ("waiting", "woken", "listening"):
            self._waking, self._told = True, ""
        elif name == "idle":
            self._waking = False
        elif name == "error":  # it tries again every few seconds
            self._waking = self._wake is not None and self._wake.open
            if data["error"]["code"] in ("wake_word_off", self._told):
                return
            self._told = data["error"]["code"]
        self._tell(name, data)

    # --- talking -------------------------------------------------------------------------

    def _talked(self, name: str, data: dict[str, Any]) -> None:
        if name == "hearing":
            self._open = True
        elif name == "closed" or (
            name == "error" and data["error"]["code"] == "microphone_missing"
        ):
            self._open = False
        if self._wake is not None and name in ("listening", *_SILENT):
            self._wake.paused = name == "listening"
        self._tell(name, data)

    # --- both ----------------------------------------------------------------------------

    def _tell(self, name: str, data: dict[str, Any]) -> None:
        if name in ("listening", "hearing", *_ENDS):
            self._desk.take("listening", on=name not in _ENDS)
        self._desk.take("waiting", on=self._open or self._waking)
        self._desk.take("wake_word", on=self._waking)
        if name == "error":
            self._spawn(self._desk.notify(_notice(data["error"])))
        if name in ("listening", "speaking"):
            self._spawn(self._escape.on())
        elif name in ("waiting", "error", *_SILENT):  # not one key longer than it is needed
            self._spawn(self._escape.off())

    def _spawn(self, work: Awaitable[Any]) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task


class Escape:
    """The Esc key, ours alone from the beginning of a talk to its end, and everybody's again then.

    Where no keys can be heard, or another program has Esc, the hotkey and `nestor talk cancel` stop it.
    """

    def __init__(
        self,
        pressed: Callable[[], Awaitable[None]],
        made: Callable[[], Hotkeys | None] = lambda: None if wayland() else backend(),
    ) -> None:
        self._pressed, self._made = pressed, made
        self._hotkeys: Hotkeys | None = None
        self._one = asyncio.Lock()
        self._wanted = False

    async def on(self) -> None:
        """Hear it from now on."""
        self._wanted = True
        async with self._one:
            if self._hotkeys is not None or not self._wanted:
                return
            with contextlib.suppress(DesktopError):
                hotkeys = self._made()
                if hotkeys is None:
                    return
                loop = asyncio.get_running_loop()

                def hear(press: Press) -> None:
                    if press.down:
                        loop.call_soon_threadsafe(self._press)

                await hotkeys.start(_ESCAPE, hear)
                self._hotkeys = hotkeys

    async def off(self) -> None:
        """Let it go."""
        self._wanted = False
        async with self._one:
            hotkeys, self._hotkeys = self._hotkeys, None
            if hotkeys is not None:
                await hotkeys.stop()

    def _press(self) -> None:
        self._pressing = asyncio.ensure_future(self._pressed())


def _notice(error: dict[str, Any]) -> Notice:
    return Notice("voice", error["message"], error.get("hint", ""), shown="error")
