"""From the key of Remember this to its confirmation on the screen; the note is stored by then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.progress import say
from tests.bench.quick_ask import SETTLE_S, Program
from tests.bench.table import Row, p95
from tests.desktop.screen import Screen
from tests.running import RunningDaemon

PRESSES = 20
BAR_MS = 100.0
SPOT = (640, 40)
"""In the notice, left of its words, on a screen of 1,000 by 700."""
TEXT = "The boiler was serviced on 3 March by Okafor and Sons."


def measure(folder: Path, _runs: int) -> Iterator[Row]:
    """20 presses over a field with a selection, whatever `runs` is."""
    folder.mkdir(parents=True, exist_ok=True)
    daemon = RunningDaemon(folder / "home").up()
    screen = Screen(folder)
    try:
        screen.start(sys.executable, "tests/desktop/field.py", "text", TEXT, str(folder / "out"))
        screen.until(lambda: (folder / "out").exists())
        time.sleep(1)
        screen.key("ctrl+a")
        say("remembering: the notice")
        env = {k: v for k, v in daemon.env.items() if k.startswith("NESTOR_")}
        keys = ("Control_L", "Alt_L", "r")
        with Program(screen, env, "tests/desktop/writer.py", keys=keys, spot=SPOT) as ours:
            times = list(_times(ours))
        stored = daemon.api.get("/api/v1/status").json()["memory"]["count"]
    finally:
        screen.stop()
        daemon.stop()
    yield Row("remember: key to confirmation, p95 of 20", "ms", [p95(times)], most=BAR_MS)
    yield Row(
        "remember: key to confirmation", "ms", times, most=BAR_MS, note=f"{stored} notes stored"
    )


def _times(ours: Program) -> Iterator[float]:
    empty = ours.pixel()
    for number in range(PRESSES + 1):
        begun = time.perf_counter()
        ours.press()
        ours.until(lambda: ours.pixel() != empty)
        if number:  # the first has the fonts to load
            yield 1000 * (time.perf_counter() - begun)
        ours.until(lambda: ours.pixel() == empty)
        time.sleep(SETTLE_S)
