"""From a real key to the quick-ask window on the screen, beside the least that any program could do.

The key goes down by XTEST; then one pixel of the place where the window comes is read until it has the
window's colour: so the time has the X server, the window manager, Tk and the drawing in it. The floor is
a program that grabs the same key and maps a bare window (bare_window.py), measured in the same way.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.bench.progress import say
from tests.bench.table import Row, p95
from tests.desktop.screen import Screen
from tests.running import RunningDaemon

ROOT = Path(__file__).parents[2]
PRESSES = 50
BAR_MS = 150.0
KEYS = ("Control_L", "Alt_L", "space")
SPOT = (500, 130)
"""Inside the window, at its upper edge, on a screen of 1,000 by 700."""
DRAWN = b"\xff\xff\xff"
"""The colour of the light window's question, and of the bare window. The frame around it has another one."""
SETTLE_S = 0.25


def measure(folder: Path, _runs: int) -> Iterator[Row]:
    """50 openings of each, whatever `runs` is: a p95 needs them."""
    folder.mkdir(parents=True, exist_ok=True)
    daemon = RunningDaemon(folder / "home").up()
    screen = Screen(folder)
    try:
        say("quick_ask: the floor")
        with Program(screen, {}, "tests/bench/bare_window.py") as bare:
            floor = bare.times()
        say("quick_ask: the window")
        env = {k: v for k, v in daemon.env.items() if k.startswith("NESTOR_")} | {
            "NESTOR_THEME": "light"
        }
        with Program(screen, env, "tests/desktop/resident.py", str(folder / "sent")) as ours:
            times = ours.times()
    finally:
        screen.stop()
        daemon.stop()
    yield Row("hotkey to window visible, p95 of 50", "ms", [p95(times)], most=BAR_MS)
    yield Row("hotkey to window visible", "ms", times, most=BAR_MS)
    yield Row(
        "hotkey to a bare window visible", "ms", floor, note="the floor, same machine and run"
    )
    ratio = sorted(times)[PRESSES // 2] / sorted(floor)[PRESSES // 2]
    yield Row("quick-ask against the bare window", "×", [ratio])


class Program:
    """A program that shows a window when the hotkey goes down, and hides it when it does again."""

    def __init__(
        self,
        screen: Screen,
        env: dict[str, str],
        *command: str,
        keys: Sequence[str] = KEYS,
        spot: tuple[int, int] = SPOT,
    ) -> None:
        self._keys, self._spot = keys, spot
        self._process = subprocess.Popen(
            [sys.executable, *command],
            env=screen.env | env | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        from Xlib.display import Display

        self._display: Any = Display(screen.name)

    def __enter__(self) -> Program:
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("ready")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._display.close()

    def times(self) -> list[float]:
        """Milliseconds of each opening."""
        empty = self.pixel()
        found = []
        for number in range(PRESSES + 1):
            begun = time.perf_counter()
            self.press()
            self.until(lambda: self.pixel() == DRAWN)
            if number:  # the first has the fonts to load
                found.append(1000 * (time.perf_counter() - begun))
            time.sleep(SETTLE_S)
            self.press()
            self.until(lambda: self.pixel() == empty)
            time.sleep(SETTLE_S)
        return found

    def press(self) -> None:
        """Down and up."""
        from Xlib import XK, X
        from Xlib.ext import xtest

        codes = [self._display.keysym_to_keycode(XK.string_to_keysym(name)) for name in self._keys]
        for kind, keys in ((X.KeyPress, codes), (X.KeyRelease, codes[::-1])):
            for code in keys:
                xtest.fake_input(self._display, kind, code)
        self._display.sync()

    def pixel(self) -> bytes:
        """Of the screen, now."""
        from Xlib import X

        root = self._display.screen().root
        return bytes(root.get_image(*self._spot, 1, 1, X.ZPixmap, 0xFFFFFF).data[:3])

    def until(self, true: Any) -> None:
        """Raises TimeoutError after five seconds."""
        deadline = time.perf_counter() + 5
        while not true():
            if time.perf_counter() > deadline:
                raise TimeoutError("the window did not come or go")
