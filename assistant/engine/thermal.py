"""Whether the machine is too hot to be worked hard. No program is run for it, and no right is needed.

Linux shows its sensors, and the temperatures at which it begins to slow down, as files
(Documentation/ABI/testing/sysfs-class-thermal); Intel's CPUs also count how often they did. macOS tells
its thermal pressure through notify(3). Elsewhere nothing as simple is to be had: never hot.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

COOLER = 5_000
"""Thousandths of a degree below its trip point at which a sensor is not hot any more."""
_LEAST_TRIP = 40_000
"""Firmware leaves trip points that mean nothing at 0, or far below."""
_TRIPS = frozenset({"passive", "hot"})
"""Where the system slows down; `active` starts a fan, at `critical` it is too late."""

_PRESSURE = b"com.apple.system.thermalpressurelevel"
_HEAVY = 2
"""kOSThermalPressureLevelHeavy (libkern/OSThermalNotification.h), the `serious` of NSProcessInfo."""


def thermometer() -> Callable[[], bool]:
    """What says whether it is hot now; it remembers, so one for each who asks. Never raises."""
    if sys.platform == "linux":
        return Sensors().hot
    if sys.platform == "darwin":
        with contextlib.suppress(OSError, AttributeError):
            return Pressure(ctypes.CDLL("/usr/lib/libSystem.dylib")).hot
    return lambda: False


class Sensors:
    """Linux's, below `root`."""

    def __init__(self, root: Path = Path("/sys")) -> None:
        self._zones = root / "class/thermal"
        self._cpus = root / "devices/system/cpu"
        self._hot: set[Path] = set()
        self._throttled = self._count()

    def hot(self) -> bool:
        """Whether a sensor has reached its trip point, or a CPU was slowed down since the last look."""
        self._hot = {zone for zone in _found(self._zones, "thermal_zone*") if self._is_hot(zone)}
        before, self._throttled = self._throttled, self._count()
        return bool(self._hot) or self._throttled > before

    def _is_hot(self, zone: Path) -> bool:
        now, trip = _number(zone / "temp"), min(_trips(zone), default=0)
        return bool(trip) and now >= trip - (COOLER if zone in self._hot else 0)

    def _count(self) -> int:
        names = "cpu*/thermal_throttle/core_throttle_count"
        return sum(_number(path) for path in _found(self._cpus, names))


class Pressure:
    """macOS's, through its libSystem."""

    def __init__(self, system: Any) -> None:
        self._system = system
        self._token = ctypes.c_int(0)
        self._known = not system.notify_register_check(_PRESSURE, ctypes.byref(self._token))

    def hot(self) -> bool:
        """Whether the system slows programs down, or is about to."""
        level = ctypes.c_uint64(0)
        failed = self._system.notify_get_state(self._token, ctypes.byref(level))
        return self._known and not failed and level.value >= _HEAVY


def _trips(zone: Path) -> Iterator[int]:
    for path in _found(zone, "trip_point_*_type"):
        if _text(path) in _TRIPS:
            at = _number(path.with_name(path.name.removesuffix("type") + "temp"))
            if at >= _LEAST_TRIP:
                yield at


def _found(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def _number(path: Path) -> int:
    """0 if there is none; a sensor that sleeps cannot be read."""
    try:
        return int(_text(path))
    except ValueError:
        return 0


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return ""
