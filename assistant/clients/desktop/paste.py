"""Puts a text into another program's window by its clipboard and its own paste, and the clipboard back.

Typing key by key gets letters wrong (pynput issue 642); a paste is exact, and one undo takes it back. What
was in the clipboard is read before in every form its owner offers, pictures too, and offered again after.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Mapping
from typing import Any

from assistant.clients.desktop import selection
from assistant.errors import AssistantError, Refused

FETCHED_S = 3.0
"""A slow program may take so long to fetch the text."""
SETTLE_S = 0.4
"""After it was fetched, before the clipboard is what it was."""
FOCUS_S = 1.0
COPIED_S = 1.5
"""For a program to copy what is selected in it."""
_PIECE = 200_000
_MARKS = frozenset(
    {"TARGETS", "MULTIPLE", "TIMESTAMP", "SAVE_TARGETS", "DELETE", "INSERT_SELECTION"}
)
_TEXT = ("UTF8_STRING", "text/plain;charset=utf-8", "text/plain", "STRING", "TEXT")
TERMINALS = frozenset(
    "xterm uxterm gnome-terminal gnome-terminal-server konsole xfce4-terminal alacritty kitty terminator"  # noqa: SIM905
    " tilix lxterminal mate-terminal urxvt org.wezfurlong.wezterm st-256color".split()
)

_MARK = "application/x-nestor-mark"

Content = Mapping[str, bytes]
"""A clipboard's bytes by the name of their form (X11 target)."""


def insert(text: str, window_id: int, display_name: str | None = None) -> None:
    """Paste `text` into a window; returns when it is there and the clipboard is what it was.

    Raises Refused where nothing is written: locked, a password manager, the window is gone or does not
    take the focus, or it does not fetch the text.
    """
    _into(window_id, text, None, display_name)


def replace(old: str, new: str, window_id: int, display_name: str | None = None) -> None:
    """The same in place of `old`, which has to be selected there still.

    The window is asked to copy first. What it gives is compared with `old`: a field that hides its text
    copies nothing, and whatever else has been selected or clicked since then is left alone. Raises Refused.
    """
    _into(window_id, new, old, display_name)


def _into(window_id: int, text: str, instead_of: str | None, display_name: str | None) -> None:
    display = selection.connect(display_name)
    try:
        there = selection.window(display, window_id)
        selection.check(display, there)
        if instead_of is not None and there.app in TERMINALS:
            raise Refused("What a terminal shows cannot be replaced.", "Copy the new text instead.")
        _focus(display, window_id)
        before = saved(display)
        try:
            if instead_of is not None:
                _check_selected(display, instead_of, display_name)
            fetched = _paste(display, text, there.app in TERMINALS, display_name)
        finally:
            clipboard = Clipboard(display_name)
            clipboard.offer(before)
            _KEPT.keep(clipboard)
        if not fetched:
            raise Refused("The window did not take the text.", "Copy it from the preview instead.")
    finally:
        display.close()


def _paste(display: Any, text: str, terminal: bool, display_name: str | None) -> bool:
    """Whether the window has fetched the text."""
    clipboard = Clipboard(display_name)
    clipboard.offer({name: text.encode() for name in _TEXT})
    press(display, ("Control_L", "Shift_L", "v") if terminal else ("Control_L", "v"))
    fetched = clipboard.wait_fetched(FETCHED_S)
    time.sleep(SETTLE_S)
    return fetched


def _check_selected(display: Any, text: str, display_name: str | None) -> None:
    """Raise Refused unless the window copies just this when it is asked to."""
    mark = Clipboard(display_name)
    mark.offer({_MARK: b"1"})  # so that a copy is seen, and an old one not taken for it
    press(display, ("Control_L", "c"))
    copied = b""
    if mark.wait_lost(COPIED_S):
        copied = selection.read(display, "CLIPBOARD", "UTF8_STRING") or b""
    if _lines(copied.decode("utf-8", "replace")) != _lines(text):
        raise Refused(
            "The text is no longer selected there.",
            "Nothing was changed. Copy the new text instead.",
        )


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n")


def saved(display: Any) -> dict[str, bytes]:
    """What is in the clipboard, in each form that its owner offers."""
    raw = selection.read(display, "CLIPBOARD", "TARGETS") or b""
    numbers = [int.from_bytes(raw[at : at + 4], "little") for at in range(0, len(raw), 4)]
    names = [display.get_atom_name(number) for number in numbers if number]
    content = {}
    for name in dict.fromkeys(names):
        if name not in _MARKS and (found := selection.read(display, "CLIPBOARD", name)) is not None:
            content[name] = found
    return content


