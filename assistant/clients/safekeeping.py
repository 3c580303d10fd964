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


def confirm(found: dict[str, Any], *, running: bool, with_forgotten: bool) -> None:
    """Say what a restore does, and ask. Ends the command unless the answer is yes."""
    console.err.print(f"{console.plain(found['file'])}: whole, {found['rows']} rows.")
    console.err.print(
        "The memory becomes what it was then. What was stored since is no longer in it;"
    )
    forgotten = "is in it again" if with_forgotten else "stays forgotten"
    console.err.print(
        f"what was forgotten since {forgotten}. The present memory is kept beside it."
    )
    if running:
        console.err.print("Nestor is running and is stopped first.")
    click.confirm("Restore", abort=True, err=True)


def restored(done: dict[str, Any]) -> None:
    """What is the memory now, what became of what was forgotten, and where the one before it is."""
    console.line(f"Restored: {done['rows']} rows. Nestor starts with your next command.")
    if done["forgotten"] and done["with_forgotten"]:
        console.line(f"Among them {done['forgotten']} that were forgotten since.")
    elif done["forgotten"]:
        console.line(
            f"Left out: {done['forgotten']} memories or conversations forgotten since the backup."
        )
        console.line("  `nestor restore --with-forgotten` brings them back.")
    if done["kept"]:
        console.line(f"The memory before it is kept as {done['kept']}.")


def confirm_key() -> None:
    """Say what the recovery key is, and ask. Ends the command unless the answer is yes."""
    console.err.print("Whoever has the recovery key and a copy of your disk can read the memory.")
    console.err.print("It will be on this screen: make sure that nobody looks on.")
    click.confirm("Show it", abort=True, err=True)


def show_key(shown: dict[str, str]) -> None:
    """The key and how to keep it. It goes to the terminal, and nowhere else."""
    console.line(shown["recovery_key"])
    console.err.print("Print it or write it down. Keep it where you keep passwords, not beside")
    console.err.print("a backup. It is needed when the keyring or the key file is lost.")


def typed_key() -> str:
    """A recovery key from the terminal or standard input; never from an argument, which others see."""
    typed: str = click.prompt("Recovery key", err=True)
    return typed


def key_is_missing() -> None:
    """Why the recovery key is asked for."""
    console.err.print("The memory is here, but its key is not. The recovery key opens it.")


def key_entered(done: dict[str, str]) -> None:
    """Where the key lies now."""
    console.line(f"The key opens the memory and is kept: {done['place']}.")
    console.line("Nestor starts with your next command.")


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
