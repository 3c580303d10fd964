"""The bare model, as the OpenAI routes offer it: no conversation, no log; memory only when asked for."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime

import msgspec

from assistant.config import LIMITS
from assistant.core import prompt
from assistant.core.ports import Engine, Recall
from assistant.types import Generated, Message, Request, Sampling


class Completions:
    """Answers lists of messages."""

    def __init__(
        self, engine: Engine, memory: Recall, clock: Callable[[], datetime] = datetime.now
    ) -> None:
        self._engine = engine
        self._memory = memory
        self._clock = clock

    def sampling(self) -> Sampling:
        """How the model is best sampled, for whoever asks for nothing special."""
        return self._engine.sampling()

    def check_room(self, device: str = "") -> None:
        """Raise EngineBusy if nothing can be asked now."""
        self._engine.check_room(device)

    def model(self) -> str:
        """The id of the model that answers."""
        return self._engine.info().id

    async def stream(
        self,
        request: Request,
        *,
        recall: bool = False,
        classes: Sequence[str] | None = None,
        device: str = "",
    ) -> AsyncGenerator[Generated, None]:
        """One Prefilled, what is generated, one Finished. Closing it stops the model.

        `device` is who asks, `classes` what it may see of the memory. Nothing is left out
        of a prompt: one that does not fit is refused.
        Raises EngineBusy, ModelMissing, ContextOverflow, EngineCrashed, Stopped.
        """
        place = self._engine.reserve("interactive", device)
        try:
            if recall:
                messages = await self._with_memories(request.messages, classes)
                request = msgspec.structs.replace(request, messages=tuple(messages))
            async with contextlib.aclosing(place.stream(request)) as items:
                async for item in items:
                    yield item
        finally:
            place.release()

    async def _with_memories(
        self, messages: Sequence[Message], classes: Sequence[str] | None
    ) -> Sequence[Message]:
        last = messages[-1]
        if last.role != "user":
            return messages
        recalled = await self._memory.recall(
            prompt.query(last.text), k=LIMITS.recalled_rows, classes=classes, gate=True
        )
        block = prompt.context(recalled, self._clock())
        asked = msgspec.structs.replace(last, parts=(*block.parts, *last.parts))
        return (*messages[:-1], asked)
