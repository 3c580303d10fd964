"""What core needs from the engine and the memory; whoever builds the daemon fits real ones in."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from typing import Any, Literal, Protocol

from assistant.types import (
    Conversation,
    Effect,
    Event,
    Generated,
    Learning,
    Meant,
    Memory,
    ModelInfo,
    Prefilled,
    Priority,
    Recalled,
    Request,
    Sampling,
    Suggestion,
    Transcript,
    Turn,
    TurnStatus,
)


class Place(Protocol):
    """A place in the model's queue."""

    def stream(self, request: Request) -> AsyncGenerator[Generated, None]:
        """One Prefilled, what is generated, one Finished. Closing it stops the model."""
        ...

    def release(self) -> None:
        """Leave the queue. Harmless when done twice."""
        ...


class Engine(Protocol):
    """A language model."""

    def reserve(self, priority: Priority = "interactive", device: str = "") -> Place:
        """A place in the queue, at once. Raises EngineBusy or ModelMissing.

        `device` names who asks: no device waits for all of another's requests.
        """
        ...

    def check_room(self, device: str = "") -> None:
        """Raise EngineBusy if `reserve` would; takes nothing."""
        ...

    async def prefill(self, request: Request) -> Prefilled:
        """Read a prompt ahead, so that one that begins the same is answered sooner.

        The last message stays open: what is asked next may continue it. Gives way to everything
        else, and ends at once when its chat is asked. Raises as `Place.stream`, and Stopped.
        """
        ...

    async def forget(self, refs: Collection[str]) -> None:
        """Drop what was read of prompts of these chats, or with parts of these refs.

        None of it is left, in memory or on disk, when this returns.
        """
        ...

    def sampling(self) -> Sampling:
        """How this model is best sampled."""
        ...

    async def warm(self) -> None:
        """Load the model now, if it is not loaded."""
        ...

    def info(self) -> ModelInfo:
        """The model in use."""
        ...


class Recall(Protocol):
    """The part of the memory that a turn asks."""

    async def recall(
        self,
        query: str,
        *,
        k: int,
        kinds: Sequence[str] | None = None,
        as_of: str | None = None,
        scope: str | None = None,
        classes: Sequence[str] | None = None,
        gate: bool = False,
    ) -> list[Recalled]:
        """The nearest memories, best first; with `gate`, none rather than a bad one.

        `classes` is what whoever asks may see; None: all.
        """
        ...


class Knowledge(Protocol):
    """What is known, as it is told, corrected, asked for and forgotten in a conversation."""

    async def remember(self, text: str, *, before: str = "", episode: str = "") -> Effect:
        """Store what the user asked to have remembered; `before` tells who "she" is."""
        ...

    async def heard(self, text: str, *, before: str = "", episode: str = "") -> Effect:
        """Take the corrections among a message's plain statements."""
        ...

    async def contradicts(self, text: str, *, before: str = "") -> bool:
        """Whether a text is nothing but statements that `heard` would take."""
        ...

    async def correctable(self, value: str, *, asked: str, shown: Sequence[str] = ()) -> bool:
        """Whether `correct` would know what to do."""
        ...

    async def correct(
        self, value: str, *, asked: str, shown: Sequence[str] = (), episode: str = ""
    ) -> Effect | None:
        """Give what was asked for or just shown another value; None where it is not certain what."""
        ...

    async def about(self, phrase: str) -> list[Memory]: ...
    async def past(self, question: str) -> list[Memory]: ...

    async def meant(self, phrase: str) -> Meant:
        """Which memories a request to forget means."""
        ...

    async def forget(self, ids: Sequence[str], phrase: str = "") -> list[str]:
        """Remove these for good; of one that says more than the phrase, only that part."""
        ...

    async def undo(self, stored: Sequence[str], closed: Sequence[str]) -> Effect:
        """Take a change back; what holds again is `known`."""
        ...


