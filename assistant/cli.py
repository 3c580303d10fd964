"""The `nestor` command: parse, call the HTTP API, print. Nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

import click

from assistant import __version__
from assistant.clients import console, evaluation, safekeeping
from assistant.clients.chat import ask, chat
from assistant.clients.commands import EXIT_FAILED, Group, daemon, example, json_option
from assistant.clients.devices import devices
from assistant.clients.hotkey import hotkey
from assistant.clients.learning import learning, suggestions
from assistant.clients.memories import forget, recall, remember
from assistant.clients.models import models
from assistant.clients.orders import talk
from assistant.clients.page import open_page
from assistant.clients.pairing import pair
from assistant.clients.sources import sources
from assistant.clients.tray import tray
from assistant.clients.waking import wake
from assistant.clients.write import write
from assistant.config import Paths, Settings, load_paths, load_settings, owner_token
from assistant.errors import (
    AlreadyRunning,
    InvalidInput,
    KeyMissing,
)
from assistant.evaluation.exams import EXAMS
from assistant.instance import find
from assistant.types import Origin


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nestor")
def main() -> None:
    """Nestor, a private assistant that lives on this machine."""


@example("nestor up --detach")
@main.command()
@click.option(
    "--detach", is_flag=True, help="Return once it answers; it runs on in the background."
)
@click.option("--port", type=click.IntRange(0, 65535), help="TCP port on 127.0.0.1 and ::1.")
@click.option("--model", help="Catalogue id, path to a .gguf file, or `fake`.")
@json_option
def up(detach: bool, port: int | None, model: str | None, as_json: bool) -> None:
    """Start the daemon."""
    paths = load_paths()
    settings = load_settings(paths, flags={"port": port, "model": model})
    holder = find(paths.lock)
    if holder is None:
        _unlock(paths, settings)
    if not detach:
        if holder is not None:  # said before the daemon's half a second of imports
            raise AlreadyRunning.by(holder.pid)
        from assistant.daemon import run

        return run(paths, settings)
    from assistant.clients import launch

    already = holder is not None
    flags = [f"--{n}={v}" for n, v in (("port", port), ("model", model)) if v is not None]
    running = launch.start(paths, flags)
    if as_json:
        return console.as_json(
            {"pid": running.pid, "port": running.port, "already_running": already}
        )
    word = "is already running" if already else "is up"
    return console.line(f"Nestor {word}: pid {running.pid}, http://127.0.0.1:{running.port}")


@example("nestor down")
@main.command()
@json_option
def down(as_json: bool) -> None:
    """Stop the daemon."""
    from assistant.clients import launch

    stopped = launch.stop(load_paths())
    if as_json:
        return console.as_json({"stopped": stopped.pid if stopped else None})
    return console.line("Nestor is down." if stopped else "Nestor was not running.")


@example("nestor status")
@main.command()
@json_option
def status(as_json: bool) -> None:
    """Show what runs: model, layers, processes, memory. Exit code 3 if nothing does."""
    with daemon(start=False) as client:
        data = client.get("/api/v1/status")
    if as_json:
        return console.as_json(data)
    model, memory = data["model"], data["memory"]
    where = f"{model['gpu_layers']}/{model['layers']} layers on the GPU" if model["layers"] else ""
    drafting = f"{model['draft']} {model['draft_problem']}".strip()
    rows = [
        ("daemon", f"{data['version']}, pid {data['pid']}, {console.megabytes(data['rss_bytes'])}"),
        ("model", " ".join(x for x in (model["id"], model["state"], where, model["problem"]) if x)),
        *([("draft model", drafting)] if drafting else []),
        ("queue", f"{data['queue']['length']} of {data['queue']['limit']}"),
        ("memory", f"{memory['count']} stored, {memory['pending']} waiting for vectors"),
        ("embedder", data["embedder"]),
        *([("new embedder", _swapping(data["swap"]))] if data["swap"] else []),
        ("key", data["key"]),
        ("sources", _sources(data["sources"])),
        ("backup", safekeeping.summary(data["backup"])),
    ]
    rows += [
        (
            f"{c['name']} child",
            f"{c['state']}, {console.megabytes(c['rss_bytes'])}, {c['crashes']} crashes",
        )
        for c in data["children"]
    ]
    return console.table(("", ""), rows)


@example("nestor doctor")
@main.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check everything and say what to do. Exit code 1 if something is wrong."""
    from assistant.clients.desktop import doctor as desktop

    with daemon(start=True) as client:
        found = client.get("/api/v1/doctor")["items"]
    found += desktop.checks(load_paths())
    if as_json:
        console.as_json(found)
    else:
        for check in found:
            console.line(f"{'ok  ' if check['ok'] else 'FAIL'}  {check['name']}: {check['found']}")
            if check["hint"]:
                console.line(f"      {check['hint']}")
    if not all(check["ok"] for check in found):
        sys.exit(EXIT_FAILED)


