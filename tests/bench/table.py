"""Rows of figures: median, spread, and the limit or peer they are held against."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measured thing."""

    name: str
    unit: str
    values: Sequence[float]
    most: float | None = None
    """The limit for the median, in `unit`."""
    least: float | None = None
    """The limit from below."""
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def p95(self) -> float:
        """The value that 95 % stay under; the largest of a few."""
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]

    @property
    def missed(self) -> bool:
        """Whether the limit does not hold."""
        over = self.most is not None and self.median > self.most
        under = self.least is not None and self.median < self.least
        return over or under

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "name": self.name, "unit": self.unit, "median": self.median, "min": min(self.values),
            "max": max(self.values), "p95": self.p95, "n": len(self.values), "most": self.most,
            "least": self.least, "note": self.note, **self.details,
        }  # fmt: skip


def show(rows: Sequence[Row]) -> None:
    """Print a table in Markdown."""
    print("| measure | median | min – max | p95 | n | limit | |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        limit = f"≤ {row.most:g}" if row.most is not None else ""
        limit = f"≥ {row.least:g}" if row.least is not None else limit
        mark = "" if not limit else "**missed**" if row.missed else "ok"
        spread = f"{min(row.values):.4g} – {max(row.values):.4g}"
        print(
            f"| {row.name}, {row.unit} | {row.median:.4g} | {spread} | {row.p95:.4g} "
            f"| {len(row.values)} | {limit} {mark} | {row.note} |"
        )
