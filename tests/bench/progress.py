"""What goes on, on stderr, with the seconds since the start."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import psutil

_BEGUN = time.monotonic()
_BUSY_PERCENT = 15.0


def say(text: str) -> None:
    """One line."""
    print(f"[{time.monotonic() - _BEGUN:6.0f} s] {text}", file=sys.stderr, flush=True)


def figures(values: Sequence[float], unit: str) -> str:
    """Measured values as a short line."""
    return f"{' '.join(f'{value:.3g}' for value in values)} {unit}"


def others_busy(seconds: float = 1.0) -> float:
    """CPU that the machine uses now, percent of all cores; says so if it is not quiet."""
    busy = psutil.cpu_percent(seconds)
    if busy > _BUSY_PERCENT:
        say(f"this machine is not quiet: {busy:.0f} % of its cores are busy; figures will be off")
    return busy
