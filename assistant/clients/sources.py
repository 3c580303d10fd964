"""`nestor sources`: allow folders and files, see how far they are, take them back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from assistant.clients import console
from assistant.clients.commands import Group, daemon, example, json_option
from assistant.errors import SourceNotFound
from assistant.types import Event

_ROUTE = "/api/v1/sources"
_PAUSE_S = 0.25


@click.group("sources", cls=Group)
def sources() -> None:
    """Allow folders and files to be read, and take them back."""


@example("nestor sources add ~/Documents --ignore 'drafts/'")
@sources.command("add")
@click.argument("path", type=click.Path())
@click.option("--ignore", multiple=True, help="A pattern as in .gitignore; may be repeated.")
@click.option("--hidden", is_flag=True, help="Read hidden files too. Keys and passwords never are.")
@click.option("--no-wait", is_flag=True, help="Return at once; it goes on in the background.")
@json_option
def add(path: str, ignore: tuple[str, ...], hidden: bool, no_wait: bool, as_json: bool) -> None:
    """Read a folder or file from now on, and follow its changes. Ctrl-C leaves it going on."""
    body = {"path": str(Path(path).expanduser().absolute()), "ignore": ignore, "hidden": hidden}
    with daemon() as client:
        source = client.post(_ROUTE, body)
        if not no_wait and not as_json:
            source = _follow(client, source)
    return console.as_json(source) if as_json else _told(source)


@example("nestor sources list")
@sources.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show what is allowed, and how far it is; then what was imported."""
    with daemon() as client:
        rows = client.get(_ROUTE)["items"]
    if as_json:
        return console.as_json(rows)
    if not rows:
        return console.line("Nothing is allowed. `nestor sources add FOLDER` allows a folder.")
    return console.table(
        ("id", "path", "state", "files", "passages", "failed"),
        [
            (s["id"], s["path"], _state(s), _files_of(s), str(s["chunks"]), str(s["failed"]))
            for s in rows
        ],
    )


def _files_of(source: dict[str, Any]) -> str:
    chats = source["conversations"]
    return f"{chats} chats" if source["kind"] == "import" else str(source["files"])


@example("nestor sources status ~/Documents")
@sources.command("status")
@click.argument("source")
@json_option
def status(source: str, as_json: bool) -> None:
    """Show one source, what was passed over, and which files could not be read and why."""
    with daemon() as client:
        found = _find(client, source)
        failed = _files(client, found["id"], "failed")
        away = _files(client, found["id"], "unavailable")
    if as_json:
        return console.as_json(found | {"problems": failed + away})
    _told(found)
    for file in failed + away:
        console.line(f"  {file['path']}: {file['problem']}")
    return None


@example("nestor sources pause ~/Documents")
@sources.command("pause")
@click.argument("source")
@json_option
def pause(source: str, as_json: bool) -> None:
    """Stop following a source; what was read stays."""
    _change(source, "pause", as_json)


@example("nestor sources resume ~/Documents")
@sources.command("resume")
@click.argument("source")
@json_option
def resume(source: str, as_json: bool) -> None:
    """Follow a source again, and look for changes now."""
    _change(source, "resume", as_json)


@example("nestor sources remove ~/Documents")
@sources.command("remove")
@click.argument("source")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
def remove(source: str, yes: bool, as_json: bool) -> None:
    """Take a source back: all that came from it is forgotten. Your files stay."""
    with daemon() as client:
        found = _find(client, source)
        if not yes:
            click.confirm(f"Forget {_held(found)} of {found['path']}?", abort=True, err=True)
        client.delete(f"{_ROUTE}/{found['id']}")
        console.follow_files(_steps(client, found["id"], "removing"), "forgetting")
    if as_json:
        return console.as_json({"removed": found["id"]})
    if found["kind"] == "import":
        return console.line(f"What came with {found['path']} is forgotten.")
    return console.line(f"{found['path']} is no longer read, and what came from it is forgotten.")


def _change(source: str, verb: str, as_json: bool) -> None:
    with daemon() as client:
        found = client.post(f"{_ROUTE}/{_find(client, source)['id']}/{verb}")
    return console.as_json(found) if as_json else _told(found)


def _find(client: Any, named: str) -> dict[str, Any]:
    """A source by its id or path. Raises SourceNotFound."""
    path = str(Path(named).expanduser().absolute())
    for source in client.get(_ROUTE)["items"]:
        if named == source["id"] or path == source["path"]:
            return dict(source)
    resolved = str(Path(named).expanduser().resolve())
    for source in client.get(_ROUTE)["items"]:
        if resolved == source["path"]:
            return dict(source)
    raise SourceNotFound


def _files(client: Any, source_id: str, state: str) -> list[dict[str, Any]]:
    found, cursor = [], None
    while True:
        page = client.get(f"{_ROUTE}/{source_id}/files", state=state, cursor=cursor, limit=200)
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            return found


def _follow(client: Any, source: dict[str, Any]) -> dict[str, Any]:
    """Show how far indexing is, until it is done; the source then."""
    console.follow_files(_steps(client, source["id"], "indexing"), "reading")
    return dict(client.get(f"{_ROUTE}/{source['id']}"))


def _steps(client: Any, source_id: str, state: str) -> Iterator[Event]:
    number = 0
    while True:
        try:
            source = client.get(f"{_ROUTE}/{source_id}")
        except SourceNotFound:
            return
        if source["state"] != state:
            return
        if source["job"]:
            number += 1
            yield Event(number, "progress", source["job"])
        time.sleep(_PAUSE_S)


def _told(source: dict[str, Any]) -> None:
    console.line(f"{source['path']} ({source['id']}): {_state(source)}")
    console.line(f"  {_held(source)}")
    if source["problem"]:
        console.line(f"  {source['problem']}")
    if source["failed"]:
        console.line(
            f"  {source['failed']} files could not be read: `nestor sources status` says why"
        )
    if source["skipped"]:
        parts = (f"{count} {reason}" for reason, count in sorted(source["skipped"].items()))
        console.line(f"  passed over: {', '.join(parts)}")


def _held(source: dict[str, Any]) -> str:
    if source["kind"] == "import":
        return f"{source['conversations']} chats and {source['chunks']} notes"
    return f"{source['files']} files, {source['chunks']} passages"


def _state(source: dict[str, Any]) -> str:
    if source["kind"] == "import":
        return f"imported from {source['program'] or 'elsewhere'}"
    job = source["job"]
    if source["state"] in ("indexing", "removing") and job and job["total"]:
        return f"{source['state']}, {job['done']} of {job['total']}"
    watched = {"polling": ", looked at now and then"}.get(source["watched"], "")
    return f"{source['state']}{watched}"
