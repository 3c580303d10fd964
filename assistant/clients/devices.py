"""`nestor devices`: who may ask, what for, and no more."""

from __future__ import annotations

from typing import Any

import click

from assistant.clients import console
from assistant.clients.commands import Group, daemon, example, json_option
from assistant.types import ACCESS_SCOPES

scope_option = click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(ACCESS_SCOPES), help="May be repeated."
)
class_option = click.option(
    "--class", "classes", multiple=True, help="Class of memory it may see: `work` or `work/*`."
)


@click.group("devices", cls=Group)
def devices() -> None:
    """List, add, rename, limit and revoke devices."""


@example("nestor devices list")
@devices.command("list")
@json_option
def listing(as_json: bool) -> None:
    """Show who may ask, and what for."""
    with daemon() as client:
        rows = client.get("/api/v1/devices")["items"]
    if as_json:
        return console.as_json(rows)
    if not rows:
        return console.line("No device but this one. `nestor pair` lets a phone in.")
    return console.table(
        ("id", "name", "kind", "may", "sees", "last used"), [_row(row) for row in rows]
    )


@example('nestor devices add "calendar script" --scope chat --class "work/*"')
@devices.command("add")
@click.argument("name")
@scope_option
@class_option
@click.option("--expires", help="When its token ends (ISO 8601); never if left out.")
@json_option
def add(
    name: str,
    scopes: tuple[str, ...],
    classes: tuple[str, ...],
    expires: str | None,
    as_json: bool,
) -> None:
    """Make a token for a program, shown once. Without --scope it may chat, without memories."""
    body = {
        "name": name,
        "scopes": list(scopes or ("chat",)),
        "classes": list(classes) or None,
        "expires_at": expires,
    }
    with daemon() as client:
        made = client.post("/api/v1/devices", body)
    if as_json:
        return console.as_json(made)
    console.line(
        f"{made['name']} ({made['id']}) may {', '.join(made['scopes'])}. Its token, shown once:"
    )
    return console.line(made["token"])


@example('nestor devices rename d_01jb "Ana\'s phone"')
@devices.command("rename")
@click.argument("device")
@click.argument("name")
@json_option
def rename(device: str, name: str, as_json: bool) -> None:
    """Call a device something else."""
    _changed(device, {"name": name}, as_json)


@example("nestor devices scope d_01jb --scope chat --scope memory.read")
@devices.command("scope")
@click.argument("device")
@scope_option
@class_option
@click.option("--all-classes", is_flag=True, help="It sees all of the memory.")
@json_option
def scope(
    device: str,
    scopes: tuple[str, ...],
    classes: tuple[str, ...],
    all_classes: bool,
    as_json: bool,
) -> None:
    """Say what a device may do, and see; the scopes given replace those it had."""
    body: dict[str, Any] = {"scopes": list(scopes)} if scopes else {}
    if classes or all_classes:
        body["classes"] = None if all_classes else list(classes)
    _changed(device, body, as_json)


@example("nestor devices revoke d_01jb")
@devices.command("revoke")
@click.argument("device")
@json_option
def revoke(device: str, as_json: bool) -> None:
    """Let a device in no more. What it is doing ends at once."""
    with daemon() as client:
        done = client.delete(f"/api/v1/devices/{device}")
    return console.as_json(done) if as_json else console.line(f"{device} is out.")


def _changed(device: str, body: dict[str, Any], as_json: bool) -> None:
    with daemon() as client:
        row = client.patch(f"/api/v1/devices/{device}", body)
    return console.as_json(row) if as_json else console.line(" · ".join(_row(row)))


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    seen = "all" if row["classes"] is None else ", ".join(row["classes"]) or "nothing"
    if "memory.read" not in row["scopes"]:
        seen = "no memories"
    used = (row["last_used_at"] or "never")[:16]
    return row["id"], row["name"], row["kind"], ", ".join(row["scopes"]) or "nothing", seen, used
