"""The icon on Windows and macOS, by pystray (LGPL). Its menu is read anew each time it is opened.

Not run on either by us: the code is tested against pystray's own classes, without a screen.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Sequence
from typing import Any

from assistant.clients.desktop import icons
from assistant.clients.desktop.menu import Entry
from assistant.clients.desktop.status import Shown
from assistant.clients.desktop.tray import DEFAULT, Clicked
from assistant.errors import ExtraMissing

SIZE = 64


class PystrayTray:
    """See `tray.Tray`. pystray draws in a thread of its own; clicks are brought back to the event loop."""

    def __init__(
        self, clicked: Clicked, hosted: Callable[[bool], None], pystray: Any = None
    ) -> None:
        self._clicked, self._hosted = clicked, hosted
        self._pystray = pystray or _load()
        self._icon: Any = None
        self._entries: tuple[Entry, ...] = ()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def visible(self) -> bool:
        """See `Tray`."""
        return bool(self._icon is not None)

    async def start(self) -> None:
        """See `Tray`."""
        self._loop = asyncio.get_running_loop()
        item, menu = self._pystray.MenuItem, self._pystray.Menu
        first = item(DEFAULT.label, lambda *_: self._click(DEFAULT), default=True, visible=False)
        drawn = menu(lambda: (first, *self._items(self._entries)))
        self._icon = self._pystray.Icon("nestor", _picture("offline"), "Nestor", drawn)
        self._icon.run_detached()
        self._hosted(True)

    def show(self, shown: Shown, sentence: str, entries: Sequence[Entry]) -> None:
        """See `Tray`."""
        self._entries = tuple(entries)
        if self._icon is not None:
            self._icon.icon, self._icon.title = _picture(shown), sentence
            self._icon.update_menu()

    async def stop(self) -> None:
        """See `Tray`."""
        icon, self._icon = self._icon, None
        if icon is not None:
            icon.stop()

    def _items(self, entries: Sequence[Entry]) -> list[Any]:
        return [self._item(one) for one in entries]

    def _item(self, entry: Entry) -> Any:
        menu, item = self._pystray.Menu, self._pystray.MenuItem
        if entry.kind == "separator":
            return menu.SEPARATOR
        if entry.children:
            return item(entry.label, menu(*self._items(entry.children)), enabled=entry.enabled)
        checked = None if entry.checked is None else lambda _item: bool(entry.checked)
        return item(
            entry.label, lambda *_: self._click(entry), checked=checked, enabled=entry.enabled
        )

    def _click(self, entry: Entry) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._clicked, entry)


def _picture(shown: Shown) -> Any:
    from PIL import Image

    return Image.open(io.BytesIO(icons.png(shown, SIZE)))


def _load() -> Any:
    try:
        import pystray
    except ImportError as exc:
        raise ExtraMissing("pystray is not installed, so there is no icon.") from exc
    return pystray
