"""Talking: audio in, a turn, a voice out. Whoever talks may interrupt at any moment, and is obeyed at once.

    audio ─► (endpoint) ─► transcribe ─► turn ─► sentences ─► speak ─► audio

Audio is held in memory until it was heard, never longer, and never anywhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Literal, Protocol

import msgspec

from assistant.config import LIMITS
from assistant.core.endpoint import Endpointer
from assistant.core.ports import Speech
from assistant.core.run import Run
from assistant.core.sentences import Sentences
from assistant.core.wake import WakeWord, after
from assistant.core.wakings import Wakings
from assistant.errors import (
    AssistantError,
    AudioTooLong,
    Conflict,
    Internal,
    InvalidInput,
    WakeWordOff,
)
from assistant.types import Transcript, Turn, new_id

RATE = 16_000
"""Samples a second of what comes in; 16 bits, one channel."""
BYTES_S = 2 * RATE
_FAREWELL_S = 1.0
PATIENCE_S = 6.0
"""For a question after the wake word."""
PREROLL_S = 0.6
"""Kept from before somebody was seen to speak."""

Send = Callable[[str, dict[str, Any]], Awaitable[None]]
Play = Callable[[bytes], Awaitable[None]]
Ask = Callable[[str, str], Awaitable[Run]]
"""Begins a turn in a conversation with a text, for whoever talks. Raises as core.turn.Turns.start does."""
Warm = Callable[[str], Awaitable[Any]]
"""Makes a conversation ready. Raises ConversationNotFound for one that whoever talks may not see."""


class Turns(Protocol):
    """The part of core.turn.Turns that talking needs."""

    async def cancel(self, turn_id: str) -> Turn: ...


class How(msgspec.Struct, frozen=True):
    """How one wants to be heard and answered."""

    conversation: str
    mode: Literal["hold", "open", "wake"] = "hold"
    """`hold`: until `end` is said. `open`: until a pause, again and again; speaking interrupts. `wake`: the
    same for one question after the wake word, again and again."""
    language: str = ""
    """ISO 639-1; empty: found out each time."""
    voice: str = ""
    """Empty: the one that is set, or one for the language that was spoken."""
    speak: bool = True


class Timings(msgspec.Struct):
    """Seconds from the end of what was said."""

    heard_s: float | None = None
    first_token_s: float | None = None
    first_sentence_s: float | None = None
    first_audio_s: float | None = None
    end_s: float | None = None


class Talk:
    """One client that talks. `send` gets events, `play` 16-bit samples at 24 kHz, `ask` begins a turn.

    Events: `listening`, `heard`, `nothing_heard`, a turn's own, `speaking`, `spoken`, `interrupted`, `error`;
    with a wake word also `waiting` and `woken`.
    After `interrupted` the client throws away what it has not played yet.
    """

    def __init__(
        self,
        speech: Speech,
        turns: Turns,
        send: Send,
        play: Play,
        ask: Ask,
        warm: Warm,
        wakings: Wakings | None = None,
    ) -> None:
        self._speech, self._turns, self._wakings = speech, turns, wakings
        self._waiting: WakeWord | None = None
        """While only the wake word is listened for."""
        self._patience = 0
        """Bytes of silence until it is again."""
        self._send, self._play = send, play
        self._ask, self._warm_chat = ask, warm
        self._how: How | None = None
        self._held = bytearray()
        self._listening = False
        self._stream = new_id("v")
        self._endpoint = Endpointer()
        self._work: asyncio.Task[None] | None = None
        self._warming: asyncio.Task[None] | None = None
        self._run: Run | None = None

    # --- what the client does ----------------------------------------------------------------

    async def start(self, how: How) -> None:
        """Listen from now on. What is being said or done is interrupted. Raises what `warm` raises."""
        await self.interrupt("key")
        await self._warm_chat(how.conversation)
        self._how, self._listening = how, True
        self._held.clear()
        self._endpoint = Endpointer()
        await self._leave_waiting()
        if how.mode == "wake":
            await self._wait()
        else:
            await self._send("listening", {"mode": how.mode})
        if self._warming is None or self._warming.done():
            self._warming = asyncio.create_task(self._speech.warm())

    async def audio(self, samples: bytes) -> None:
        """More of it. Ignored while nobody listens."""
        if not self._listening or self._how is None:
            return
        if self._waiting is not None:
            await self._watch(self._waiting, samples)
            return
        self._held += samples
        if self._how.mode != "hold":
            await self._follow(samples)
        elif len(self._held) > LIMITS.talk_s * BYTES_S:
            self._listening = False
            await self._send("error", {"error": AudioTooLong(_TOO_LONG).body()})
            self._hear()

    async def end(self) -> None:
        """The key was let go. Raises Conflict if it was not down."""
        if not self._listening:
            raise Conflict("Nobody is listening.", "Send `start` first.")
        self._listening = False
        self._hear()

    async def interrupt(self, by: Literal["key", "voice", "cancel"]) -> None:
        """Stop hearing, answering and speaking, in that order at once."""
        work, self._work = self._work, None
        run, self._run = self._run, None
        if work is None or work.done():
            return
        work.cancel()
        await self._send("interrupted", {"by": by} | ({"turn": run.id} if run else {}))
        await asyncio.gather(work, return_exceptions=True)
        if run is not None:
            await self._turns.cancel(run.id)

    async def cancel(self) -> None:
        """Stop everything; audio that was not heard yet is thrown away."""
        self._listening = False
        self._held.clear()
        await self.interrupt("cancel")

    async def close(self) -> None:
        """The client left: the voice stops, the answer goes on into the chat."""
        self._listening = False
        self._held.clear()
        tasks = [task for task in (self._work, self._warming) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._leave_waiting()
        if self._how is not None and self._how.mode != "hold":
            with contextlib.suppress(AssistantError):
                await self._speech.listen(self._stream, b"", last=True)

    async def settled(self) -> None:
        """Until what was said last is answered and spoken."""
        if self._work is not None:
            await asyncio.gather(self._work, return_exceptions=True)

    # --- hearing -----------------------------------------------------------------------------

    async def _wait(self) -> None:
        """Until the wake word. Raises WakeWordOff."""
        if self._wakings is None:
            raise WakeWordOff
        self._waiting = WakeWord(self._speech, self._wakings.word)
        self._held.clear()
        await self._send("waiting", {"word": self._waiting.word.phrase})

    async def _leave_waiting(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            with contextlib.suppress(AssistantError):
                await waiting.close()

    async def _watch(self, waiting: WakeWord, samples: bytes) -> None:
        assert self._wakings is not None
        hit = await waiting.feed(samples)
        await self._wakings.listened(samples)
        if hit is None:
            return
        noted = await self._wakings.note(hit, waiting.word)
        await self._send("woken", msgspec.to_builtins(noted) | {"text": hit.text})
        if not hit.accepted:
            return
        # The question may have begun in the same breath: what was heard is heard again, with its rest.
        before = waiting.held
        await self._leave_waiting()
        self._endpoint, self._patience = Endpointer(), int(PATIENCE_S * BYTES_S)
        await self._send("listening", {"mode": "wake"})
        self._held += before
        await self._follow(before)

    async def _follow(self, samples: bytes) -> None:
        """Hands free: who speaks is heard, and interrupts."""
        seen = self._endpoint.feed(await self._speech.listen(self._stream, samples))
        if seen == "begin":
            await self.interrupt("voice")
        too_long = len(self._held) > LIMITS.talk_s * BYTES_S
        if seen == "end" or (too_long and self._endpoint.speaking):
            self._endpoint = Endpointer()
            self._hear()
        elif not self._endpoint.speaking:
            await self._lose_patience(len(samples))
            del self._held[: max(0, len(self._held) - int(PREROLL_S * BYTES_S))]

    async def _lose_patience(self, size: int) -> None:
        """After a wake word that nobody said anything after."""
        if self._how is None or self._how.mode != "wake" or self._waiting is not None:
            return
        if self._work is None or self._work.done():
            self._patience -= size
            if self._patience <= 0:
                await self._wait()

    def _hear(self) -> None:
        assert self._how is not None
        audio = bytes(self._held)
        self._held.clear()
        self._work = asyncio.create_task(self._guarded(audio, self._how))

    async def _guarded(self, audio: bytes, how: How) -> None:
        try:
            await self._answer(audio, how)
        except AssistantError as exc:
            await self._send("error", {"error": exc.body()})
        except Exception:
            await self._send("error", {"error": Internal().body()})
            raise

    async def _answer(self, audio: bytes, how: How) -> None:
        begun, timings = time.perf_counter(), Timings()
        heard = await self._speech.transcribe(audio, bare=True, language=how.language)
        del audio
        timings.heard_s = time.perf_counter() - begun
        text = heard.text
        if how.mode == "wake" and self._wakings is not None:
            text = after(text, self._wakings.word.phrase)
            if not text:  # the question is still to come
                return None
        if not text:
            return await self._send("nothing_heard", {"seconds": heard.seconds})
        told = {"text": text, "language": heard.language, "seconds": heard.seconds}
        await self._send("heard", told)
        self._run = run = await self._ask(how.conversation, text)
        clock = _Clock(begun, timings)
        voice = asyncio.create_task(self._speak(how, heard, clock)) if how.speak else None
        try:
            await self._tell(run, clock)
            if voice is not None:
                await voice
        finally:
            if voice is not None:
                voice.cancel()
                await asyncio.gather(voice, return_exceptions=True)
        timings.end_s = time.perf_counter() - begun
        self._run = None
        await self._send("spoken", {"turn": run.id, "timings": msgspec.to_builtins(timings)})
        return await self._wait() if how.mode == "wake" else None

    # --- answering ---------------------------------------------------------------------------

    async def _tell(self, run: Run, clock: _Clock) -> None:
        """Pass the turn's events on, and what they say to the voice."""
        cutter, failed = Sentences(early=True), False
        async for event in run.log.follow():
            await self._send(event.event, event.data)
            failed = event.event == "failed"
            if event.event == "token":
                clock.note("first_token_s")
                clock.say(cutter.feed(event.data["text"]))
        clock.say([] if failed else cutter.rest())
        clock.sentences.put_nowait(None)

    async def _speak(self, how: How, heard: Transcript, clock: _Clock) -> None:
        """Say the sentences as they come. Without a voice, the text still arrives."""
        try:
            voice = how.voice or await self._voice_for(heard.language)
            while (sentence := await clock.sentences.get()) is not None:
                await self._send("speaking", {"text": sentence})
                with contextlib.suppress(InvalidInput):  # a voice may have no sounds for a sentence
                    await self._utter(sentence, voice, clock)
        except AssistantError as exc:
            await self._send("error", {"error": exc.body()})

    async def _utter(self, sentence: str, voice: str, clock: _Clock) -> None:
        sound = self._speech.speak([sentence], voice=voice)
        async with contextlib.aclosing(sound) as pieces:
            async for piece in pieces:
                clock.note("first_audio_s")
                await self._play(piece)

    async def _voice_for(self, language: str) -> str:
        """Empty (the voice that is set) for English and where no other voice speaks the language."""
        if language in ("", "en"):
            return ""
        return language if language in await self._speech.voices() else ""


