"""`nestor open`: the web page in the user's browser, let in without typing anything."""

from __future__ import annotations

import webbrowser
from datetime import UTC, datetime, timedelta

import click

from assistant.clients import console
from assistant.clients.commands import daemon, example, json_option
from assistant.clients.http import Client
from assistant.config import Paths, load_paths
from assistant.errors import Unreachable
from assistant.instance import find
from assistant.types import ACCESS_SCOPES, timestamp

TICKET_S = 60
"""Other users of the machine can see a program's arguments; so what stands there is worth little, briefly."""


def connected(client: Client, paths: Paths, place: str = "") -> str:
    """The page's address with a ticket in it; `place` as in the page's own links: `chat/<id>`, `devices`.

    Raises Unreachable.
    """
    ticket = {
        "name": "nestor open",
        "kind": "program",  # a phone or a computer would open the network
        "scopes": list(ACCESS_SCOPES),
        "expires_at": timestamp(datetime.now(UTC) + timedelta(seconds=TICKET_S)),
    }
    token = client.post("/api/v1/devices", ticket)["token"]
    running = find(paths.lock)
    if running is None:
        raise Unreachable
    where = f"&to={place}" if place else ""
    return f"http://127.0.0.1:{running.port}/#open&s={token}{where}"


@example("nestor open")
@click.command("open")
@click.option("--print", "only_print", is_flag=True, help="Print the address, open nothing.")
@json_option
def open_page(only_print: bool, as_json: bool) -> None:
    """Open the web page in your browser, connected.

    The address has a ticket for one minute. The page takes a token of its own for it, which
    `nestor devices` lists, and the ticket is void.
    """
    with daemon() as client:
        address = connected(client, load_paths())
    opened = not only_print and webbrowser.open(address)
    if as_json:
        return console.as_json({"url": address, "opened": opened})
    if opened:
        return console.line("Nestor's page is open in your browser.")
    return console.line(address)
