"""Hotkeys to actions, while the program on the desktop runs: which backend, which keys, what was heard."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import msgspec

from assistant.clients.desktop.hotkeys import ACTIONS, Combination, Hotkeys, Press, chosen
from assistant.clients.desktop.proofs import Proof, Proofs
from assistant.config import Paths, Settings, load_settings
from assistant.errors import DesktopError, NoDisplay
from assistant.types import now

log = logging.getLogger("assistant.desktop")

PAUSE_S = 60.0
"""While `nestor hotkey` tries a key, ours are let go; if it never says that it is done, they come back."""
RETRY_S = 5.0
"""After the backend ended by itself."""

Run = Callable[[str], Awaitable[Any]]
"""Carries an action out, by name."""


def wanted(settings: Settings) -> dict[str, str]:
    """Each action's setting."""
    return {action: getattr(settings, f"hotkey_{action}") for action in ACTIONS}


def wayland(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a Wayland session, where only X11 programs' keys can be heard on X."""
    return bool(environ.get("WAYLAND_DISPLAY")) or environ.get("XDG_SESSION_TYPE") == "wayland"


def backend(
    lost: Callable[[], None] = lambda: None,
    environ: Mapping[str, str] = os.environ,
    platform: str = sys.platform,
) -> Hotkeys:
    """What can hear keys here. Raises NoDisplay where nothing can."""
    if platform not in ("win32", "darwin"):
        if wayland(environ):
            from assistant.clients.desktop.shortcuts_portal import PortalHotkeys

            return PortalHotkeys(lost)
        if not environ.get("DISPLAY"):
            raise NoDisplay("There is no desktop here that could hear keys.")
    from assistant.clients.desktop.key_listener import PynputHotkeys

    return PynputHotkeys(lost, platform)


def order(press: Press) -> str | None:
    """The name of the action that a press or a release asks for; None: nothing."""
    if press.action == "talk":
        return "talk.start" if press.down else "talk.stop"
    return press.action if press.down else None


class Bindings:
    """Made and used on the event loop. What cannot be heard is told by `report`, never by an exception."""

    def __init__(
        self,
        paths: Paths,
        run: Run,
        made: Callable[[Callable[[], None]], Hotkeys] = backend,
        known: Callable[[], Collection[str]] | None = None,
    ) -> None:
        """`known` has the actions that there are: no key is taken from others for one that there is not."""
        self._paths = paths
        self._run = run
        self._made = made
        self._known = known
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hotkeys: Hotkeys | None = None
        self._keys: dict[str, Combination] = {}
        self._problems: dict[str, str] = {}
        self._problem: DesktopError | None = None
        self._later: asyncio.TimerHandle | None = None
        self._running: set[Any] = set()
        self._proofs = Proofs(paths)
        self._proven: set[str] = set()
        """Actions whose keys were heard since `start`: written down once."""

    async def start(self) -> None:
        """Listen for what the settings say now. Again: anew."""
        await self.pause()
        self._loop = asyncio.get_running_loop()
        self._keys, self._problems, self._problem = {}, {}, None
        self._proven.clear()
        try:
            self._keys = self._useful(chosen(wanted(load_settings(self._paths))))
            self._hotkeys = self._made(self._lost)
            self._problems = await self._hotkeys.start(self._keys, self._heard)
        except DesktopError as exc:
            self._hotkeys, self._problem = None, exc
            log.warning("no hotkeys: %s", exc.message)
        for action, why in self._problems.items():
            log.warning("the hotkey of %s cannot be had: %s", action, why)

    def _useful(self, keys: Mapping[str, Combination]) -> dict[str, Combination]:
        known = self._known() if self._known else None
        named = {action: order(Press(action, down=True, at=0.0)) for action in keys}
        return {a: one for a, one in keys.items() if known is None or named[a] in known}

    async def pause(self, seconds: float = 0.0) -> None:
        """Let all keys go; for so long, 0 being until `start`."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        hotkeys, self._hotkeys = self._hotkeys, None
        if hotkeys is not None:
            await hotkeys.stop()
        if seconds:
            self._after(min(seconds, PAUSE_S))

    async def stop(self) -> None:
        """Let all keys go."""
        await self.pause()
        for task in list(self._running):
            task.cancel()

    def report(self) -> dict[str, Any]:
        """For `nestor doctor`: the backend, each key with what is wrong with it, the last real event."""
        last = self._hotkeys.last_event() if self._hotkeys else None
        rows = []
        for action, one in self._keys.items():
            proof = self._proofs.of(action, str(one))
            rows.append(
                {
                    "action": action,
                    "keys": str(one),
                    "problem": self._problems.get(action, ""),
                    "proven_at": proof.at if proof else None,
                }
            )
        return {
            "backend": self._hotkeys.name if self._hotkeys else None,
            "problem": self._problem.body() if self._problem else None,
            "keys": rows,
            "last_event": msgspec.to_builtins(last) if last else None,
        }

    def register(self, actions: Any) -> None:
        """Offer `hotkeys` (the report), `hotkeys.pause` and `hotkeys.resume` to a registry of actions."""
        actions.register("hotkeys", self.report)
        actions.register("hotkeys.pause", self._pause_for_setup)
        actions.register("hotkeys.resume", self.start)

    async def _pause_for_setup(self) -> None:
        await self.pause(PAUSE_S)

    # --- what is heard, in a thread of the backend ---------------------------------------

    def _heard(self, press: Press) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            with contextlib.suppress(RuntimeError):  # it ends just now
                loop.call_soon_threadsafe(self._act, press)

    def _lost(self) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._gone)

    # --- on the loop ---------------------------------------------------------------------

    def _act(self, press: Press) -> None:
        if (name := order(press)) is not None:
            self._keep(self._do(name))
        if press.down or self._hotkeys is None or press.action not in self._keys:
            return
        if press.action not in self._proven:
            self._proven.add(press.action)
            proof = Proof(str(self._keys[press.action]), self._hotkeys.name, now())
            self._keep(asyncio.to_thread(self._proofs.add, press.action, proof))

    async def _do(self, name: str) -> None:
        begun = time.monotonic()
        try:
            await self._run(name)
        except Exception as exc:  # noqa: BLE001 - a key that fails must not take the others with it
            log.warning("%s by its hotkey: %s", name, type(exc).__name__)
        log.debug("%s by its hotkey took %.0f ms", name, 1000 * (time.monotonic() - begun))

    def _gone(self) -> None:
        self._hotkeys = None
        self._problem = DesktopError("The desktop stopped telling us about keys; trying again.")
        self._after(RETRY_S)

    def _after(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._later = loop.call_later(seconds, lambda: self._keep(self.start()))

    def _keep(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
