"""An icon in the desktop's tray, whatever desktop it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from assistant.clients.desktop.bus import Bus
from assistant.clients.desktop.menu import Entry
from assistant.clients.desktop.status import Shown

Clicked = Callable[[Entry], None]
"""Gets the menu's entry, or for a click on the icon itself `DEFAULT`. On the event loop."""

DEFAULT = Entry(label="Chat", action="ask")

NO_HOST = (
    "This desktop shows no icons of programs. On GNOME install the extension AppIndicator. Without it"
    " everything else works: your hotkey, `nestor ask`, and the page with `nestor open`."
)


NEEDS_NO_BUS = sys.platform in ("win32", "darwin")


class Tray(Protocol):
    """One icon with its menu."""

    async def start(self) -> None:
        """Appear, as soon as there is a tray. Raises ExtraMissing, DesktopError."""
        ...

    def show(self, shown: Shown, sentence: str, entries: Sequence[Entry]) -> None:
        """This is the state now, in words too, and this the menu."""
        ...

    @property
    def visible(self) -> bool:
        """Whether a tray has the icon now."""
        ...

    async def stop(self) -> None:
        """Vanish."""
        ...


def make(
    bus: Bus | None,
    clicked: Clicked,
    hosted: Callable[[bool], None],
    opening: Callable[[], None],
) -> Tray:
    """The one for this system. `hosted` hears whether a tray shows it, at first and when that changes;
    `opening` when the menu is about to be seen.

    Raises ExtraMissing. Linux needs a bus.
    """
    if NEEDS_NO_BUS:
        from assistant.clients.desktop.pystray_tray import PystrayTray

        return PystrayTray(clicked, hosted)
    from assistant.clients.desktop.status_notifier import StatusNotifier

    assert bus is not None
    return StatusNotifier(bus, clicked, hosted, opening)