class Suggestions(Protocol):
    """What may be worth keeping."""

    @property
    def attributes(self) -> Sequence[str]:
        """What a proposed fact may be about."""
        ...

    async def mode(self, device: str) -> Learning | Literal[""]:
        """What a device has chosen; empty: nothing."""
        ...

    async def learn(
        self,
        turn_id: str,
        text: str,
        proposed: Sequence[dict[str, str]] = (),
        *,
        before: str = "",
        auto: bool = False,
    ) -> tuple[Effect, list[Suggestion]]:
        """Check what is in a user's message against it; offer what is new or, with `auto`, store it."""
        ...


class Summary(Protocol):
    """What a model wrote to stand for a conversation's older turns."""

    @property
    def upto(self) -> str:
        """The last turn it stands for; it stands for all before it too."""
        ...

    @property
    def text(self) -> str: ...

    @property
    def tokens(self) -> int: ...


class TurnLog(Protocol):
    """Where conversations are kept. What returns is durable."""

    async def get(self, conversation_id: str) -> Conversation: ...
    async def update(self, conversation_id: str, *, title: str) -> Conversation: ...
    async def turn(self, turn_id: str) -> Turn: ...
    async def turn_events(self, turn_id: str) -> list[Event]: ...

    async def history(self, conversation_id: str) -> tuple[list[Turn], Summary | None]:
        """Its ended turns, oldest first, without receipts, and its summary; both of one moment."""
        ...

    async def add_summary(
        self,
        conversation_id: str,
        covered: Sequence[Turn],
        *,
        after: str,
        text: str,
        tokens: int,
        model: str,
    ) -> bool:
        """Store a summary of these turns and of the summary `upto` turn `after`, if that is not empty.

        False, and nothing is stored, if any of what was summarised has changed since it was read.
        """
        ...

    async def start_turn(
        self, conversation_id: str, turn_id: str, text: str, model: str
    ) -> Turn: ...

    async def finish_turn(
        self,
        turn_id: str,
        *,
        status: TurnStatus,
        context: str,
        reply: str,
        tokens: int,
        receipt: dict[str, Any] | None,
        error: dict[str, Any] | None,
        recalled: Sequence[Recalled],
        events: Sequence[Event],
    ) -> None: ...


class Ears(Protocol):
    """The part of speech that a wake word needs."""

    async def transcribe(
        self, audio: bytes, *, bare: bool = False, language: str = "", prompt: str = ""
    ) -> Transcript: ...

    async def spot(self, stream: str, word: str, samples: bytes, *, last: bool = False) -> float:
        """The highest probability that the phrase has just been said, in these samples of a live stream."""
        ...


class Speech(Ears, Protocol):
    """Hearing and speaking. Raises SpeechMissing where it is not installed, SpeechBusy, SpeechError."""

    async def warm(self) -> None:
        """Load what hears and what speaks, if it is not loaded. Never raises."""
        ...

    async def transcribe(
        self, audio: bytes, *, bare: bool = False, language: str = "", prompt: str = ""
    ) -> Transcript:
        """What is said in a file, or in bare 16-bit samples at 16 kHz; no text where nobody speaks.

        `language` is ISO 639-1; empty: found out. Raises AudioInvalid, AudioTooLong, InvalidInput.
        """
        ...

    def speak(
        self, sentences: Sequence[str], *, voice: str = "", speed: float = 1.0, form: str = "pcm"
    ) -> AsyncGenerator[bytes, None]:
        """The sentences spoken, as each is ready; `pcm` is 16-bit samples at 24 kHz.

        Closing it stops the voice. Raises VoiceNotFound, UnsupportedParameter.
        """
        ...

    async def voices(self) -> list[str]:
        """What `voice` may be."""
        ...

    async def listen(self, stream: str, samples: bytes, *, last: bool = False) -> list[float]:
        """How probable speech is in each 32 ms that these bare samples of a live stream complete."""
        ...

    @property
    def model(self) -> str:
        """The id of what hears."""
        ...
