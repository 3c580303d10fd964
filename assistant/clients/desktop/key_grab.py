"""Keys that are ours on X11: no other program can take them, and none gets to see them.

Grabbing shows conflicts, which listening alone (pynput, by the RECORD extension) does not: the server
refuses a combination that another program, or the desktop itself, has.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import threading
from collections.abc import Mapping
from typing import Any

from assistant.clients.desktop.hotkeys import Combination
from assistant.clients.desktop.selection import connect

TAKEN = "Another program, or the desktop itself, has this hotkey."
MISSING = "This keyboard has no such key."

_KEYSYMS = {
    "enter": "Return", "esc": "Escape", "backspace": "BackSpace", "page_up": "Prior",
    "page_down": "Next", "print_screen": "Print", "scroll_lock": "Scroll_Lock", "menu": "Menu",
    "tab": "Tab", "space": "space", "delete": "Delete", "insert": "Insert", "home": "Home",
    "end": "End", "up": "Up", "down": "Down", "left": "Left", "right": "Right", "pause": "Pause",
    "media_play_pause": "XF86_AudioPlay", "media_next": "XF86_AudioNext",
    "media_previous": "XF86_AudioPrev",
}  # fmt: skip
_MASKS = {"shift": 1, "ctrl": 4, "alt": 8, "super": 64}
"""ShiftMask, ControlMask, and where every current layout has Alt (Mod1) and Super (Mod4)."""
_LOCKS = (2, 16)
"""Caps Lock and Num Lock (Mod2): on or off, a hotkey is the same."""


class Grab:
    """A connection of its own that holds the keys. Raises NoDisplay or ExtraMissing."""

    def __init__(self, wanted: Mapping[str, Combination], display_name: str | None = None) -> None:
        self._display = connect(display_name)
        self.refused: dict[str, str] = {}
        """Actions whose key could not be had, with the reason."""
        self._codes: dict[int, str] = {}
        for action, one in wanted.items():
            if reason := self._take(one):
                self.refused[action] = reason
        self._wake, self._woken = os.pipe()
        self._thread = threading.Thread(target=self._drain, name="hotkey-grab", daemon=True)
        self._thread.start()

    def key_of(self, keysym: int) -> str | None:
        """The grabbed key that makes this keysym, with Shift or without; None if it is not grabbed."""
        code = self._display.keysym_to_keycode(keysym)
        return self._codes.get(code) if code else None

    def close(self) -> None:
        """Let go of all keys."""
        os.write(self._woken, b".")
        self._thread.join(2)
        for end in (self._wake, self._woken):
            os.close(end)

    def _take(self, one: Combination) -> str:
        from Xlib import X
        from Xlib.error import BadAccess, CatchError

        code = self._code(one.key)
        if not code:
            return MISSING
        root = self._display.screen().root
        held = sum(_MASKS[name] for name in one.modifiers)
        failed = CatchError(BadAccess)
        for size in range(len(_LOCKS) + 1):
            for locks in itertools.combinations(_LOCKS, size):
                mask = held | sum(locks)
                mode = X.GrabModeAsync
                root.grab_key(code, mask, False, mode, mode, onerror=failed)
        self._display.sync()
        if failed.get_error():
            root.ungrab_key(code, X.AnyModifier)
            self._display.sync()
            return TAKEN
        self._codes[code] = one.key
        return ""

    def _code(self, key: str) -> int:
        from Xlib import XK

        XK.load_keysym_group("xf86")
        name = _KEYSYMS.get(key, key.upper() if len(key) > 1 else key)
        keysym = XK.string_to_keysym(name) or (ord(key) if len(key) == 1 else 0)
        return int(self._display.keysym_to_keycode(keysym)) if keysym else 0

    def _drain(self) -> None:
        """The grabbed events themselves are not used, only taken off the line."""
        with contextlib.suppress(Exception):  # the display is gone
            while True:
                ready, _, _ = select.select([self._display.fileno(), self._wake], [], [])
                if self._wake in ready:
                    break
                while self._display.pending_events():
                    event: Any = self._display.next_event()
                    del event
        with contextlib.suppress(Exception):
            self._display.close()
