"""The wake word on a desktop: off unless the user turned it on, and visible as long as it listens.

What the microphone hears goes to the daemon on this machine and nowhere else; it is held for seconds, in
memory.
"""

from __future__ import annotations

import asyncio
import contextlib
from array import array
from collections import deque
from typing import Any

from assistant.clients.desktop.line import Line, Told
from assistant.clients.desktop.microphone import Microphone
from assistant.clients.desktop.speaker import Speaker
from assistant.clients.desktop.talk import Show
from assistant.clients.http import Client
from assistant.config import Paths
from assistant.errors import AssistantError, MicrophoneMissing, SpeakerMissing, Unreachable

BLOCK = 1_600
"""Samples in a piece: ten a second cost less than fifty."""
AGAIN_S = 5.0
"""After a microphone or a daemon that went away."""


class Gate:
    """Holds back what is no louder than the room always is: in a quiet room nobody has work.

    What it lets through begins a second before the sound that opened it.
    """

    def __init__(self) -> None:
        self.shut = True
        """Whether it holds anything back at all."""
        self._before: deque[bytes] = deque(maxlen=_BEFORE)
        self._floor: float | None = None
        self._open = 0

    def pass_on(self, piece: bytes) -> list[bytes]:
        """The pieces to be sent now."""
        samples = array("h", piece)
        peak = max(max(samples), -min(samples))
        self._floor = peak if self._floor is None else min(peak, self._floor * _RISE + 1)
        if not self.shut or peak > max(_FAINTEST, _LOUDER * self._floor):
            self._open = _AFTER
        if not self._open:
            self._before.append(piece)
            return []
        self._open -= 1
        found = [*self._before, piece]
        self._before.clear()
        return found


_BEFORE, _AFTER = 10, 20
"""Pieces."""
_FAINTEST = 150
"""Of 32,768: -47 dB."""
_LOUDER = 2.0
_RISE = 1.01
"""For each piece: a room that gets louder is the new quiet after some seconds."""


class WakeWatch:
    """Listens until it is closed. `show` gets `waiting` while it does, and then a talk's events.

    While the voice speaks nothing is sent, or it would interrupt itself; a key still does.
    """

    def __init__(
        self,
        paths: Paths,
        show: Show,
        microphone: Microphone | None = None,
        speaker: Speaker | None = None,
    ) -> None:
        self._paths, self._show = paths, show
        self._microphone = microphone or Microphone(BLOCK, self._sieve)
        self._gate = Gate()
        self._speaker = speaker or Speaker()
        self._running: asyncio.Task[None] | None = None
        self._line: Line | None = None
        self.paused = False
        """Set while a key is held: then what is said is not for the wake word."""

    @property
    def open(self) -> bool:
        """Whether the microphone is open for it."""
        return self._microphone.open

    async def start(self) -> None:
        """Listen from now on. Raises WakeWordOff, Unreachable and the like if it cannot begin."""
        if self._running is None or self._running.done():
            line = await self._begin()
            self._running = asyncio.create_task(self._run(line))

    async def stop(self) -> None:
        """Listen no more; the microphone is closed when this returns."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        self._microphone.stop()
        self._speaker.close()
        self._show("idle", {})

    async def hush(self) -> None:
        """Esc: stop the answer, and wait for the word again."""
        self._speaker.stop()
        if self._line is not None:
            with contextlib.suppress(AssistantError):
                await self._line.command(type="cancel")
                await self._ask(self._line)

    def register(self, actions: Any) -> None:
        """Offer them to menu and command line (see desktop.actions)."""
        actions.register("wake.start", self.start)
        actions.register("wake.stop", self.stop)

    async def _run(self, line: Line | None) -> None:
        while True:
            problem: AssistantError | None = None
            try:
                line = line or await self._begin()
                await self._listen(line)
            except (Unreachable, MicrophoneMissing) as exc:
                problem = exc
            finally:
                self._microphone.stop()
                if line is not None:
                    await line.close()
                line = self._line = None
            if problem is not None:  # the microphone is closed by now, and so it is shown
                self._show("error", {"error": problem.body()})
            await asyncio.sleep(AGAIN_S)

    async def _begin(self) -> Line:
        await self._microphone.start()
        line = await Line.to(self._paths)
        try:
            await self._ask(line)
        except BaseException:
            await line.close()
            raise
        self._line = line
        return line

    async def _ask(self, line: Line) -> None:
        chat = await asyncio.to_thread(self._new_chat)
        await line.command(type="start", mode="wake", conversation=chat)

    def _new_chat(self) -> str:
        with Client.to(self._paths) as client:
            return str(client.post("/api/v1/conversations", {})["id"])

    async def _listen(self, line: Line) -> None:
        both = [
            asyncio.create_task(self._send(line)),
            asyncio.create_task(self._receive(line)),
        ]
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    def _sieve(self, piece: bytes) -> list[bytes]:
        """In the microphone's thread: in a quiet room nothing else of this program runs."""
        return [] if self.paused or self._speaker.sounding else self._gate.pass_on(piece)

    async def _send(self, line: Line) -> None:
        async with contextlib.aclosing(self._microphone.pieces()) as pieces:
            async for piece in pieces:
                await line.samples(piece)

    async def _receive(self, line: Line) -> None:
        async for told in line.messages():
            if isinstance(told, bytes):
                with contextlib.suppress(SpeakerMissing):  # the text still comes
                    await self._speaker.play(told)
            else:
                await self._told(told)

    async def _told(self, told: Told) -> None:
        if told.event == "interrupted":
            self._speaker.stop()
        if told.event in ("waiting", "listening"):
            self._gate.shut = told.event == "waiting"
        if told.event == "error" and told.data["error"]["code"] == "wake_word_off":
            asyncio.get_running_loop().call_soon(self._give_up)
        self._show(told.event, told.data)

    def _give_up(self) -> None:
        if self._running is not None:
            self._running.cancel()
        self._microphone.stop()