class Clipboard:
    """Owns the clipboard from a thread and a connection of its own, until another program takes it."""

    def __init__(self, display_name: str | None = None) -> None:
        self._display = selection.connect(display_name)
        self._atom = self._display.get_atom("CLIPBOARD")
        self._window = self._display.screen().root.create_window(0, 0, 1, 1, 0, 0)
        self._content: Content = {}
        self._fetched = threading.Event()
        self._changed = threading.Event()
        self._lost = threading.Event()
        self._wanted: Content | None = None
        self._closed = False
        self._woken, self._wake = os.pipe()
        self._ends = threading.Lock()
        """Held while the pipe is written or closed: its number may be another file's afterwards."""
        self._gone = False
        threading.Thread(target=self._serve, name="clipboard", daemon=True).start()

    def offer(self, content: Content) -> None:
        """Be what the clipboard has, from now on; nothing: it is empty. Returns when that is so."""
        self._fetched.clear()
        self._changed.clear()
        self._wanted = content
        self._stir()
        self._changed.wait(FOCUS_S)

    def wait_fetched(self, seconds: float) -> bool:
        """Whether somebody has fetched it."""
        return self._fetched.wait(seconds)

    def wait_lost(self, seconds: float) -> bool:
        """Whether another program has taken the clipboard."""
        return self._lost.wait(seconds)

    def close(self) -> None:
        """Own nothing any more."""
        self._closed = True
        self._stir()

    def _stir(self) -> None:
        """Nobody looks every few milliseconds: what is restored may stand there for days."""
        with self._ends:
            if not self._gone:
                os.write(self._wake, b".")

    def _serve(self) -> None:
        try:
            while not self._closed:
                self._take()
                if not self._closed and not self._display.pending_events():
                    ready, _, _ = select.select([self._display.fileno(), self._woken], [], [])
                    if self._woken in ready:
                        os.read(self._woken, 64)
                while self._display.pending_events():
                    self._answer(self._display.next_event())
        except Exception:  # noqa: BLE001 - the display is gone, and the clipboard with it
            self._closed = True
        with contextlib.suppress(Exception):
            self._display.close()
        with self._ends:
            self._gone = True
            for end in (self._woken, self._wake):
                os.close(end)

    def _take(self) -> None:
        from Xlib import X

        if self._wanted is None:
            return
        self._content, self._wanted = self._wanted, None
        if self._content:
            self._window.set_selection_owner(self._atom, X.CurrentTime)
            self._display.sync()
        else:  # nobody owns it once the connection is closed
            self._closed = True
        self._changed.set()

    def _answer(self, event: Any) -> None:
        from Xlib import X
        from Xlib.protocol.event import SelectionNotify

        if event.type == X.SelectionClear:
            self._content = {}
            self._closed = True
            self._lost.set()
        if event.type != X.SelectionRequest:
            return
        place = event.property or event.target
        told = place if self._put(event.requestor, place, event.target) else X.NONE
        notice = SelectionNotify(
            time=event.time, requestor=event.requestor, selection=event.selection,
            target=event.target, property=told,
        )  # fmt: skip
        event.requestor.send_event(notice)
        self._display.flush()

    def _put(self, requestor: Any, place: int, target: int) -> bool:
        from Xlib import X, Xatom

        name = self._display.get_atom_name(target)
        if name == "TARGETS":
            atoms = [self._display.get_atom(one) for one in ("TARGETS", *self._content)]
            requestor.change_property(place, Xatom.ATOM, 32, atoms)
            return True
        if name not in self._content:
            return False
        data, mode = self._content[name], X.PropModeReplace
        for at in range(0, max(len(data), 1), _PIECE):
            requestor.change_property(place, target, 8, data[at : at + _PIECE], mode)
            mode = X.PropModeAppend
        self._fetched.set()
        return True


class _Kept:
    """The one clipboard that is ours: what was restored is there as long as this process, or until a copy."""

    def __init__(self) -> None:
        self._clipboard: Clipboard | None = None

    def keep(self, clipboard: Clipboard) -> None:
        if self._clipboard is not None:
            self._clipboard.close()
        self._clipboard = clipboard


_KEPT = _Kept()


def _focus(display: Any, window_id: int) -> None:
    """Give a window the focus, as a taskbar does. Raises Refused if it does not get it."""
    from Xlib import X
    from Xlib.protocol.event import ClientMessage

    root = display.screen().root
    end = time.monotonic() + FOCUS_S
    asked = False
    while time.monotonic() < end:
        with contextlib.suppress(AssistantError):
            if selection.active(display).id == window_id:
                return
        if not asked:
            one = display.create_resource_object("window", window_id)
            kind = display.get_atom("_NET_ACTIVE_WINDOW")
            told = ClientMessage(
                window=one, client_type=kind, data=(32, [2, X.CurrentTime, 0, 0, 0])
            )
            root.send_event(told, X.SubstructureRedirectMask | X.SubstructureNotifyMask)
            display.flush()
            asked = True
        time.sleep(0.02)
    raise Refused("The window did not take the focus.", "Click into it and try again.")


def _release_modifiers(display: Any) -> None:
    """Let go of what the hotkey still holds down: with Ctrl+Alt held, Ctrl+V is another key."""
    from Xlib import X
    from Xlib.ext import xtest

    held = display.query_keymap()
    modifiers = {code for codes in display.get_modifier_mapping() for code in codes if code}
    for code in modifiers:
        if held[code // 8] >> code % 8 & 1:
            xtest.fake_input(display, X.KeyRelease, code)
    display.sync()


def press(display: Any, names: tuple[str, ...]) -> None:
    """Press these keys together, and nothing else: what is held down is let go before."""
    from Xlib import XK, X
    from Xlib.ext import xtest

    _release_modifiers(display)
    codes = [display.keysym_to_keycode(XK.string_to_keysym(name)) for name in names]
    for code in codes:
        xtest.fake_input(display, X.KeyPress, code)
    for code in reversed(codes):
        xtest.fake_input(display, X.KeyRelease, code)
    display.sync()
