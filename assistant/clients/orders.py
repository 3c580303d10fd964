"""Commands for the program on the desktop, to be bound to keys in any desktop's own settings."""

from __future__ import annotations

import click

from assistant.clients import console
from assistant.clients.commands import example, json_option
from assistant.config import load_paths

VERBS = ("start", "stop", "toggle")


def order(noun: str, verb: str, *, as_json: bool) -> None:
    """Have the running icon do it. Raises TrayNotRunning, and what the action raises."""
    from assistant.clients.desktop import control

    action = f"{noun}.{verb}"
    result = control.send(load_paths(), action)
    if as_json:
        console.as_json({"action": action, "result": result})


@example("nestor talk toggle")
@click.command()
@click.argument("verb", type=click.Choice((*VERBS, "cancel")))
@json_option
def talk(verb: str, as_json: bool) -> None:
    """Begin or end listening; bind it to a key where hotkeys cannot be had.

    cancel stops everything at once, as Esc does.
    """
    order("talk", verb, as_json=as_json)
