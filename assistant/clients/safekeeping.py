"""Backups as the command line shows them: what is made, what a key is for, what a restore undoes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import click

from assistant.clients import console
from assistant.clients.http import Client
from assistant.config import Paths
from assistant.types import Event

_ROUTE = "/api/v1/backup"
_QUIET_S = 1.0
"""A backup that is quicker shows no progress."""
_PAUSE_S = 0.25


def make(paths: Paths, body: dict[str, Any]) -> dict[str, Any]:
    """Ask for a backup and show how far it is. Raises what the daemon answers."""
    with ThreadPoolExecutor(1) as pool, Client.to(paths) as asking, Client.to(paths) as watching:
        job = pool.submit(asking.post, _ROUTE, body)
        wait([job], _QUIET_S)
        if not job.done():
            console.follow(_steps(job, watching), "backup")
        made: dict[str, Any] = job.result()
    return made


def _steps(job: Future[Any], client: Client) -> Iterator[Event]:
    number = 0
    while not job.done():
        if running := client.get(_ROUTE)["running"]:
            number += 1
            yield Event(number, "progress", running)
        wait([job], _PAUSE_S)


def told(made: dict[str, Any]) -> None:
    """What was made, and what it takes to open it."""
    size = f"{made['bytes'] / 1e6:,.1f} MB"
    console.line(f"Backup {made['name']}: {made['rows']} rows, {size}, verified.")
    console.line(f"  in {made['folder']}")
    _about_the_key(made["key"])
    if made["removed"]:
        console.line(f"Removed {_count(made['removed'])}.")
    if made["left"]:
        console.line(
            f"Not removed, since out of reach or not certainly yours: {_names(made['left'])}."
        )


def show(paths: Paths, as_json: bool) -> None:
    """The backups there are."""
    with Client.to(paths) as client:
        data = client.get(_ROUTE)
    if as_json:
        return console.as_json(data["items"])
    if not data["items"]:
        return console.line("There is no backup yet.")
    for row in data["items"]:
        size = f"{row['bytes'] / 1e6:,.1f} MB"
        console.line(f"{row['name']}  {row['rows']} rows, {size}, {_state(row)}")
        console.line(f"  {row['date']}, schema {row['schema']}, in {row['folder']}")
    return _about_the_key(data["key"])


def still_held(backups: Sequence[dict[str, Any]]) -> None:
    """Which backups have what was just forgotten; nothing where there is none."""
    if backups:
        console.line(f"{_count(backups)} made before may still hold it: {_names(backups)}.")
        console.line("  `nestor backup --purge` makes a fresh one and removes all older ones.")


def summary(report: dict[str, Any]) -> str:
    """One line for `status`."""
    last = f"last {report['last'] or 'none'}"
    following = f"next {report['next']}" if report["next"] else "none by itself"
    return ", ".join(part for part in (last, following, report["problem"]) if part)


def confirm(found: dict[str, Any], *, running: bool) -> None:
    """Say what a restore does, and ask. Ends the command unless the answer is yes."""
    console.err.print(f"{console.plain(found['file'])}: whole, {found['rows']} rows.")
    console.err.print(
        "The memory becomes what it was then. What was stored since is no longer in it,"
    )
    console.err.print(
        "and what was forgotten since is in it again. The present memory is kept beside it."
    )
    if running:
        console.err.print("Nestor is running and is stopped first.")
    click.confirm("Restore", abort=True, err=True)


def restored(done: dict[str, Any]) -> None:
    """What is the memory now, and where the one before it is."""
    console.line(f"Restored: {done['rows']} rows. Nestor starts with your next command.")
    if done["kept"]:
        console.line(f"The memory before it is kept as {done['kept']}.")


def _about_the_key(place: str) -> None:
    console.line(f"It opens only with the database key ({place}).")
    console.line("Keep the key safe, and not beside the backup: without it nobody can open it.")


def _state(row: dict[str, Any]) -> str:
    if not row["reachable"]:
        return "out of reach"
    if row["kind"] == "replaced":
        return "replaced by a restore"
    return "verified" if row["verified"] else "not verified"


def _count(backups: Sequence[Any]) -> str:
    return f"{len(backups)} backup{'' if len(backups) == 1 else 's'}"


def _names(backups: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{row['name']} ({row['date']})" for row in backups)
