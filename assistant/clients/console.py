"""What the command line prints: for people with rich, for programs as JSON."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from assistant.errors import AssistantError
from assistant.types import Event

out = Console(highlight=False, markup=False, soft_wrap=True)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # C0 and C1, but tab and line feed
err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def as_json(value: Any) -> None:
    """A value for programs: one JSON document on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def line(text: str) -> None:
    """A line for people. Text of memories and answers goes through here: no markup is read in it."""
    out.print(plain(text))


def plain(text: str) -> str:
    """Without control characters: an answer or a memory must not steer the terminal it is shown in."""
    return _CONTROL.sub("", text)


def error(exc: AssistantError) -> None:
    """What went wrong and what to do next, on standard error."""
    err.print(f"Error: {exc.message}")
    if exc.hint:
        err.print(f"  {exc.hint}")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A plain table; without a header if the columns have no names."""
    grid = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*row)
    out.print(grid)


def pieces(events: Iterable[Event]) -> list[Event]:
    """Print an answer as it comes; returns all its events."""
    seen = []
    for event in events:
        seen.append(event)
        if event.event == "token":
            sys.stdout.write(plain(event.data["text"]))
            sys.stdout.flush()
    sys.stdout.write("\n")
    return seen


def receipt(events: Sequence[Event]) -> None:
    """The account of an answer."""
    by_name = {event.event: event.data for event in events}
    items = {item["id"]: item for item in by_name.get("recalled", {}).get("items", [])}
    data = by_name.get("receipt", {})
    err.print("")
    for memory in data.get("memories", []):
        item = items.get(memory["id"], {})
        text = item.get("text", "")
        if item.get("place"):
            text = f"{item['source']}: {text}"
        err.print(
            f"  memory {memory['id']}  score {memory['score']:.2f}  {memory['tokens']} tokens: {plain(text)}"
        )
    where = data.get("where", {})
    place = f"{where.get('gpu_layers', 0)} of {where.get('layers', 0)} layers on the GPU"
    err.print(
        f"  {data.get('model')} on {where.get('device')} ({place}): "
        f"{data.get('tokens_in')} tokens in ({data.get('tokens_cached')} cached), "
        f"{data.get('tokens_out')} out, first after {data.get('first_token_ms')} ms, "
        f"{data.get('tokens_per_s')} tokens/s"
    )
    if guessed := data.get("drafted"):
        err.print(f"  {guessed} tokens were guessed ahead, {data.get('accepted')} of them rightly")
    if older := data.get("summarised"):
        err.print(f"  {older['turns']} older turns are in it as a summary")
    for item in data.get("dropped", []):
        err.print(f"  not in the prompt: {item}")
    for what, ids in (data.get("memory") or {}).items():
        if what != "asks":
            err.print(f"  memory {what}: {', '.join(ids)}")
    left = data.get("left_machine")
    err.print(f"  left this machine: {left or 'nothing'}")


class _Speed(TransferSpeedColumn):
    """Bytes per second; nothing while there is nothing to say."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.finished_speed or task.speed else Text()


class _Bytes(DownloadColumn):
    """Bytes done of bytes in all; nothing where they are not counted."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.total else Text()


class _Steps:
    """One step after the other as a bar; it begins anew where the end is another one, or none is known."""

    def __init__(self, bar: Progress, title: str) -> None:
        self._bar, self._title = bar, title
        self._task: TaskID | None = None
        self._total = 0

    def show(self, step: str, done: int, total: int, records: int = 0) -> None:
        description = f"{self._title}: {step}" + (f", {records:,} records" if records else "")
        if self._task is not None and total != self._total:
            self._bar.remove_task(self._task)
            self._task = None
        if self._task is None:
            self._task = self._bar.add_task(description, total=total or None)
        self._total = total
        self._bar.update(self._task, description=description, completed=done)


@contextlib.contextmanager
def _stepping(title: str) -> Iterator[_Steps]:
    columns = (TextColumn("{task.description}"), BarColumn(), _Bytes(), _Speed())
    with Progress(*columns, console=err) as bar:
        yield _Steps(bar, title)


def follow(events: Iterable[Event], title: str) -> dict[str, Any]:
    """Show the steps of a download, a check or an import as a bar; returns what came of it.

    That is what `done` says, or, where it says nothing, the last step.
    """
    last: dict[str, Any] = {}
    with _stepping(title) as bar:
        for event in events:
            if event.event == "done" and event.data:
                last = event.data
            elif event.event == "progress":
                last = event.data
                counted = last.get("records", 0)
                bar.show(last["step"], last["done_bytes"], last["total_bytes"], counted)
    return last


@contextlib.contextmanager
def steps(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show work that this process does itself as a bar: call with the step, bytes done, bytes in all."""
    with _stepping(title) as made:
        yield made.show


def follow_files(events: Iterable[Event], title: str) -> None:
    """Show jobs as they go on, as a bar of files."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[more]}"),
    )
    with Progress(*columns, console=err) as bar:
        task = bar.add_task(title, total=None, more="")
        for event in events:
            job = event.data
            read = f"{job['bytes_done'] / 1e6:,.1f} of {job['bytes_total'] / 1e6:,.1f} MB"
            failed = f", {job['errors']} could not be read" if job["errors"] else ""
            more = f"{read}{failed}" if job["bytes_total"] else ""
            bar.update(task, completed=job["done"], total=job["total"] or None, more=more)


def megabytes(size: int) -> str:
    """A number of bytes, for people."""
    return f"{size / 1e6:,.0f} MB"
