"""What `nestor eval` shows: a table with bars, and the same as a picture."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from assistant.clients import console
from assistant.errors import DiskFull

BAR = 20
_ROW, _LEFT, _WIDTH = 26, 250, 320
"""Pixels of the picture."""


def following() -> Progress:
    """A bar of checks; see `step`."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console.err)


def show(report: dict[str, Any], *, details: bool) -> None:
    """The table; with `details`, everything that was wrong."""
    rows = [
        (
            one["name"],
            bar(one["percent"]),
            f"{one['percent']:.0f} %",
            f"{one['right']} of {one['of']}",
        )
        for one in report["scores"]
    ]
    console.table(("score", "", "", "right"), rows)
    times = [
        (one["name"], f"{one['p50_ms']:,.0f} ms", f"{one['p95_ms']:,.0f} ms", str(one["n"]))
        for one in report["timings"]
    ]
    console.table(("time", "median", "95 %", "n"), times)
    if report["tokens_per_s"]:
        console.line(f"{report['tokens_per_s']:.0f} tokens/s")
    console.line(f"{report['model']}, {report['embedder']}, {report['took_s']:.0f} s")
    for one in report["skipped"]:
        console.line(f"Not measured: {one}")
    if details:
        _details(report)


def _details(report: dict[str, Any]) -> None:
    for score in report["scores"]:
        for check in score["checks"]:
            if not check["ok"]:
                console.line(f"{score['name']}: {check['what']}")
                if check["found"]:
                    console.line(f"    {' '.join(check['found'].split())[:160]}")


def bar(percent: float) -> str:
    """A share as a bar of characters."""
    full = round(BAR * percent / 100)
    return "█" * full + "░" * (BAR - full)


def picture(report: dict[str, Any]) -> str:
    """The scores as SVG."""
    scores = report["scores"]
    height = _ROW * (len(scores) + 2)
    title = escape(f"{report['model']}, {report['embedder']}")
    size = f'width="{_LEFT + _WIDTH + 80}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="10" y="18" font-weight="bold">nestor eval: {title}</text>',
    ]
    for at, one in enumerate(scores, 1):
        y = at * _ROW + 10
        width = _WIDTH * one["percent"] / 100
        lines += [
            f'<text x="10" y="{y + 13}">{escape(one["name"])}</text>',
            f'<rect x="{_LEFT}" y="{y}" width="{_WIDTH}" height="17" fill="#e5e7eb"/>',
            f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="17" fill="#2f6f5e"/>',
            f'<text x="{_LEFT + _WIDTH + 8}" y="{y + 13}">{one["percent"]:.0f} %</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def write(report: dict[str, Any], name: str) -> None:
    """Write the picture. Raises DiskFull where that cannot be done."""
    try:
        Path(name).write_text(picture(report), "utf-8")
    except OSError as exc:
        raise DiskFull(
            "The picture could not be written.", "Check the folder and its free space."
        ) from exc
