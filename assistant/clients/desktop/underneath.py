"""Where the user is: the window that is active, and the screen it is on."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from assistant.errors import AssistantError


class Area(msgspec.Struct, frozen=True):
    """A screen's place, in pixels."""

    x: int
    y: int
    width: int
    height: int

    def has(self, x: int, y: int) -> bool:
        """Whether a point is on it."""
        return self.x <= x < self.x + self.width and self.y <= y < self.y + self.height


class Place(msgspec.Struct, frozen=True):
    """Where a window of ours is to open, and what is underneath. `window` 0: not known."""

    area: Area
    window: int = 0


def choose(areas: Sequence[Area], points: Sequence[tuple[int, int]]) -> Area:
    """The screen with the first of the points that is on any; else the first screen."""
    for x, y in points:
        for area in areas:
            if area.has(x, y):
                return area
    return areas[0]


class Underneath:
    """Looks; keeps its connection to the X server, so that a look takes a millisecond or two."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._display: Any = None
        if sys.platform not in ("win32", "darwin"):
            from assistant.clients.desktop.selection import connect

            with contextlib.suppress(AssistantError):  # no python-xlib, or no X: the whole screen
                self._display = connect()

    def look(self) -> Place:
        """Where the user is now. Called in Tk's thread, before a window of ours takes the focus."""
        whole = Area(0, 0, self._root.winfo_screenwidth(), self._root.winfo_screenheight())
        pointer = (self._root.winfo_pointerx(), self._root.winfo_pointery())
        if sys.platform == "win32":
            return _windows() or Place(whole)
        if self._display is None:
            return Place(whole)
        try:
            window, middle = self._active()
            points = [middle, pointer] if middle else [pointer]
            return Place(choose(self._areas() or [whole], points), window)
        except Exception:  # noqa: BLE001 - a window that just closed, a server without RandR
            return Place(whole)

    def _active(self) -> tuple[int, tuple[int, int] | None]:
        """The active window and its middle."""
        from Xlib import X

        display = self._display
        root = display.screen().root
        found = root.get_full_property(display.get_atom("_NET_ACTIVE_WINDOW"), X.AnyPropertyType)
        number = int(found.value[0]) if found is not None and len(found.value) else 0
        if not number:
            return 0, None
        size = display.create_resource_object("window", number).get_geometry()
        corner = root.translate_coords(number, 0, 0)
        return number, (abs(corner.x) + size.width // 2, abs(corner.y) + size.height // 2)

    def _areas(self) -> list[Area]:
        if not self._display.has_extension("RANDR"):
            return []
        told = self._display.screen().root.xrandr_get_monitors(True)
        return [
            Area(one.x, one.y, one.width_in_pixels, one.height_in_pixels) for one in told.monitors
        ]


def _windows() -> Place | None:
    """The same on Windows. Not run on one yet."""
    if sys.platform != "win32":
        return None
    import ctypes
    from ctypes import wintypes

    class Info(ctypes.Structure):
        _fields_ = (
            ("size", wintypes.DWORD), ("whole", wintypes.RECT), ("work", wintypes.RECT),
            ("flags", wintypes.DWORD),
        )  # fmt: skip

    user32 = ctypes.windll.user32
    window = user32.GetForegroundWindow()
    told = Info(size=ctypes.sizeof(Info))
    if not user32.GetMonitorInfoW(user32.MonitorFromWindow(window, 1), ctypes.byref(told)):
        return None
    work = told.work
    area = Area(work.left, work.top, work.right - work.left, work.bottom - work.top)
    return Place(area, int(window or 0))
