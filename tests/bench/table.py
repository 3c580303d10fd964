"""Rows of figures: median, spread, and the limit or peer they are held against."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Sequence
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
    problem: str = ""
    """Why it could not be measured as it should have been; counts as missed where there is a limit."""

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def p95(self) -> float:
        """The value that 95 % stay under; the largest of a few."""
        return p95(self.values)

    @property
    def limited(self) -> bool:
        """Whether it is held to something."""
        return self.most is not None or self.least is not None

    @property
    def missed(self) -> bool:
        """Whether the limit does not hold."""
        if self.problem or not self.values:
            return self.limited
        over = self.most is not None and self.median > self.most
        under = self.least is not None and self.median < self.least
        return over or under

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        figures = {
            "median": self.median, "min": min(self.values), "max": max(self.values), "p95": self.p95,
        } if self.values else {}  # fmt: skip
        return {
            "name": self.name, "unit": self.unit, **figures, "n": len(self.values),
            "values": list(self.values), "most": self.most, "least": self.least,
            "missed": self.missed, "note": self.note, "problem": self.problem, **self.details,
        }  # fmt: skip


def p95(values: Sequence[float]) -> float:
    """The value that 95 % stay under; the largest of a few."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


def span(values: Collection[float]) -> str:
    """From the least to the most, in whole numbers."""
    low, high = (f"{pick(values):.0f}" for pick in (min, max))
    return low if low == high else f"{low} to {high}"


def ratio(
    name: str,
    above: Sequence[float],
    below: Sequence[float],
    *,
    problem: str = "",
    **limit: float,
) -> Row:
    """`above` over `below`, run by run, held to `least` or `most`; runs are pairs made one after the other.

    Without one of them (a peer that cannot be had) it is a row with a problem.
    """
    pairs = [a / b for a, b in zip(above, below) if b]
    problem = problem or ("" if pairs else "nothing to compare with")
    return Row(name, "×", pairs, problem=problem, **limit)


def show(rows: Sequence[Row]) -> None:
    """Print a table in Markdown."""
    print("| measure | median | min – max | p95 | n | limit | |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        limit = f"≤ {row.most:g}" if row.most is not None else ""
        limit = f"≥ {row.least:g}" if row.least is not None else limit
        mark = "" if not limit else "**missed**" if row.missed else "ok"
        note = "; ".join(part for part in (row.problem and f"**{row.problem}**", row.note) if part)
        print(
            f"| {row.name}, {row.unit} | {_figures(row)} "
            f"| {len(row.values)} | {limit} {mark} | {note} |"
        )


def _figures(row: Row) -> str:
    if not row.values:
        return "– | – | –"
    return f"{row.median:.4g} | {min(row.values):.4g} – {max(row.values):.4g} | {row.p95:.4g}"
