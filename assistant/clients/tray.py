"""`nestor tray`: the icon with its menu, the windows and the hotkeys, for one desktop session."""

from __future__ import annotations

import os
import time
from typing import Any, Literal

import click

from assistant.clients import console
from assistant.clients.commands import example, json_option
from assistant.config import Paths, load_paths, load_settings
from assistant.errors import TrayNotRunning
from assistant.instance import find

_STOP_S = 10.0


@example("nestor tray")
@click.command()
@click.option("--stop", is_flag=True, help="End the one that runs; the daemon stays.")
@click.option(
    "--autostart",
    type=click.Choice(("on", "off")),
    help="Start it with your desktop session, or not; off unless you ask.",
)
@json_option
def tray(stop: bool, autostart: Literal["on", "off"] | None, as_json: bool) -> None:
    """Show the icon: its menu, the quick-ask window and the hotkeys, until the session ends."""
    paths = load_paths()
    if autostart is not None:
        return _autostart(autostart == "on", as_json=as_json)
    if stop:
        return _stop(paths, as_json=as_json)
    from assistant.clients.desktop import resident

    if find(paths.desktop_lock) is not None:  # said before a second of imports
        raise resident.already(paths)
    paths.make()

    def ready(told: dict[str, Any]) -> None:
        if as_json:
            console.as_json({"pid": os.getpid(), **told})
        else:
            _ready(told)

    return resident.run(paths, load_settings(paths), console.err.print, ready)


def _ready(told: dict[str, Any]) -> None:
    keys = ", ".join(
        f"{row['keys']} ({row['action']})" for row in told["hotkeys"]["keys"] if not row["problem"]
    )
    console.line("Nestor is on your desktop. " + (f"Hotkeys: {keys}." if keys else "No hotkey."))


def _autostart(on: bool, *, as_json: bool) -> None:
    from assistant.clients.desktop.autostart import Autostart

    Autostart().set(on=on)
    if as_json:
        return console.as_json({"autostart": on})
    return console.line(f"Nestor's icon {'starts' if on else 'does not start'} with your session.")


def _stop(paths: Paths, *, as_json: bool) -> None:
    from assistant.clients.desktop import control

    holder = find(paths.desktop_lock)
    if holder is not None:
        control.send(paths, "quit")
        deadline = time.monotonic() + _STOP_S
        while find(paths.desktop_lock) is not None:
            if time.monotonic() > deadline:
                raise TrayNotRunning(f"Nestor's icon (pid {holder.pid}) does not end.")
            time.sleep(0.05)
    if as_json:
        return console.as_json({"stopped": holder.pid if holder else None})
    return console.line("Nestor's icon is gone." if holder else "Nestor's icon was not running.")
