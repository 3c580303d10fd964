"""The icon on Linux: a StatusNotifierItem on the session bus, for KDE, XFCE, GNOME's extension and waybar.

https://www.freedesktop.org/wiki/Specifications/StatusNotifierItem/
Registered by its path: with a name of its own, GNOME's extension dropped it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assistant.clients.desktop import icons
from assistant.clients.desktop.bus import Bus, Method
from assistant.clients.desktop.dbus_menu import PATH as MENU_PATH
from assistant.clients.desktop.dbus_menu import DbusMenu
from assistant.clients.desktop.menu import Entry
from assistant.clients.desktop.status import Shown
from assistant.clients.desktop.tray import DEFAULT, Clicked
from assistant.errors import DesktopError

PATH = "/StatusNotifierItem"
INTERFACE = "org.kde.StatusNotifierItem"
WATCHER = "org.kde.StatusNotifierWatcher"
_WATCHER_PATH = "/StatusNotifierWatcher"


async def hosted(bus: Bus) -> bool:
    """Whether there is a tray to show an icon in. Raises DesktopError if one does not answer."""
    if not await bus.owner(WATCHER):
        return False
    name = "IsStatusNotifierHostRegistered"
    return bool(await bus.property(WATCHER, _WATCHER_PATH, WATCHER, name))


class StatusNotifier:
    """See `tray.Tray`. It comes back by itself when the panel is started anew, or late."""

    interface = INTERFACE

    def __init__(
        self,
        bus: Bus,
        clicked: Clicked,
        hosted: Callable[[bool], None],
        opening: Callable[[], None] = lambda: None,
    ) -> None:
        self._bus, self._clicked, self._hosted = bus, clicked, hosted
        self._menu = DbusMenu(bus, clicked, opening)
        self._shown: Shown = "offline"
        self._sentence = "Nestor"
        self._visible: bool | None = None
        self._work: set[asyncio.Task[None]] = set()

    @property
    def visible(self) -> bool:
        """See `Tray`."""
        return bool(self._visible)

    async def start(self) -> None:
        """See `Tray`."""
        self._bus.serve(PATH, self)
        self._menu.start()
        await self._bus.watch(WATCHER, lambda owner: self._spawn(owner))
        for member in ("StatusNotifierHostRegistered", "StatusNotifierHostUnregistered"):
            await self._bus.listen(WATCHER, member, lambda _body: self._spawn(WATCHER))
        await self._register(await self._bus.owner(WATCHER))

    def show(self, shown: Shown, sentence: str, entries: Sequence[Entry]) -> None:
        """See `Tray`."""
        self._menu.set(entries)
        if (shown, sentence) == (self._shown, self._sentence):
            return
        self._shown, self._sentence = shown, sentence
        for member in ("NewIcon", "NewToolTip", "NewTitle"):
            self._bus.emit(PATH, INTERFACE, member)

    async def stop(self) -> None:
        """See `Tray`. The icon goes with the connection, which is not ours to close."""
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    def _spawn(self, owner: str) -> None:
        task = asyncio.get_running_loop().create_task(self._register(owner))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _register(self, owner: str) -> None:
        """With the watcher that there is now; whether somebody shows what is registered there."""
        seen = False
        if owner:
            try:
                await self._bus.call(
                    WATCHER, _WATCHER_PATH, WATCHER, "RegisterStatusNotifierItem", "s", [PATH]
                )
                seen = await hosted(self._bus)
            except DesktopError:
                seen = False  # it went as it came; if it comes again, so do we
        if seen != self._visible:
            self._visible = bool(seen)
            self._hosted(self._visible)

    # --- as panels see it ----------------------------------------------------------------

    def properties(self) -> dict[str, tuple[str, Any]]:
        """See `Face`."""
        pictures = [[size, size, icons.argb(self._shown, size)] for size in icons.SIZES]
        return {
            "Category": ("s", "ApplicationStatus"), "Id": ("s", "nestor"), "Title": ("s", self._sentence),
            "Status": ("s", "Active"), "WindowId": ("i", 0), "IconName": ("s", ""),
            "IconPixmap": ("a(iiay)", pictures), "OverlayIconName": ("s", ""),
            "OverlayIconPixmap": ("a(iiay)", []), "AttentionIconName": ("s", ""),
            "AttentionIconPixmap": ("a(iiay)", []), "AttentionMovieName": ("s", ""),
            "ToolTip": ("(sa(iiay)ss)", ["", [], self._sentence, ""]), "ItemIsMenu": ("b", False),
            "Menu": ("o", MENU_PATH), "IconThemePath": ("s", ""),
        }  # fmt: skip

    def methods(self) -> Mapping[str, tuple[str, Method]]:
        """See `Face`."""
        return {
            "Activate": ("", self._activate),
            "SecondaryActivate": ("", self._activate),
            "ContextMenu": ("", lambda _x, _y: []),
            "Scroll": ("", lambda _delta, _direction: []),
        }

    def _activate(self, _x: int, _y: int) -> list[Any]:
        self._clicked(DEFAULT)
        return []
