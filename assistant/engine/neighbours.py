"""What other programs take of this machine: who computes beside us, and which of them are our own."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil

_LOADAVG = Path("/proc/loadavg")


class Busy(NamedTuple):
    """CPU time, in cores."""

    others: float
    """All processes but this one."""
    kin: float = 0.0
    """Of it: the daemon and its other children, which work for the same user by turns with us."""


class Load:
    """CPU time that other processes take."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._kin: dict[psutil.Process, float] = {}
        self._at = 0.0
        self._total = 0.0
        self._own = 0.0
        self.look()

    def look(self) -> Busy:
        """Since the last look."""
        at = time.monotonic()
        every = psutil.cpu_times(percpu=True)
        ours = [every[cpu] for cpu in usable_cpus() if cpu < len(every)]
        total = sum(_busy(times) for times in ours or every)
        own = _used(self._process)
        passed, others = at - self._at, (total - self._total) - (own - self._own)
        self._at, self._total, self._own = at, total, own
        kin = self._look_at_kin()
        if passed <= 0:
            return Busy(0.0)
        others = max(0.0, others / passed)
        return Busy(others, min(others, kin / passed))

    def find_kin(self) -> None:
        """Who belongs to us now. Takes some milliseconds: all processes are read."""
        found = []
        with contextlib.suppress(psutil.Error):
            if (parent := self._process.parent()) is not None:
                found = [parent, *parent.children()]
        known = self._kin
        self._kin = {one: known.get(one, -1.0) for one in found if one != self._process}

    def _look_at_kin(self) -> float:
        """Seconds that they computed since the last look. Whoever is new counts from the next one."""
        kin, spent = self._kin, 0.0
        for one, before in list(kin.items()):
            try:
                kin[one] = now = _used(one)
            except psutil.Error:
                continue
            spent += now - before if before >= 0 else 0.0
        return spent


def running() -> int | None:
    """Threads of other programs that compute or wait for a core at this moment; None: it cannot be told."""
    try:
        return int(_LOADAVG.read_text("ascii").split()[3].partition("/")[0]) - 1
    except (OSError, ValueError, IndexError):
        return None


def usable_cpus() -> list[int]:
    """The processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _busy(times: Any) -> float:
    """Seconds that were not idle. Guests are counted in user time already."""
    idle = times.idle + getattr(times, "iowait", 0.0)
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return float(sum(times) - guests - idle)
