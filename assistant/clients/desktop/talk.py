"""Hold a key and talk: heard while it is down, answered by voice, interrupted at any moment.

Key down: the cue at once, everything warmed; what was said just before is heard too. Key up: a short tail,
then the transcript and the spoken answer. What was said is held in memory until the daemon has heard it:
a daemon that is started anew in mid-sentence hears all of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from assistant.clients.desktop.line import Line, Told
from assistant.clients.desktop.microphone import Microphone
from assistant.clients.desktop.speaker import Speaker
from assistant.clients.http import Client
from assistant.config import Paths
from assistant.errors import AssistantError, SpeakerMissing, Unreachable

TAIL_S = 0.15
"""Heard after the key came up: people let go as they speak."""
LINGER_S = 60.0
"""The devices stay open so long after a talk, so that the next one has its beginning."""
CHAT_S = 600.0
"""After so long without a word the next talk is a chat of its own."""
AGAIN_S = 20.0
"""For a daemon that is being started anew."""
_BREATH_S = 0.3

Show = Callable[[str, dict[str, Any]], None]


class HoldToTalk:
    """One user who talks. `show` gets `listening` (the key is down), `hearing` (the microphone gives sound),
    `thinking`, `idle`, `closed` (the devices were given back), and the daemon's events.

    Of the daemon's events, `error` has an error's body; nothing here raises.
    """

    def __init__(
        self,
        paths: Paths,
        show: Show,
        microphone: Microphone | None = None,
        speaker: Speaker | None = None,
    ) -> None:
        self._paths, self._show = paths, show
        self._microphone = microphone or Microphone()
        self._speaker = speaker or Speaker()
        self._line: Line | None = None
        self._receiving: asyncio.Task[None] | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._lingering: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._chat, self._spoke_at = "", 0.0
        self._down = False
        self._answer: asyncio.Future[None] | None = None
        """Done when the daemon has heard what was said, or the line to it is lost."""
        self._due = False
        """Whether what was said was heard and its answer has not ended yet."""
        self._deaf = False
        """Whether what the daemon says belongs to an answer that was stopped."""
        self._mute = False
        """Whether it was said already that there is no loudspeaker."""

    @property
    def listening(self) -> bool:
        """Whether the key is down."""
        return self._down

    # --- actions -----------------------------------------------------------------------------

    async def start(self) -> None:
        """The key is down. Stops what is being said."""
        if self._down:
            return
        self._down = True
        self._show("listening", {})
        self._speaker.stop()
        self._deaf, self._due = True, False
        if self._hearing is not None:
            self._hearing.cancel()
        if self._lingering is not None:
            self._lingering.cancel()
        self._spawn(asyncio.to_thread(self._warm))
        self._spawn(self._open_speaker())
        self._hearing = asyncio.create_task(self._hear())

    async def stop(self) -> None:
        """The key is up. Returns when the daemon has heard what was said."""
        hearing, self._down = self._hearing, False
        if hearing is None or hearing.done():
            return
        await asyncio.sleep(TAIL_S)
        if hearing is self._hearing:  # the key may be down again
            self._microphone.enough()
        await asyncio.gather(hearing, return_exceptions=True)

    async def toggle(self) -> None:
        """The other of the two."""
        await (self.stop() if self._down else self.start())

    async def cancel(self) -> None:
        """Esc: stop everything now. What was said is thrown away."""
        self._speaker.stop()
        self._deaf, self._down, self._due = True, False, False
        if self._hearing is not None:
            self._hearing.cancel()
        if self._line is not None:
            with contextlib.suppress(AssistantError):
                await self._line.command(type="cancel")
        self._linger()
        self._show("idle", {})

    async def close(self) -> None:
        """Give all devices back."""
        tasks = [t for t in (self._hearing, self._receiving, *self._tasks) if t is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._lingering is not None:
            self._lingering.cancel()
        self._microphone.stop()
        self._speaker.close()
        if self._line is not None:
            await self._line.close()

    def register(self, actions: Any) -> None:
        """Offer them to hotkeys, menu and command line (see desktop.actions)."""
        for name in ("start", "stop", "toggle", "cancel"):
            actions.register(f"talk.{name}", getattr(self, name))

    # --- hearing -----------------------------------------------------------------------------

    async def _hear(self) -> None:
        said = _Said()
        try:
            await self._microphone.start()
            connecting = self._spawn(self._begin(said))
            try:
                async with contextlib.aclosing(self._microphone.pieces()) as pieces:
                    async for piece in pieces:
                        if not said.sent:
                            self._show("hearing", {})
                        await said.more(piece)
            except AssistantError as exc:
                self._fail(exc)  # what was said before is heard all the same
            await connecting
            if not said.sent:  # let go before the device was open
                self._show("nothing_heard", {"seconds": 0.0})
                return self._show("idle", {})
            self._show("thinking", {})
            await self._finish(said)
        except AssistantError as exc:
            self._fail(exc)
            self._show("idle", {})
        finally:
            self._linger()

    async def _begin(self, said: _Said) -> None:
        """Begin to send while it is being said. A daemon that is not there yet gets it later."""
        with contextlib.suppress(Unreachable):
            await said.to(await self._started())

    async def _finish(self, said: _Said) -> None:
        """Say that this was all; from the beginning to a daemon that was started anew. Raises Unreachable."""
        deadline = time.monotonic() + AGAIN_S
        while True:
            try:
                if said.line is None or said.line is not self._line:
                    await said.to(await self._started())
                return await self._ended(said)
            except Unreachable:
                said.line = None
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(_BREATH_S)

    def _settle(self, error: AssistantError | None = None) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(None) if error is None else answer.set_exception(error)

    async def _ended(self, said: _Said) -> None:
        if said.line is None:
            raise Unreachable
        self._answer = asyncio.get_running_loop().create_future()
        await said.line.command(type="end")
        await self._answer

    async def _started(self) -> Line:
        """A line on which the daemon listens. Raises Unreachable and what the daemon says."""
        if self._line is None:
            self._line = await Line.to(self._paths)
            self._receiving = self._spawn(self._receive(self._line))
        now = time.monotonic()
        if not self._chat or now - self._spoke_at > CHAT_S:
            self._chat = await asyncio.to_thread(self._new_chat)
        self._spoke_at = now
        await self._line.command(type="start", conversation=self._chat)
        return self._line

    def _new_chat(self) -> str:
        with Client.to(self._paths) as client:
            return str(client.post("/api/v1/conversations", {})["id"])

    def _warm(self) -> None:
        with contextlib.suppress(AssistantError), Client.to(self._paths) as client:
            client.warm(self._chat or None)

    # --- being answered ----------------------------------------------------------------------

    async def _receive(self, line: Line) -> None:
        lost: AssistantError = Unreachable()
        try:
            async for told in line.messages():
                if isinstance(told, bytes):
                    await self._utter(told)
                else:
                    self._told(told)
        except AssistantError as exc:
            lost = exc
        finally:
            if self._line is line:
                self._line = None
            self._settle(Unreachable())
            await line.close()
        if (
            self._due
        ):  # a daemon that ends closes the line politely, and the answer is lost all the same
            self._due = False
            self._fail(lost)
            await self._rest()

    def _told(self, told: Told) -> None:
        match told.event:
            case "listening":
                self._deaf = False
                return  # shown before the daemon knew of it
            case "interrupted":
                self._speaker.stop()
            case "error" if told.data["error"]["code"] == "conversation_not_found":
                self._chat = ""  # deleted meanwhile
        if told.event in ("heard", "nothing_heard", "error"):
            self._settle()
        if told.event in ("heard", "spoken", "error"):
            self._due = told.event == "heard"
        self._show(told.event, told.data)
        if told.event in ("spoken", "nothing_heard", "error"):
            self._spawn(self._rest())

    async def _rest(self) -> None:
        await self._speaker.drained()
        if not self._down:
            self._show("idle", {})

    async def _open_speaker(self) -> None:
        with contextlib.suppress(SpeakerMissing):  # told when there is something to be heard
            await self._speaker.start()

    async def _utter(self, samples: bytes) -> None:
        if self._deaf:
            return
        try:
            await self._speaker.play(samples)
            self._mute = False
        except SpeakerMissing as exc:  # the text still comes
            if not self._mute:
                self._mute = True
                self._fail(exc)

    def _fail(self, error: AssistantError) -> None:
        self._show("error", {"error": error.body()})

    def _linger(self) -> None:
        loop = asyncio.get_running_loop()
        if self._lingering is not None:
            self._lingering.cancel()
        self._lingering = loop.call_later(LINGER_S, self._give_back)

    def _give_back(self) -> None:
        self._microphone.stop()
        self._speaker.close()
        self._show("closed", {})

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _Said:
    """What one talk has said so far, and the line that has it."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.line: Line | None = None

    async def more(self, piece: bytes) -> None:
        """Keep it, and pass it on if there is a line."""
        self.sent += piece
        if self.line is not None:
            await self._pass(piece)

    async def to(self, line: Line) -> None:
        """Pass all of it on to this line, and what follows. Raises Unreachable."""
        at = 0
        while at < len(self.sent):
            piece = bytes(self.sent[at : at + _PIECE])
            at += len(piece)
            await line.samples(piece)
        self.line = line

    async def _pass(self, piece: bytes) -> None:
        try:
            assert self.line is not None
            await self.line.samples(piece)
        except Unreachable:
            self.line = None


_PIECE = 32_000
"""Bytes in a message: a second."""
