"""Notifications with actions, and without markup: what they say may come from anybody.

https://specifications.freedesktop.org/notification-spec/latest/
"""

from __future__ import annotations

import contextlib
import html
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from assistant.clients.desktop import icons
from assistant.clients.desktop.bus import Bus
from assistant.clients.desktop.menu import plain
from assistant.clients.desktop.status import Shown
from assistant.errors import DesktopError

SERVICE = "org.freedesktop.Notifications"
_PATH = "/org/freedesktop/Notifications"
TITLE_CHARS = 80
TEXT_CHARS = 280
ICON_SIZE = 48
KEPT = 64


class Choice(msgspec.Struct, frozen=True):
    """A button, and what it does."""

    label: str
    action: str
    arguments: Mapping[str, Any] = {}


class Notice(msgspec.Struct, frozen=True):
    """What is to be told. A later one of the same `topic` takes the earlier one's place."""

    topic: str
    title: str
    text: str = ""
    choices: tuple[Choice, ...] = ()
    """The first is also what a click on the notice itself does."""
    shown: Shown = "idle"
    urgent: bool = False


class Notices:
    """Told through the desktop's own service, where there is one. `chosen` hears what the user chose."""

    def __init__(self, bus: Bus, chosen: Callable[[Choice], None]) -> None:
        self._bus, self._chosen = bus, chosen
        self._numbers: dict[str, int] = {}
        self._choices: dict[int, tuple[Choice, ...]] = {}
        self._listening = False

    async def tell(self, notice: Notice) -> bool:
        """Show it; whether somebody does."""
        try:
            if not self._listening:
                await self._bus.listen(SERVICE, "ActionInvoked", self._invoked)
                await self._bus.listen(SERVICE, "NotificationClosed", self._closed)
                self._listening = True
            (able,) = await self._bus.call(SERVICE, _PATH, SERVICE, "GetCapabilities")
            (number,) = await self._bus.call(
                SERVICE, _PATH, SERVICE, "Notify", "susssasa{sv}i", self._message(notice, able)
            )
        except DesktopError:
            return False
        self._numbers[notice.topic] = number
        self._choices[number] = notice.choices
        for oldest in list(self._choices)[:-KEPT]:
            del self._choices[oldest]
        return True

    async def withdraw(self, topic: str) -> None:
        """It holds no longer."""
        number = self._numbers.pop(topic, None)
        if number is not None:
            with contextlib.suppress(DesktopError):
                await self._bus.call(SERVICE, _PATH, SERVICE, "CloseNotification", "u", [number])

    def _message(self, notice: Notice, able: list[str]) -> list[Any]:
        from dbus_fast import Variant

        text = plain(notice.text, TEXT_CHARS)
        buttons = []
        if "actions" in able:
            for at, choice in enumerate(notice.choices):
                buttons += [str(at), plain(choice.label)]
            if notice.choices:
                buttons += ["default", plain(notice.choices[0].label)]
        size, stride = ICON_SIZE, 4 * ICON_SIZE
        picture = [size, size, stride, True, 8, 4, icons.rgba(notice.shown, size)]
        hints = {
            "urgency": Variant("y", 2 if notice.urgent else 1),
            "image-data": Variant("(iiibiiay)", picture),
            "desktop-entry": Variant("s", "nestor"),
        }
        # A service that reads markup gets none: each `<` and `&` is written out.
        shown = html.escape(text, quote=False) if "body-markup" in able else text
        replaces = self._numbers.get(notice.topic, 0)
        return ["Nestor", replaces, "", plain(notice.title, TITLE_CHARS), shown, buttons, hints, -1]

    def _invoked(self, body: list[Any]) -> None:
        number, key = body[0], body[1]
        choices = self._choices.get(number, ())
        at = 0 if key == "default" else int(key) if key.isdigit() else -1
        if 0 <= at < len(choices):
            self._chosen(choices[at])

    def _closed(self, body: list[Any]) -> None:
        self._choices.pop(body[0], None)
        self._numbers = {topic: n for topic, n in self._numbers.items() if n != body[0]}
