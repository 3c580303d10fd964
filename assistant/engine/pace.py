"""How many threads compute, chosen while they do: a polite guest, and a quick one.

Threads wait for each other at every layer. One that has to share its core with another program holds
up all the others: on two cores with one busy neighbour two threads give a seventh of what one gives
(measured; shared/reference/engine.md). So the neighbours are watched, and whoever has no core to
itself does not take part.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from assistant.engine.neighbours import Busy, Load, running, usable_cpus
from assistant.engine.thermal import thermometer

CHECK_S = 0.25
IDLE_CHECK_S = 0.9
"""While nothing is computed: whoever asks next begins with the number that fits now."""
GLANCE_S = 0.05
"""Five ticks of Linux's clock: enough to tell a busy core from an idle one."""
PEEK_S = 0.002
"""Within a glance: whether anybody computes at this very moment."""
SMOOTH = 0.5
"""Weight of the newest look at the neighbours."""
SPARE = 0.35
"""Of a core: what neighbours may take before a thread gives way."""
RETURN = 0.15
"""Of a core: a thread comes back when neighbours take less than this beyond what it leaves them."""
BATTERY_SHARE = 0.5
"""Of the threads, on battery or while the machine is hot."""
BATTERY_S = 15.0
"""How often the battery and the heat are looked at."""
KIN_S = 15.0
"""How often it is looked who belongs to us."""


def on_battery() -> bool:
    """Whether the machine runs on its battery."""
    try:
        battery = psutil.sensors_battery()
    except (AttributeError, OSError, RuntimeError):
        return False
    return battery is not None and battery.power_plugged is False


class Pace:
    """Chooses between one thread and `threads`; with `fixed`, the user chose.

    `check` belongs to the thread that computes; `watch` is for another, beside it.
    """

    def __init__(
        self,
        threads: int,
        apply: Callable[[int], None],
        *,
        fixed: bool = False,
        cores: int | None = None,
        load: Load | None = None,
        running: Callable[[], int | None] = running,
        battery: Callable[[], bool] = on_battery,
        hot: Callable[[], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._most = threads
        self._apply = apply
        self._fixed = fixed
        self._cores = cores or len(usable_cpus())
        self._load = load or Load()
        self._running = running
        self._battery = battery
        self._thermometer = hot or thermometer()
        self._clock = clock
        self._pause = pause
        self._lock = threading.Lock()
        self._looked_at = clock()
        self._power_at = 0.0
        self._saving = self._hot = False
        self._kin_at = -KIN_S
        self._glanced_at = -IDLE_CHECK_S
        self._busy = Busy(0.0)
        self.threads = threads

    def check(self) -> None:
        """Between two steps: look at the neighbours if it is time, and follow."""
        self._look(CHECK_S, SMOOTH)
        wanted = self.threads if self._fixed else self._choose()
        if wanted != self.threads:
            self.threads = wanted
            self._apply(wanted)

    def wake(self) -> None:
        """Work begins after a rest. What was busy in the last second may be over: a glance tells.

        It costs GLANCE_S at most, and only then; with a thread too few a prompt takes twice as long.
        """
        if self._fixed:
            return
        with self._lock:
            if self._clock() - self._looked_at >= GLANCE_S:
                self._see(1.0)
            if self._choose() < self._allowed:
                self._glance()

    def watch(self) -> None:
        """Look at the neighbours if nobody has for a while."""
        now = self._clock()
        if now - self._kin_at >= KIN_S:
            self._kin_at = now
            self._load.find_kin()
        self._look(IDLE_CHECK_S, 1.0)

    def _look(self, every: float, weight: float) -> None:
        with self._lock:
            now = self._clock()
            passed = now - self._looked_at
            if passed < every:
                return
            self._see(1.0 if passed > IDLE_CHECK_S else weight)
            if now - self._power_at > BATTERY_S:
                self._look_at_power(now)

    def _see(self, weight: float) -> None:
        new = self._load.look()
        pairs = zip(self._busy, new, strict=True)
        self._busy = Busy(*(old + weight * (now - old) for old, now in pairs))
        self._looked_at = self._clock()

    def _glance(self) -> None:
        """Measure who still computes.

        Our own kin rest once their work is done. Where they alone were too busy, one moment in which they
        do not compute is enough; a stranger may only take a breath, and is measured for the whole time.
        """
        strangers = max(0.0, self._busy.others - self._busy.kin)
        kin_alone, now = self._fits(strangers) == self._allowed, self._clock()
        if not kin_alone:
            if now - self._glanced_at < IDLE_CHECK_S:
                return  # many short requests beside a busy program do not wait each time
            self._glanced_at = now
        self._load.look()
        while self._clock() < now + GLANCE_S:
            if kin_alone and self._none_but(strangers):
                self._load.look()
                self._busy, self._looked_at = Busy(strangers), self._clock()
                return
            self._pause(PEEK_S)
        self._see(1.0)

    def _none_but(self, strangers: float) -> bool:
        now = self._running()
        return now is not None and now <= round(strangers)

    def report(self) -> dict[str, Any]:
        """As `status` shows it."""
        return {
            "threads": self.threads,
            "threads_most": self._most,
            "neighbours": round(self._busy.others, 2),
            "power": "battery" if self._saving else "mains",
            "thermal": "hot" if self._hot else "normal",
        }

    def _look_at_power(self, now: float) -> None:
        self._power_at = now
        self._saving, self._hot = self._battery(), self._thermometer()

    @property
    def _allowed(self) -> int:
        """Threads, were there no neighbours."""
        spared = self._saving or self._hot
        return max(1, round(self._most * BATTERY_SHARE)) if spared else self._most

    def _choose(self) -> int:
        return self._fits(self._busy.others)

    def _fits(self, others: float) -> int:
        free = self._cores - others
        # What is free beyond our own threads decides: a core that others half need is not ours.
        fits = self._allowed
        while fits > 1 and fits > free + (SPARE if fits <= self.threads else RETURN):
            fits -= 1
        return fits