@example("nestor backup")
@main.command()
@click.option("--to", type=click.Path(), help="Into this folder, which must exist.")
@click.option("--purge", is_flag=True, help="Make a fresh one, then remove all older ones.")
@click.option("--list", "listing", is_flag=True, help="Show the backups there are.")
@json_option
def backup(to: str | None, purge: bool, listing: bool, as_json: bool) -> None:
    """Copy the memory while it is in use. It opens only with the database key."""
    with daemon():
        paths = load_paths()
        if listing:
            return safekeeping.show(paths, as_json)
        body = {"to": str(Path(to).absolute()) if to else None, "purge": purge}
        made = safekeeping.make(paths, body)
    return console.as_json(made) if as_json else safekeeping.told(made)


@example("nestor restore memory-20261125T154226Z.db")
@main.command()
@click.argument("backup")
@click.option("--with-forgotten", is_flag=True, help="Bring back what was forgotten since, too.")
@click.option("--recovery-key", is_flag=True, help="Ask for the key it was made with.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask; stop the daemon if it runs.")
@json_option
def restore(
    backup: str, with_forgotten: bool, recovery_key: bool, yes: bool, as_json: bool
) -> None:
    """Make a backup the memory again, by its name or path. The present memory is kept beside it."""
    from assistant import offline
    from assistant.clients import launch

    paths = load_paths()
    settings = load_settings(paths)
    typed = safekeeping.typed_key() if recovery_key else None
    try:
        with console.steps("restore") as step:
            found = offline.inspect(paths, settings, backup, typed, step)
    except KeyMissing:
        if not sys.stdin.isatty():
            raise
        typed = safekeeping.typed_key()
        with console.steps("restore") as step:
            found = offline.inspect(paths, settings, backup, typed, step)
    running = find(paths.lock) is not None
    if not yes:
        safekeeping.confirm(found, running=running, with_forgotten=with_forgotten)
    if running:
        launch.stop(paths)
    with console.steps("restore") as step:
        done = offline.restore(
            paths,
            settings,
            backup,
            recovery_key=typed,
            with_forgotten=with_forgotten,
            progress=step,
        )
    told = done | {"with_forgotten": with_forgotten}
    return console.as_json(told) if as_json else safekeeping.restored(told)


@example("nestor eval --plot scores.svg")
@main.command("eval")
@click.option("--model", help="Catalogue id or path to a .gguf file; the one in use if left out.")
@click.option("--only", multiple=True, metavar="EXAM", help=f"One exam alone: {', '.join(EXAMS)}.")
@click.option("--plot", metavar="FILE", help="Write the scores as a picture (SVG).")
@click.option("--details", is_flag=True, help="Show everything that was wrong.")
@json_option
def evaluate(
    model: str | None, only: tuple[str, ...], plot: str | None, details: bool, as_json: bool
) -> None:
    """Examine memory and model on this machine, offline, in a memory that is thrown away."""
    from assistant import trial

    if unknown := set(only) - set(EXAMS):
        raise InvalidInput(
            f"There is no exam {sorted(unknown)[0]}.", f"Name one of {', '.join(EXAMS)}."
        )
    paths = load_paths()
    settings = load_settings(paths, flags={"model": model})
    if find(paths.lock) is not None:
        console.err.print(
            "Nestor runs and holds its model too: `nestor down` first gives better times."
        )
    with evaluation.following() as bar:
        task = bar.add_task("loading the model", total=None)

        def step(exam: str, done: int, total: int) -> None:
            bar.update(task, description=exam, completed=done, total=total)

        report = trial.run(paths, settings, exams=only, progress=step)
    if plot:
        evaluation.write(report, plot)
    return console.as_json(report) if as_json else evaluation.show(report, details=details)


@main.group(cls=Group)
def key() -> None:
    """The key without which nobody opens the memory or a backup: print it, or type it in."""


