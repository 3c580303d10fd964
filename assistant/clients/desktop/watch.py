"""What is known of the daemon, kept true: its events as they come, its state read anew when they say so."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from assistant.clients.desktop import menu, status
from assistant.clients.desktop.link import Link, follow
from assistant.clients.desktop.status import Chat, Seen, Taking
from assistant.config import Paths
from assistant.errors import AssistantError
from assistant.types import Event

log = logging.getLogger("assistant.desktop")

SETTLE_S = 0.3
"""Changes that come together are read together."""
LOOK_S = 3.0
"""Between two looks at a daemon that is busy with what no event tells, or that has a problem."""

_READS = {"turn_finished", "conversation", "memories", "devices"}

Spawn = Callable[[Coroutine[Any, Any, Any]], Any]


class Watch:
    """One `seen` after the other. Everything on the event loop; `spawn` makes the tasks, and ends them.

    `changed` gets what was seen before; `happened` each event, once what it says is seen.
    """

    def __init__(
        self,
        paths: Paths,
        spawn: Spawn,
        changed: Callable[[Seen], None],
        happened: Callable[[Event], None],
    ) -> None:
        self._paths, self._spawn = paths, spawn
        self._changed, self._happened = changed, happened
        self.seen = Seen()
        self._reading: asyncio.Task[Any] | None = None
        self._again = False
        self._answers: dict[str, str] = {}

    async def run(self) -> None:
        """For ever, across restarts of the daemon."""
        async for event in follow(self._paths):
            if event is None:
                self._answers.clear()
                self.see(status.off(self.seen))
                continue
            if event.event == "sync":  # a new line: what was running there is told anew
                self.see(msgspec.structs.replace(self.seen, turns=frozenset(), online=True))
                self.look()
            elif event.event == "turn_finished":
                self._spawn(self._keep_answer(event.data))
            elif event.event in _READS:
                self.look(SETTLE_S)
            self.see(status.after(self.seen, event))
            self._happened(event)

    def take(self, what: Taking, *, on: bool) -> None:
        """This program begins or ends to take something of the user's."""
        self.see(status.take(self.seen, what, on=on))

    def see(self, seen: Seen) -> None:
        """This is how it is."""
        if seen != self.seen:
            before, self.seen = self.seen, seen
            self._changed(before)

    def look(self, wait_s: float = 0.0) -> None:
        """Read everything anew, soon."""
        if self._reading is None or self._reading.done():
            self._reading = self._spawn(self._read(wait_s))
        else:
            self._again = True  # it may have read just before what was meant

    async def _read(self, wait_s: float) -> None:
        while True:
            await asyncio.sleep(wait_s)
            self._again, wait_s = False, SETTLE_S
            try:
                self.see(await self._state())
            except AssistantError as exc:
                log.info("the daemon's state could not be read: %s", exc.code)
            if not self.seen.online:
                return
            if not self._again:
                if not self.seen.busy and not self.seen.problem:
                    return
                wait_s = LOOK_S

    async def _state(self) -> Seen:
        async with Link.to(self._paths) as link:
            told = await link.get("/api/v1/status")
            mode = await link.get("/api/v1/learning")
            chats = await link.get("/api/v1/conversations", limit=menu.CHATS)
            devices = await link.get("/api/v1/devices")
        return msgspec.structs.replace(
            status.read(self.seen, told),
            paused=mode["mode"] == "off",
            chats=tuple(
                Chat(one["id"], one["title"] or "", self._answers.get(one["id"], ""))
                for one in chats["items"]
            ),
            devices=tuple(one["name"] for one in devices["items"]),
        )

    async def _keep_answer(self, data: dict[str, Any]) -> None:
        """The beginning of an answer, for the menu: in memory alone, and of the latest chats."""
        with contextlib.suppress(AssistantError):
            async with Link.to(self._paths) as link:
                turn = await link.get(f"/api/v1/turns/{data['turn']}")
            self._answers.pop(data["conversation"], None)
            self._answers[data["conversation"]] = menu.plain(turn["reply"] or "")
            for oldest in list(self._answers)[: -menu.CHATS]:
                del self._answers[oldest]
        self.look(SETTLE_S)
