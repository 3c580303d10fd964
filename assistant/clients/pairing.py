"""`nestor pair`: a QR code for the phone, the characters both screens must show, and the owner's yes."""

from __future__ import annotations

import io
import time
from typing import Any

import click
import segno

from assistant.clients import console
from assistant.clients.commands import daemon, example, json_option
from assistant.clients.devices import class_option, scope_option
from assistant.errors import AssistantError, PairingRefused

_POLL_S = 0.5


@example("nestor pair --scope chat --scope memory.read")
@click.command("pair")
@scope_option
@class_option
@click.option("--interface", default="", help="Network interface or address to listen on.")
@click.option("--diagnose", is_flag=True, help="Say why a phone cannot reach this machine.")
@json_option
def pair(
    scopes: tuple[str, ...],
    classes: tuple[str, ...],
    interface: str,
    diagnose: bool,
    as_json: bool,
) -> None:
    """Let a phone or computer of yours in. Without --scope it may chat, without memories.

    With --json it prints the window and returns; the API tells the rest.
    """
    if diagnose:
        return _diagnose(interface, as_json)
    body = {
        "scopes": list(scopes or ("chat",)),
        "classes": list(classes) or None,
        "interface": interface,
    }
    with daemon() as client:
        opened = client.post("/api/v1/pair", body)
        if as_json:
            return console.as_json(opened)
        _show(opened)
        try:
            seen = _claimed(client)
            console.line(f"{seen['name']} ({seen['kind']}) wants in. It must show: {seen['check']}")
            if not click.confirm("Do both screens show the same characters?"):
                raise PairingRefused("The device was not let in.", "Pair again when it is yours.")
            device = client.post("/api/v1/pair/accept", {"check": seen["check"]})
        except BaseException:
            _cancel(client)
            raise
    return console.line(
        f"{device['name']} is paired ({device['id']}): {', '.join(device['scopes'])}."
    )


def picture(text: str) -> str:
    """A QR code for a terminal."""
    drawn = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out=drawn, compact=True)
    return drawn.getvalue()


def _show(opened: dict[str, Any]) -> None:
    network = opened["network"]
    click.echo(picture(opened["url"]))
    pairs = network["fingerprint"].upper()
    print_ = ":".join(pairs[i : i + 2] for i in range(0, len(pairs), 2))
    console.table(
        ("", ""),
        [
            *(
                ("address" if not i else "or", f"https://{a}")
                for i, a in enumerate(network["addresses"])
            ),
            ("code", opened["code"]),
            ("certificate", print_),
        ],
    )
    console.line(f"Scan the code, or type it, within {opened['expires_in_s']} seconds.")


def _claimed(client: Any) -> dict[str, Any]:
    while True:
        seen: dict[str, Any] = client.get("/api/v1/pair")
        if seen["state"] == "claimed":
            return seen
        if seen["state"] == "closed":
            raise PairingRefused("No device came in time, or too many wrong codes did.")
        time.sleep(_POLL_S)


def _cancel(client: Any) -> None:
    try:
        client.delete("/api/v1/pair")
    except AssistantError:
        console.line("The window closes by itself.")


def _diagnose(interface: str, as_json: bool) -> None:
    with daemon() as client:
        checks = client.get("/api/v1/pair/diagnose", interface=interface)["items"]
    if as_json:
        return console.as_json(checks)
    for check in checks:
        console.line(f"{'ok  ' if check['ok'] else 'FAIL'}  {check['name']}: {check['found']}")
        if check["hint"]:
            console.line(f"      {check['hint']}")
    return None