@example("nestor key show")
@key.command("show")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
def key_show(yes: bool, as_json: bool) -> None:
    """Print the recovery key, to be kept on paper. Whoever has it can read the memory."""
    from assistant import offline

    paths = load_paths()
    if not yes:
        safekeeping.confirm_key()
    shown = offline.recovery_key(paths, load_settings(paths))
    return console.as_json(shown) if as_json else safekeeping.show_key(shown)


@example("nestor key enter")
@key.command("enter")
@json_option
def key_enter(as_json: bool) -> None:
    """Type the recovery key in where the key is lost; standard input takes it too."""
    from assistant import offline
    from assistant.clients import launch

    paths = load_paths()
    settings = load_settings(paths)
    typed = safekeeping.typed_key()
    done = offline.enter_key(paths, settings, typed, stop=lambda: launch.stop(paths))
    return console.as_json(done) if as_json else safekeeping.key_entered(done)


@example("nestor export life.export --password")
@main.command()
@click.argument("file", required=False, type=click.Path())
@click.option(
    "--password", is_flag=True, help="Encrypt it; asks, or reads a line of standard input."
)
@click.option("--no-vectors", is_flag=True, help="A third as large; vectors are made again later.")
@json_option
def export(file: str | None, password: bool, no_vectors: bool, as_json: bool) -> None:
    """Write everything remembered into one file."""
    from assistant.clients import transfer

    with daemon() as client:
        done = transfer.save(client, file, sealed=password, vectors=not no_vectors)
    if as_json:
        return console.as_json(done)
    return console.line(f"Exported to {done['file']} ({done['bytes']:,} bytes).")


@example("nestor import life.export --dry-run")
@main.command("import")
@click.argument("file", type=click.Path(exists=True))
@click.option(
    "--from",
    "origin",
    default="auto",
    show_default=True,
    type=click.Choice(get_args(Origin)),
    help="What made it.",
)
@click.option("--password", is_flag=True, help="It is encrypted; asks, or reads standard input.")
@click.option("--dry-run", is_flag=True, help="Check it and say what is new; change nothing.")
@click.option("--with-forgotten", is_flag=True, help="Bring back what was forgotten since, too.")
@click.option("--as-mine", is_flag=True, help="Show what another assistant noted of you, and ask.")
@json_option
def import_(
    file: str,
    origin: str,
    password: bool,
    dry_run: bool,
    with_forgotten: bool,
    as_mine: bool,
    as_json: bool,
) -> None:
    """Read an export of Nestor's, or of another assistant's. Twice adds nothing."""
    from assistant.clients import transfer

    with daemon() as client:
        how: dict[str, Any] = {"from": origin, "dry_run": dry_run, "with_forgotten": with_forgotten}
        if as_mine and not dry_run:
            seen = transfer.load(client, file, sealed=False, how=how | {"dry_run": True})
            how |= {"mine": transfer.choose(seen.get("notes", ()))}
        done = transfer.load(client, file, sealed=password, how=how)
    return console.as_json(done) if as_json else transfer.told(done)


@example("nestor token")
@main.command()
@json_option
def token(as_json: bool) -> None:
    """Print the owner's token, for your own programs."""
    value = owner_token(load_paths().token)
    return console.as_json({"token": value}) if as_json else console.line(value)


for command in (
    ask,
    chat,
    devices,
    forget,
    hotkey,
    learning,
    models,
    open_page,
    pair,
    recall,
    remember,
    sources,
    suggestions,
    talk,
    tray,
    wake,
    write,
):
    main.add_command(command)


def _unlock(paths: Paths, settings: Settings) -> None:
    """Ask for the recovery key where the memory is here, its key is not, and somebody can type."""
    if not sys.stdin.isatty() or paths.key.exists() or not paths.database.exists():
        return
    from assistant import offline

    if offline.key_missing(paths, settings):
        safekeeping.key_is_missing()
        offline.enter_key(paths, settings, safekeeping.typed_key())


def _swapping(swap: dict[str, Any]) -> str:
    return f"{swap['model']} has vectors of {swap['done']} of {swap['total']} texts"


def _sources(data: dict[str, int]) -> str:
    said = f"{data['count']} allowed, {data['files']} files, {data['failed']} could not be read"
    if data["indexing"]:
        said += f"; indexing, {data['done']} of {data['total']}"
    return said + (f"; {data['unavailable']} away" if data["unavailable"] else "")
