"""Export to a file and import from one, on the command line."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from assistant.clients import console
from assistant.clients.http import Client
from assistant.errors import Conflict, DiskFull, InvalidInput

PLAIN = (
    "This file is not encrypted: whoever has it can read all you told Nestor. "
    "Keep it safe, or export with --password."
)


def save(client: Client, name: str | None, *, sealed: bool, vectors: bool) -> dict[str, Any]:
    """Export into a new file, readable by this user alone. Raises Conflict if there is one."""
    path = Path(name or f"nestor-{datetime.now(UTC):%Y%m%d-%H%M%S}.export").absolute()
    if path.exists():
        raise Conflict("There is a file by that name.", "Choose another name, or remove it first.")
    password = ask_password(again=True) if sealed else ""
    pieces = client.download("/api/v1/export", {"password": password, "vectors": vectors})
    size = _write(path, pieces)
    if not sealed:
        console.err.print(PLAIN)
    return {"file": str(path), "bytes": size, "encrypted": sealed}


def load(client: Client, name: str, *, sealed: bool, how: dict[str, Any]) -> dict[str, Any]:
    """Import a file that lies on this machine; what became of it. `how` goes along as it is."""
    password = ask_password() if sealed else ""
    body = {"path": str(Path(name).absolute()), "password": password} | how
    return console.follow(client.stream("/api/v1/import", body), Path(name).name)


def choose(notes: Sequence[str]) -> list[str]:
    """Show the notes of another program, whole, and ask; what a yes to them is, as the API takes it."""
    if not notes:
        return []
    for number, note in enumerate(notes, 1):
        console.err.print(f"{number:>5}  {console.plain(note)}")
    console.err.print("What you take becomes your own: facts that Nestor believes and acts on.")
    answer: str = click.prompt(
        "Take which? Numbers and ranges, `all` or `none`", default="none", err=True
    )
    return [hashlib.sha256(notes[at - 1].encode()).hexdigest() for at in chosen(answer, len(notes))]


def chosen(answer: str, count: int) -> list[int]:
    """The numbers that an answer names, of those from 1 to `count`. Raises InvalidInput."""
    words = answer.replace(",", " ").split()
    if words in (["none"], []):
        return []
    if words == ["all"]:
        return list(range(1, count + 1))
    found: list[int] = []
    for word in words:
        ends = word.split("-")
        if len(ends) > 2 or not all(end.isdecimal() for end in ends):
            raise InvalidInput(f"{word} is no number.", "Type numbers as in `1 4-9`.")
        first, last = int(ends[0]), int(ends[-1])
        if not 1 <= first <= last <= count:
            raise InvalidInput(f"There is no {word}.", f"The numbers go from 1 to {count}.")
        found += range(first, last + 1)
    return list(dict.fromkeys(found))


def told(done: dict[str, Any]) -> None:
    """What became of an import, for people."""
    would = "Would add" if done["dry_run"] else "Added"
    console.line(f"{would}: {_counts(done['added']) or 'nothing'}.")
    if done["same"]:
        console.line(f"Here already: {_counts(done['same'])}.")
    if done["different"]:
        console.line(f"Here with other values, left as they are: {_counts(done['different'])}.")
    if done.get("forgotten"):
        console.line(f"Forgotten here, and left out: {_counts(done['forgotten'])}.")
        console.line("  `nestor import --with-forgotten` brings it back.")
    for one in done.get("skipped", ()):
        console.line(f"Left out: {one['what']} ({one['place']}): {one['why']}.")
    if (more := done.get("skipped_count", 0) - len(done.get("skipped", ()))) > 0:
        console.line(f"Left out: {more:,} more.")


def ask_password(*, again: bool = False) -> str:
    """A password from the keyboard, unseen; or the first line of what is piped in."""
    if sys.stdin.isatty():
        password = str(
            click.prompt("Password", hide_input=True, confirmation_prompt=again, err=True)
        )
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise InvalidInput("The password is empty.", "Type one, or leave --password out.")
    return password


def _write(path: Path, pieces: Iterator[bytes]) -> int:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        draft.rename(path)
    except OSError as exc:
        raise DiskFull(
            "The file could not be written.", "Check the folder and its free space."
        ) from exc
    finally:
        draft.unlink(missing_ok=True)
    return size


def _counts(rows: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {table}" for table, count in rows.items())
