"""What a run of the benchmarks found: kept on disk as it goes on, so that a crash loses little."""

from __future__ import annotations

import json
import platform
import traceback
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from tests.bench.plots import draw
from tests.bench.progress import others_busy, say
from tests.bench.table import Row, show


class Report:
    """Rows, series for plots, and what broke."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._machine = machine()
        self._rows: dict[str, list[Row]] = {}
        self._busy: dict[str, float] = {}
        self._broken: dict[str, str] = {}
        self.series: dict[str, Any] = {}

    def take(self, group: str, rows: Callable[[], Iterable[Row]]) -> None:
        """Measure a group. One that breaks keeps the rows it had, and the next one goes on."""
        self._busy[group] = others_busy()
        found = self._rows.setdefault(group, [])
        try:
            for row in rows():
                found.append(row)
                self.write()
        except Exception as exc:
            traceback.print_exc()
            self._broken[group] = f"{type(exc).__name__}: {exc}"
            say(f"{group} broke off: {self._broken[group]}")
        self.write()

    @property
    def missed(self) -> list[str]:
        """Names of the rows over their limits, and of the groups that broke."""
        rows = [row.name for found in self._rows.values() for row in found if row.missed]
        return [*rows, *(f"all of {group} after that" for group in self._broken)]

    def write(self) -> None:
        """As JSON; a reader never sees half of it."""
        found = {
            "machine": self._machine,
            "busy_percent_before": self._busy,
            "broken": self._broken,
            "rows": [
                {"group": group} | row.as_dict()
                for group, rows in self._rows.items()
                for row in rows
            ],
            "series": self.series,
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f".{self._path.name}")
        draft.write_text(json.dumps(found, indent=1))
        draft.replace(self._path)

    def show(self) -> None:
        """The tables, and the plots beside the JSON."""
        for group, rows in self._rows.items():
            print(f"\n### {group}\n")
            show(rows)
        for file in draw(self.series, self._path.parent):
            say(f"plot: {file}")
        say(f"figures: {self._path}")


def machine() -> dict[str, Any]:
    """What it was measured on."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": platform.platform(),
        "cpu": _cpu(),
        "cores": psutil.cpu_count(logical=False),
        "threads": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "python": platform.python_version(),
        "llama_cpp_python": metadata.version("llama-cpp-python"),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "")
