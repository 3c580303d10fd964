"""Hotkeys by pynput: X11, Windows and macOS. Under Wayland it sees only X11 programs' keys; see the portal.

`keyboard.Listener`, not `GlobalHotKeys`: that one never reports a release. Every key passes through here;
nothing of it is kept but which keys of a hotkey are held now.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from assistant.clients.desktop.hotkeys import Combination, Hear, Heard, Tracker
from assistant.clients.desktop.key_grab import Grab
from assistant.errors import ExtraMissing, HotkeysUnavailable, NoDisplay

END_S = 2.0

_NAMES = {
    "ctrl_l": "ctrl", "ctrl_r": "ctrl", "alt_l": "alt", "alt_r": "alt", "shift_l": "shift",
    "shift_r": "shift", "cmd": "super", "cmd_l": "super", "cmd_r": "super",
}  # fmt: skip


class PynputHotkeys:
    """See the module. `lost` is called, from a thread, if listening ends by itself."""

    def __init__(
        self,
        lost: Callable[[], None] = lambda: None,
        platform: str = sys.platform,
        keyboard: Any = None,
    ) -> None:
        self._lost = lost
        self._platform = platform
        self._keyboard = keyboard
        self._tracker: Tracker | None = None
        self._listener: Any = None
        self._grab: Grab | None = None
        self.name = "pynput (X11)" if self._x11 else f"pynput ({platform})"

    async def start(self, wanted: Mapping[str, Combination], hear: Hear) -> dict[str, str]:
        """See `Hotkeys.start`."""
        return await asyncio.to_thread(self._start, wanted, hear)

    async def stop(self) -> None:
        """See `Hotkeys.stop`."""
        await asyncio.to_thread(self._stop)

    def last_event(self) -> Heard | None:
        """See `Hotkeys.last_event`."""
        return self._tracker.last if self._tracker else None

    @property
    def _x11(self) -> bool:
        return self._platform not in ("win32", "darwin")

    def _start(self, wanted: Mapping[str, Combination], hear: Hear) -> dict[str, str]:
        keyboard = self._keyboard or library(self._platform)
        if self._x11:
            self._grab = Grab(wanted)
        refused = dict(self._grab.refused) if self._grab else {}
        heard = {action: one for action, one in wanted.items() if action not in refused}
        self._tracker = tracker = Tracker(heard, hear)
        self._listener = listener = keyboard.Listener(
            on_press=lambda key: tracker.down(self._name(key)),
            on_release=lambda key: tracker.up(self._name(key)),
        )
        listener.daemon = True
        listener.start()
        listener.wait()
        if self._platform == "darwin" and not listener.IS_TRUSTED:
            self._stop()
            raise HotkeysUnavailable(
                "macOS does not let this program see hotkeys.",
                "System Settings, Privacy & Security: allow it under Accessibility and under Input"
                " Monitoring, then start it again.",
            )
        threading.Thread(target=self._watch, args=(listener,), daemon=True).start()
        return refused

    def _stop(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()
            if self._x11:
                _nudge(listener)
            with contextlib.suppress(Exception):  # how it ended does not matter
                listener.join(END_S)
        if self._tracker is not None:
            self._tracker.let_go()
        if self._grab is not None:
            self._grab.close()
            self._grab = None

    def _watch(self, listener: Any) -> None:
        with contextlib.suppress(Exception):  # how it ended does not matter
            listener.join()
        if self._listener is listener:
            if self._tracker is not None:
                self._tracker.let_go()
            self._lost()

    def _name(self, key: Any) -> str:
        """A key as hotkeys.py names it; one we have no name for is its own text."""
        if key is None:
            return ""
        if (known := getattr(key, "name", None)) is not None:
            return _NAMES.get(known, str(known))
        if self._platform == "win32" and key.vk and 0x30 <= key.vk <= 0x5A:
            return chr(key.vk).lower()  # virtual-key codes of digits and letters, whatever is held
        char = key.char or ""
        keysym = key.vk or (ord(char) if len(char) == 1 and ord(char) < 256 else 0)
        if self._grab is not None and keysym and (found := self._grab.key_of(keysym)):
            return found  # with Shift held, `1` is `!`
        return str(char or key).lower()


def _nudge(listener: Any) -> None:
    """End its wait for events. pynput says so on the connection that waits, which then sends nothing
    until the next key.
    """
    with contextlib.suppress(Exception):  # it has ended, or a later pynput needs no nudge
        listener._display_stop.record_disable_context(listener._context)
        listener._display_stop.flush()


def library(platform: str = sys.platform) -> Any:
    """pynput.keyboard. Raises ExtraMissing, or NoDisplay: it connects while it is imported."""
    needed = ("pynput",) if platform in ("win32", "darwin") else ("pynput", "Xlib")
    for name in needed:
        if importlib.util.find_spec(name) is None:
            raise ExtraMissing(f"{name} is not installed, so there are no hotkeys.")
    try:
        from pynput import keyboard
    except Exception as exc:
        if platform in ("win32", "darwin"):
            raise HotkeysUnavailable("pynput could not be loaded.") from exc
        raise NoDisplay("There is no X display to hear keys from.") from exc
    return keyboard
