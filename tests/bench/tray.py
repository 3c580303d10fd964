"""What the icon costs while nothing happens: `nestor tray` in a real panel, with windows and hotkeys made."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.progress import say
from tests.bench.table import Row
from tests.desktop.desk import Desk
from tests.running import RunningDaemon

ROOT = Path(__file__).parents[2]
IDLE_S = 20.0
SETTLE_S = 5.0
BAR_PERCENT = 1.0
"""Of one core, for icon and wake word together (issue 6): the icon alone stays far below."""
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def measure(folder: Path, runs: int) -> Iterator[Row]:
    """Processor time and memory of the process over `runs` quiet times of 20 s."""
    folder.mkdir(parents=True, exist_ok=True)
    daemon = RunningDaemon(folder / "home").up()
    desk = Desk(folder)
    env = desk.env | {k: v for k, v in daemon.env.items() if k.startswith("NESTOR_")}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), *sys.path])
    process = None
    try:
        desk.show_panel()
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "assistant", "tray", "--json"], env=env,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        desk.until(desk.icons, 20)
        shown = time.perf_counter() - began
        time.sleep(SETTLE_S)
        used = []
        for run in range(runs):
            say(f"tray: quiet time {run + 1} of {runs}")
            before = _used(process.pid)
            assert before > 0, "this system does not count processor time"
            time.sleep(IDLE_S)
            used.append(100 * (_used(process.pid) - before) / IDLE_S)
        rss, pss = _memory(process.pid, "Rss"), _memory(process.pid, "Pss")
    finally:
        if process is not None:
            process.terminate()
            process.wait(10)
        desk.stop()
        daemon.stop()
    yield Row("`nestor tray` to an icon in the panel", "s", [shown])
    yield Row("icon, windows and hotkeys, idle", "% of a core", used, most=BAR_PERCENT)
    yield Row("RSS icon", "MB", [rss])
    yield Row("PSS icon", "MB", [pss])


def _used(pid: int) -> float:
    """Seconds of processor time, in user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory(pid: int, what: str) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise AssertionError(f"the system does not tell {what}")
