"""What is selected in the window underneath, and which window that is, on X11.

The text is another program's: whoever gets it treats it as data. It is read when the user asks, never by
itself, and never while the screen is locked, from a password manager, or from a field that hides its text.
X11 marks no field as a password's. What can be known: GTK and Qt select nothing there, Tk selects the
dots that it shows, and a selection that belongs to another program than the active one is an old one.
"""

from __future__ import annotations

import select
import time
from typing import Any

import msgspec

from assistant.errors import ExtraMissing, NoDisplay, Refused

WAIT_S = 1.0
"""For the program that owns a selection."""
MOST_BYTES = 4 << 20
_PIECE = 50_000
"""Units of four bytes, in one answer of the server."""
_MANAGERS = frozenset(
    "keepassxc keepass keepass2 bitwarden 1password enpass dashlane lastpass seahorse gnome-keyring"  # noqa: SIM905
    " kwalletmanager kwalletmanager5 pinentry pinentry-gtk-2 pinentry-qt gcr-prompter"
    " polkit-gnome-authentication-agent-1 proton-pass passwordsafe buttercup".split()
)
_DOTS = frozenset("*•●∙⬤◦·")


class Window(msgspec.Struct, frozen=True):
    """A window of another program."""

    id: int
    title: str
    app: str
    """The second part of WM_CLASS, lower case: `mousepad`, `firefox`."""


class Selection(msgspec.Struct, frozen=True):
    """What is selected."""

    text: str
    window: Window


def connect(name: str | None = None) -> Any:
    """A connection to the X server. Raises NoDisplay, or ExtraMissing without python-xlib."""
    try:
        from Xlib.display import Display
    except ImportError as exc:
        raise ExtraMissing("python-xlib is not installed.") from exc
    try:
        return Display(name)
    except Exception as exc:
        raise NoDisplay(
            "There is no X display to read from.", "On Wayland use `nestor write` with a pipe."
        ) from exc


def active(display: Any) -> Window:
    """The window that has the focus. Raises Refused where there is none."""
    found = _property(display, display.screen().root, "_NET_ACTIVE_WINDOW")
    number = int(found.value[0]) if found is not None and len(found.value) else 0
    if not number:
        raise Refused("No window is active.", "Click into the window first.")
    return window(display, number)


def window(display: Any, number: int) -> Window:
    """What a window says of itself. Raises Refused if it is gone."""
    from Xlib.error import XError

    try:
        one = display.create_resource_object("window", number)
        named = _property(display, one, "_NET_WM_NAME")
        title = named.value if named is not None else (one.get_wm_name() or "")
        classes = one.get_wm_class() or ("", "")
    except XError as exc:
        raise Refused("That window is gone.", "Click into the window again.") from exc
    text = title.decode("utf-8", "replace") if isinstance(title, bytes) else str(title)
    return Window(number, text, classes[1].lower())


def check(display: Any, one: Window) -> None:
    """Raise Refused where nothing is read and nothing is written: locked, or a password manager."""
    if locked(display):
        raise Refused("The screen is locked.", "Unlock it first.")
    if one.app in _MANAGERS:
        raise Refused("This window holds passwords.", "Nestor neither reads nor writes there.")


def locked(display: Any) -> bool:
    """Whether the screen saver is on, as far as the server knows."""
    from Xlib.error import XError

    if not display.has_extension("MIT-SCREEN-SAVER"):
        return False
    try:
        return bool(display.screen().root.screensaver_query_info().state == 1)
    except XError:
        return False


def selected(display: Any) -> Selection:
    """The selection of the active window; its text may be empty. Raises Refused."""
    here = active(display)
    check(display, here)
    owner = display.get_selection_owner(display.get_atom("PRIMARY"))
    if not owner or not _same_program(display, owner.id, here.id):
        return Selection("", here)
    found = read(display, "PRIMARY", "UTF8_STRING") or b""
    text = found.decode("utf-8", "replace")
    if text.strip() and set(text) <= _DOTS:
        raise Refused("This field hides its text.", "Nestor does not read passwords.")
    return Selection(text, here)


def read(display: Any, name: str, target: str) -> bytes | None:
    """What the owner of a selection gives as `target`; None if nothing. Large ones come in pieces (INCR)."""
    from Xlib import X

    place = display.screen().root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
    place.change_attributes(event_mask=X.PropertyChangeMask)
    atom, ours = display.get_atom(name), display.get_atom("NESTOR_SELECTION")
    try:
        place.convert_selection(atom, display.get_atom(target), ours, X.CurrentTime)
        told = _await(display, lambda e: e.type == X.SelectionNotify and e.requestor.id == place.id)
        if told is None or told.property == X.NONE:
            return None
        kind, content = _taken(display, place, ours)
        if kind != display.get_atom("INCR"):
            return content
        whole = b""
        while _await(display, lambda e: _came(e, place, ours)):
            _, piece = _taken(display, place, ours)
            if not piece or len(whole) > MOST_BYTES:
                break
            whole += piece
        return whole
    finally:
        place.destroy()
        display.flush()


def _taken(display: Any, place: Any, name: int) -> tuple[int, bytes]:
    """A property's type and bytes, and it is deleted: so the owner knows that it may send more."""
    from Xlib import X

    content, at = b"", 0
    while True:
        found = place.get_property(name, X.AnyPropertyType, at, _PIECE)
        if found is None:
            return 0, content
        kind, value = found.property_type, found.value
        content += value if isinstance(value, bytes) else value.tobytes()
        if not found.bytes_after or len(content) > MOST_BYTES:
            break
        at += _PIECE
    place.delete_property(name)
    display.flush()
    return kind, content


def _await(display: Any, wanted: Any) -> Any:
    """The next event that is wanted; others are dropped. None after WAIT_S."""
    end = time.monotonic() + WAIT_S
    while True:
        while display.pending_events():
            event = display.next_event()
            if wanted(event):
                return event
        left = end - time.monotonic()
        if left <= 0 or not select.select([display.fileno()], [], [], left)[0]:
            return None


def _came(event: Any, place: Any, name: int) -> bool:
    from Xlib import X

    mine = event.type == X.PropertyNotify and event.window.id == place.id
    return bool(mine and event.atom == name and event.state == X.PropertyNewValue)


def _property(display: Any, one: Any, name: str) -> Any:
    from Xlib import X

    return one.get_full_property(display.get_atom(name), X.AnyPropertyType)


def _same_program(display: Any, one: int, other: int) -> bool:
    """Whether two ids were given out to one connection (X protocol, resource-id-mask)."""
    mask = display.display.info.resource_id_mask
    return bool(one & ~mask == other & ~mask)
