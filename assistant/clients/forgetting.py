"""Shows what was forgotten, or would be, and what the search for it found."""

from __future__ import annotations

from typing import Any

from assistant.clients import console, safekeeping


def would_go(told: dict[str, Any]) -> None:
    """Of a dry run."""
    console.line(f"Would go: {_rows(told) or 'nothing'}.")


def went(told: dict[str, Any]) -> None:
    """Rows by table, the proof, and the backups that hold it yet."""
    count = len(told["forgotten"])
    console.line(f"Forgot {count} memor{'y' if count == 1 else 'ies'}.")
    if rows := _rows(told):
        console.line(f"Rows that went: {rows}.")
    if proof := told.get("proof"):
        searched = f"{proof['files']} files and {proof['pages']} pages searched"
        console.line(f"Copies left: {proof['copies']} ({searched}).")
        for place in proof["places"]:
            console.line(f"  {place['place']}: {place['what']}, {place['count']} times")
    safekeeping.still_held(told["backups"])


def _rows(told: dict[str, Any]) -> str:
    return ", ".join(f"{count} {table}" for table, count in told.get("counts", {}).items())
