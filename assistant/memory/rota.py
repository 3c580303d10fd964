"""When the next backup is due, and making it while little else happens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from assistant.errors import AssistantError, Internal
from assistant.memory.backups import Backups
from assistant.types import Backup, now, timestamp

log = logging.getLogger(__name__)

SETTLE_S = 60.0
"""After a start, other things come first."""
RETRY_S = 900.0
"""After a failure."""
IDLE_S = 20.0
"""So long nothing must have been asked."""
PATIENCE_S = 3600.0
"""A machine that is never idle gets its backup all the same."""
LOOK_S = 600.0
"""The clock may be set, and the machine may sleep: the date is looked at this often."""


class Rota:
    """Makes a backup every so many hours. By date, so that restarts make no more of them."""

    def __init__(
        self,
        backups: Backups,
        every_h: float,
        idle: Callable[[], bool],
        *,
        clock: Callable[[], str] = now,
    ) -> None:
        self._backups = backups
        self._every = timedelta(hours=every_h)
        self._idle = idle
        self._clock = clock
        self._problem: AssistantError | None = None
        self._failed_at = ""
        self._not_before = time.monotonic() + SETTLE_S
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, unless it is turned off."""
        if self._every:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End. A backup that is being made is ended by `Backups.close`."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def report(self) -> dict[str, Any]:
        """`{"last", "next", "count", "problem", "hint"}`: dates, None where there is none.

        `problem` is why the last try failed; empty once a backup was made after it.
        """
        found = [one for one in await self._backups.list() if one.kind == "backup"]
        last = max((one.date for one in found if one.verified), default=None)
        failed = self._problem if self._problem and (last or "") <= self._failed_at else None
        return {
            "last": last,
            "next": timestamp(self._due(found)) if self._every else None,
            "count": len(found),
            "problem": failed.message if failed else "",
            "hint": failed.hint if failed else "",
        }

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(min(LOOK_S, max(0.0, self._not_before - time.monotonic())))
            left = self._due(await self._backups.list()) - self._moment()
            if time.monotonic() < self._not_before:
                continue
            if left > timedelta():
                await asyncio.sleep(min(LOOK_S, left.total_seconds()))
                continue
            await self._until_idle()
            await self._make()

    def _due(self, found: list[Backup]) -> datetime:
        moment = self._moment()
        # One from the future was made while the clock was wrong: waiting for it could take years.
        dates = [datetime.fromisoformat(b.date) for b in found if b.verified and self._usual(b)]
        last = max((date for date in dates if date <= moment), default=None)
        return last + self._every if last else moment

    def _usual(self, backup: Backup) -> bool:
        return backup.kind == "backup" and backup.folder == str(self._backups.folder)

    def _moment(self) -> datetime:
        return datetime.fromisoformat(self._clock())

    async def _until_idle(self) -> None:
        give_up = time.monotonic() + PATIENCE_S
        since = time.monotonic()
        while (moment := time.monotonic()) < give_up:
            since = since if self._idle() else moment
            if moment - since >= IDLE_S:
                return
            await asyncio.sleep(min(1.0, IDLE_S))

    async def _make(self) -> None:
        try:
            await self._backups.make(gentle=True)
        except AssistantError as exc:
            self._fail(exc)
        except Exception as exc:  # noqa: BLE001 - must never end the rota
            log.error("a backup failed with %s", type(exc).__name__)  # noqa: TRY400
            self._fail(Internal("The backup could not be made."))
        else:
            self._problem = None

    def _fail(self, problem: AssistantError) -> None:
        log.warning("no backup was made: %s", problem.code)
        self._problem, self._failed_at = problem, self._clock()
        self._not_before = time.monotonic() + RETRY_S