class _Clock:
    """The sentences on their way to the voice, and when things happened first."""

    def __init__(self, begun: float, timings: Timings) -> None:
        self.sentences: asyncio.Queue[str | None] = asyncio.Queue()
        self._begun, self._timings = begun, timings

    def note(self, name: str) -> None:
        """The first time counts."""
        if getattr(self._timings, name) is None:
            setattr(self._timings, name, time.perf_counter() - self._begun)

    def say(self, sentences: list[str]) -> None:
        """Hand them to the voice."""
        for sentence in sentences:
            self.note("first_sentence_s")
            self.sentences.put_nowait(sentence)


class Talks:
    """All who talk. The daemon closes it."""

    def __init__(self, speech: Speech, turns: Turns, wakings: Wakings | None = None) -> None:
        self._speech, self._turns, self._wakings = speech, turns, wakings
        self._open: dict[Talk, asyncio.Event] = {}

    @contextlib.asynccontextmanager
    async def talk(
        self, send: Send, play: Play, ask: Ask, warm: Warm
    ) -> AsyncGenerator[tuple[Talk, asyncio.Event], None]:
        """One more, and what is set when it has to end. Raises Conflict if there are too many."""
        if len(self._open) >= LIMITS.talks:
            raise Conflict("Too many are talking.", "End one of the others first.")
        one = Talk(self._speech, self._turns, send, play, ask, warm, self._wakings)
        over = asyncio.Event()
        self._open[one] = over
        try:
            yield one, over
        finally:
            del self._open[one]
            await one.close()

    async def close(self) -> None:
        """End them all."""
        for over in self._open.values():
            over.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_S):
                while self._open:  # noqa: ASYNC110 - each ends in a task of its own
                    await asyncio.sleep(0.01)


_TOO_LONG = f"At most {LIMITS.talk_s} seconds are heard at once; this much was."
