"""What this desktop can do, for `nestor doctor`: display, tray, hotkeys and microphone, each told apart.

In the form of the daemon's own checks. A machine without a desktop is no fault.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from assistant.clients.desktop import sound, tray
from assistant.clients.desktop.bindings import wayland
from assistant.config import Paths
from assistant.errors import AssistantError, NoDisplay

Check = dict[str, Any]
"""`name`, `ok`, `found`, `hint`."""


def checks(paths: Paths, environ: Mapping[str, str] = os.environ) -> list[Check]:
    """All of them. Takes a second or two."""
    if not _has_desktop(environ):
        return [_check("desktop", "no desktop session here: `nestor chat` and the page work")]
    if find_spec("dbus_fast") is None and not tray.NEEDS_NO_BUS:
        hint = "For icon, windows and hotkeys: pip install 'nestor[desktop]'."
        return [_check("desktop", "the extra `desktop` is not installed", hint)]
    icon = _icon(paths)
    return [
        display(environ),
        _tray(icon),
        _hotkeys(icon),
        *microphone(),
    ]


def _check(name: str, found: str, hint: str = "", *, ok: bool = True) -> Check:
    return {"name": name, "ok": ok, "found": found, "hint": hint}


def _has_desktop(environ: Mapping[str, str]) -> bool:
    return sys.platform in ("win32", "darwin") or bool(
        environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    )


def display(environ: Mapping[str, str] = os.environ) -> Check:
    """Whether a window can be shown: the X server is really asked."""
    if sys.platform in ("win32", "darwin"):
        return _check("display", "there")
    kind = "Wayland" if wayland(environ) else "X11"
    if not environ.get("DISPLAY"):
        hint = "Quick-ask's window needs Xwayland: switch it on in your desktop."
        return _check("display", f"{kind}, without X11", hint, ok=False)
    from assistant.clients.desktop import selection

    try:
        selection.connect().close()
    except NoDisplay:
        hint = "Is DISPLAY right, and may this user open it? Try `xdpyinfo` in the same terminal."
        return _check("display", "DISPLAY is set, but it cannot be reached", hint, ok=False)
    except AssistantError as exc:
        return _check("display", exc.message, exc.hint, ok=False)
    return _check("display", f"{kind}, reached")


def _icon(paths: Paths) -> dict[str, Any] | None:
    """The running icon's own status; None if none runs."""
    from assistant.clients.desktop import control

    try:
        told: dict[str, Any] = control.send(paths, "status")
    except AssistantError:
        return None
    return told


def _tray(icon: Mapping[str, Any] | None) -> Check:
    runs = "Nestor's icon runs" if icon else "Nestor's icon does not run (`nestor tray`)"
    if tray.NEEDS_NO_BUS:
        return _check("tray", runs)
    if icon and icon["tray"]:
        return _check("tray", f"the desktop shows icons; {runs}")
    try:
        shows = asyncio.run(_hosted())
    except AssistantError as exc:
        return _check("tray", exc.message, exc.hint, ok=False)
    if not shows:
        return _check("tray", f"this desktop shows no icons; {runs}", tray.NO_HOST, ok=False)
    if icon:
        hint = "Start it anew: `nestor tray --stop`, then `nestor tray`."
        return _check("tray", "the desktop shows icons, but not Nestor's", hint, ok=False)
    return _check("tray", f"the desktop shows icons; {runs}")


async def _hosted() -> bool:
    from assistant.clients.desktop.bus import Bus
    from assistant.clients.desktop.status_notifier import hosted

    bus = await Bus.connect()
    try:
        return await hosted(bus)
    finally:
        await bus.close()


def _hotkeys(icon: Mapping[str, Any] | None) -> Check:
    if icon is None:
        hint = "They work while Nestor's icon runs: `nestor tray`."
        return _check("hotkeys", "none, as Nestor's icon does not run", hint)
    return hotkeys(icon["hotkeys"])


def hotkeys(report: Mapping[str, Any]) -> Check:
    """From a report of `Bindings`: the backend, each key, the last real event."""
    if (problem := report["problem"]) is not None:
        return _check("hotkeys", problem["message"], problem["hint"], ok=False)
    rows = report["keys"]
    said = [f"{row['keys']} ({row['action']})" for row in rows if not row["problem"]]
    refused = [
        f"{row['keys']} ({row['action']}): {row['problem']}" for row in rows if row["problem"]
    ]
    last = report["last_event"]
    heard = f"last heard: {last['action']} {'down' if last['down'] else 'up'}, {_ago(last)}" if last else (
        "none was pressed yet"
    )  # fmt: skip
    found = f"{report['backend']}: {', '.join(said) or 'none'}; {heard}"
    hint = " ".join([*refused, "Choose another: `nestor hotkey set`."]) if refused else ""
    return _check("hotkeys", found, hint, ok=not refused)


def _ago(heard: Mapping[str, Any]) -> str:
    import time

    return f"{max(0, round(time.time() - heard['when']))} s ago"


def microphone() -> list[Check]:
    """Whether there is one, where what listens to it is installed (the extra `voice`)."""
    if find_spec("sounddevice") is None:
        return []
    try:
        return [_check("microphone", sound.microphone_name())]
    except AssistantError as exc:
        return [_check("microphone", exc.message, exc.hint, ok=False)]
