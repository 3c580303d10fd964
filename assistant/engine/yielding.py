"""Gives the GPU's memory back when another program needs it; the next request takes what is free then."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from assistant.engine.devices import Device
from assistant.engine.vram import vram_pressure

log = logging.getLogger(__name__)

LOOK_S = 3.0


class Yielding:
    """Watches while a model is on a GPU. `report` is the child's.

    `stop` puts its chats to disk first, and says whether it stopped: not if it was asked meanwhile.
    """

    def __init__(
        self,
        report: Callable[[], dict[str, Any]],
        idle: Callable[[], bool],
        stop: Callable[[], Awaitable[bool]],
        look_s: float = LOOK_S,
    ) -> None:
        self._report = report
        self._idle = idle
        self._stop = stop
        self._look_s = look_s
        self._task: asyncio.Task[None] | None = None

    def watch(self, ours_bytes: int) -> None:
        """Watch from now on, a model that takes so much; 0: it takes none, so there is nothing to watch."""
        self._end()
        if ours_bytes:
            self._task = asyncio.get_running_loop().create_task(self._watch(ours_bytes))

    async def close(self) -> None:
        """Watch no more."""
        if task := self._end():
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _end(self) -> asyncio.Task[None] | None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        return task

    async def _watch(self, ours_bytes: int) -> None:
        pressed = 0
        while pressed < 2 or not await self._stop():
            await asyncio.sleep(self._look_s)
            devices = msgspec.convert(self._report().get("devices", ()), tuple[Device, ...])
            # Twice in a row: programs that start take much and give some back.
            pressed = pressed + 1 if self._idle() and vram_pressure(devices, ours_bytes) else 0
        log.info("another program needs the GPU: the model left it until it is asked again")
