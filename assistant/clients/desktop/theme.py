"""Light or dark: the colours of our windows, and which the desktop prefers."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Literal

import msgspec

Wanted = Literal["auto", "light", "dark"]
Tone = Literal["quiet", "good", "bad"]
"""Of what is said to the user."""
_PORTAL_S = 0.5


class Palette(msgspec.Struct, frozen=True):
    """Colours as Tk reads them. Each text colour has a contrast of 4.5 or more on `back` and `field`."""

    back: str
    field: str
    text: str
    faint: str
    line: str
    accent: str
    on_accent: str
    code: str
    selected: str
    bad: str


LIGHT = Palette(
    back="#ffffff", field="#f6f7f9", text="#1c2126", faint="#5b6570", line="#d4d9df", accent="#1d5fa8",
    on_accent="#ffffff", code="#eef1f4", selected="#cfe2f7", bad="#a3262a",
)  # fmt: skip
DARK = Palette(
    back="#1d2125", field="#272c31", text="#e8eaed", faint="#a3adb8", line="#3a4149", accent="#7db6f2",
    on_accent="#10161c", code="#2b3137", selected="#2f4d6c", bad="#f29094",
)  # fmt: skip


def contrast(one: str, other: str) -> float:
    """Of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def palette(wanted: Wanted) -> Palette:
    """The colours for a setting; `auto` asks the desktop, and takes light where it does not say."""
    dark = prefers_dark() if wanted == "auto" else wanted == "dark"
    return DARK if dark else LIGHT


def prefers_dark() -> bool:
    """Whether the desktop prefers dark windows. Takes half a second at most."""
    with contextlib.suppress(Exception):  # no portal, no key: it does not say
        if sys.platform == "win32":
            return _windows()
        if sys.platform == "darwin":
            return _mac()
        return asyncio.run(asyncio.wait_for(_portal(), _PORTAL_S))
    return False


async def _portal(address: str | None = None) -> bool:
    """`color-scheme` of the Settings portal: 1 is dark."""
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

    bus = await MessageBus(bus_address=address).connect()
    try:
        answer = await bus.call(
            Message(
                destination="org.freedesktop.portal.Desktop",
                path="/org/freedesktop/portal/desktop",
                interface="org.freedesktop.portal.Settings",
                member="Read",
                signature="ss",
                body=["org.freedesktop.appearance", "color-scheme"],
            )
        )
        value = answer.body[0]
        while hasattr(value, "value"):  # a variant in a variant
            value = value.value
        return bool(value == 1)
    finally:
        bus.disconnect()


def _windows() -> bool:
    if sys.platform != "win32":
        return False
    import winreg

    place = r"Software\Microsoft\Windows\CurrentVersion\Themes\Personalize"
    with winreg.OpenKey(winreg.HKEY_CURRENT_USER, place) as key:
        return bool(winreg.QueryValueEx(key, "AppsUseLightTheme")[0] == 0)


def _mac() -> bool:
    """By pyobjc, which pynput brings along there."""
    from importlib import import_module

    defaults = import_module("Foundation").NSUserDefaults.standardUserDefaults()
    return str(defaults.stringForKey_("AppleInterfaceStyle")) == "Dark"
