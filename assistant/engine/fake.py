"""A scripted model. It ships: `--model fake` runs the whole product without weights.

It answers what it was told to, else it repeats the last user message. `prompts` records what it saw.
`--model fake:script.json` reads {"replies": ["…"], "word_pause_s": 0.05} from a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import AsyncGenerator, Collection, Sequence
from pathlib import Path
from typing import Any

import msgspec

from assistant.config import LIMITS
from assistant.engine import tools
from assistant.engine.place import Place, Queue
from assistant.errors import AssistantError, ConfigInvalid, Conflict
from assistant.types import (
    ChildStatus,
    Finished,
    Generated,
    Message,
    ModelInfo,
    Piece,
    Prefilled,
    Priority,
    Request,
    Sampling,
)

_WORD = re.compile(r"\s*\S+")


class Script(msgspec.Struct, frozen=True):
    """What a fake says."""

    replies: tuple[str, ...] = ()
    word_pause_s: float = 0.0
    obedient: bool = False
    """Instead of `replies`: carry out every instruction that stands in the prompt (obedient.py)."""


class FakeEngine:
    """See the module. `replies` are given one after the other; an error among them is raised."""

    def __init__(
        self,
        *replies: str | AssistantError,
        word_pause_s: float = 0.0,
        queue_length: int = LIMITS.queue_length,
    ) -> None:
        self.replies = deque(replies)
        self.word_pause_s = word_pause_s
        self.prompts: deque[tuple[Message, ...]] = deque(maxlen=100)
        self.requests: deque[tuple[Request, Priority, str]] = deque(maxlen=100)
        self.forgotten: set[str] = set()
        self.prefilled: deque[Request] = deque(maxlen=100)
        self.cancelled = 0
        self._queue = Queue(queue_length, LIMITS.device_queue_length, retry_after_s=1.0)

    @classmethod
    def named(cls, name: str) -> FakeEngine:
        """The engine of `fake` or `fake:<script>`. Raises ConfigInvalid if the script cannot be read."""
        _, _, script = name.partition(":")
        if not script:
            return cls()
        try:
            told = msgspec.json.decode(Path(script).read_bytes(), type=Script)
        except (OSError, msgspec.DecodeError) as exc:
            raise ConfigInvalid("The fake model's script cannot be read.") from exc
        if told.obedient:
            from assistant.engine.obedient import ObedientEngine

            cls = ObedientEngine
        return cls(*told.replies, word_pause_s=told.word_pause_s)

    def reserve(self, priority: Priority = "interactive", device: str = "") -> Place:
        """A place in the queue. Raises EngineBusy if it is full."""
        return self._queue.place(self, priority, device)

    def check_room(self, device: str = "") -> None:
        """Raise EngineBusy if the queue is full for this device."""
        self._queue.check(device)

    def sampling(self) -> Sampling:
        """The defaults."""
        return Sampling()

    async def prefill(self, request: Request) -> Prefilled:
        """Reads, and remembers what it read."""
        self.prefilled.append(request)
        counts = _counts(request.messages)
        return Prefilled(tokens=sum(counts.values()), cached=0, counts=counts)

    async def stream(
        self, request: Request, priority: Priority, device: str
    ) -> AsyncGenerator[Generated, None]:
        """Tokens are words here. A reply is read as a ChatML model's, thoughts and tool calls too."""
        self.prompts.append(request.messages)
        self.requests.append((request, priority, device))
        async with contextlib.aclosing(tools.read(self._say(request), request, "chatml")) as items:
            async for item in items:
                yield item

    async def _say(self, request: Request) -> AsyncGenerator[Generated, None]:
        messages = request.messages
        reply = self.replies.popleft() if self.replies else messages[-1].parts[-1].text
        if isinstance(reply, AssistantError):
            raise reply
        counts = _counts(messages)
        yield Prefilled(tokens=sum(counts.values()), cached=0, counts=counts)
        words = _WORD.findall(reply)
        told = words[: request.sampling.max_tokens]
        given = 0
        try:
            for word in told:
                await asyncio.sleep(self.word_pause_s)
                yield Piece(word)
                given += 1
        finally:
            self.cancelled += given < len(told)
        yield Finished("stop" if given == len(words) else "length", given, 0.0, 0.0)

    async def forget(self, refs: Collection[str]) -> None:
        """Nothing was kept; `forgotten` records what was asked."""
        self.forgotten |= set(refs)

    async def warm(self) -> None:
        """Always warm."""

    def info(self) -> ModelInfo:
        """A model that runs nowhere."""
        return ModelInfo(id="fake", family="fake", state="ready", context=1 << 16, device="none")

    @property
    def queue_length(self) -> int:
        """Requests that wait or run."""
        return self._queue.taken

    async def check(self, name: str) -> None:
        """A daemon that was started with the fake keeps it."""
        raise Conflict("This daemon runs the fake model.", "Start it with another `--model`.")

    async def use(self, name: str) -> ModelInfo:
        """Never reached: see `check`."""
        raise NotImplementedError

    def report(self) -> dict[str, Any]:
        """Nothing to tell."""
        return {}

    def children(self) -> list[ChildStatus]:
        """None."""
        return []

    async def close(self) -> None:
        """Nothing to end."""


def _counts(messages: Sequence[Message]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for part in (part for message in messages for part in message.parts):
        counts[part.ref] = counts.get(part.ref, 0) + len(part.text.split())
    return counts
