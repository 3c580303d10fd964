"""`nestor wake`: the wake word's microphone, and its log, in which you say where nobody had said it."""

from __future__ import annotations

import click

from assistant.clients import console
from assistant.clients.commands import Group, daemon, example, json_option
from assistant.clients.orders import order

_SHOWN = 20


@click.group("wake", cls=Group)
def wake() -> None:
    """Wait for the wake word or not, and see what woke it."""


@example("nestor wake start")
@wake.command("start")
@json_option
def wake_start(as_json: bool) -> None:
    """Wait for the wake word."""
    order("wake", "start", as_json=as_json)


@example("nestor wake stop")
@wake.command("stop")
@json_option
def wake_stop(as_json: bool) -> None:
    """Close the microphone until you start it again."""
    order("wake", "stop", as_json=as_json)


@example("nestor wake toggle")
@wake.command("toggle")
@json_option
def wake_toggle(as_json: bool) -> None:
    """The other of the two."""
    order("wake", "toggle", as_json=as_json)


@example("nestor wake log")
@wake.command("log")
@json_option
def wake_log(as_json: bool) -> None:
    """Show what woke it, when, and how often for nothing; no words and no sound are kept."""
    with daemon() as client:
        told = client.get("/api/v1/wakings")
    if as_json:
        return console.as_json(told)
    for row in told["items"][:_SHOWN]:
        verdict = "wrong" if row["wrong"] else "woke" if row["accepted"] else "passed over"
        sure = f"{row['probability']:.2f}, {row['likeness']:.2f}"
        console.line(f"{row['id']}  {row['at'][:16].replace('T', ' ')}  {verdict} ({sure})")
    rate = told["false_per_hour"]
    said = "" if rate is None else f"; {rate:g} an hour for nothing"
    return console.line(f"{told['word']}: {told['hours']:g} hours of sound{said}.")


@example("nestor wake wrong")
@wake.command("wrong")
@click.argument("waking", required=False)
@click.option("--not", "right", is_flag=True, help="It was right after all.")
@json_option
def wake_wrong(waking: str | None, right: bool, as_json: bool) -> None:
    """Say that nobody had said the word: the last time it woke, or the one you name. It becomes surer."""
    with daemon() as client:
        if waking is None:
            rows = client.get("/api/v1/wakings")["items"]
            waking = next((row["id"] for row in rows if row["accepted"]), None)
        if waking is None:
            return console.as_json(None) if as_json else console.line("It has never woken.")
        told = client.patch(f"/api/v1/wakings/{waking}", {"wrong": not right})
    if as_json:
        return console.as_json(told)
    return console.line(f"{waking} is marked as {'right' if right else 'wrong'}.")
