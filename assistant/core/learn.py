"""After a turn, in the background: what the user said that may be worth keeping.

Rules read it first. Then the model fills in small records under a grammar, from the user's own words
alone: no recalled block, no file and no tool's text is shown to it. It decides nothing: the memory
checks each record against those words and offers what is left, or in `auto` stores what is harmless.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from assistant.core.ports import Engine, Suggestions, TurnLog
from assistant.errors import AssistantError
from assistant.types import Conversation, Format, Learning, Message, Part, Piece, Request, Turn

log = logging.getLogger(__name__)

READ_CHARS = 500
"""Longer messages are texts to work on, not talk."""
REPLY_TOKENS = 200
WAITING = 16
"""Turns that wait to be read; of more, the oldest are left out."""

_SYSTEM = (
    "You take notes. From the message of the user, list lasting facts that the user states about "
    "themselves or people they know: where they live, work, what they like, names, dates, numbers. "
    "Copy the quote and the value word for word from the message. The subject is `me` or the person. "
    "Questions, wishes, jokes, plans, moods, stories and what others said are no facts: then the "
    "list is empty."
)
_SHOTS: tuple[tuple[str, list[dict[str, str]]], ...] = (
    ("Thanks! My brother Marko works at Siemens, by the way.",
     [{"quote": "My brother Marko works at Siemens", "subject": "my brother Marko",
       "attribute": "employer", "value": "Siemens"}]),
    ("Can you write me a poem about Rome?", []),
    ("Je joue du piano et j'habite à Nantes.",
     [{"quote": "Je joue du piano", "subject": "me", "attribute": "hobby", "value": "piano"},
      {"quote": "j'habite à Nantes", "subject": "me", "attribute": "home", "value": "Nantes"}]),
    ("I'm so tired today, what should I cook?", []),
)  # fmt: skip
_PERSONAL = re.compile(
    r"\b(?:i|i'm|i've|my|mine|we|our|je|mon|ma|mes|nous|notre|nos)\b|\b[jm]'\w|\b(?:is|est) m[ya]\b",
    re.I,
)


class Learner:
    """Reads one turn at a time, when nothing else is to be done."""

    def __init__(
        self, engine: Engine, suggestions: Suggestions, turn_log: TurnLog, default: Learning = "ask"
    ) -> None:
        self._engine = engine
        self._suggestions = suggestions
        self._log = turn_log
        self._default = default
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._one = asyncio.Lock()
        self._closing = False

    async def mode(
        self, conversation: Conversation, device: str, asked: Learning | None = None
    ) -> Learning:
        """What holds for a message: the request's choice, the chat's, the device's, the settings'."""
        if chosen := asked or conversation.learn:
            return chosen
        return await self.device_mode(device)

    async def device_mode(self, device: str) -> Learning:
        """What holds on a device where nothing else is chosen."""
        return await self._suggestions.mode(device) or self._default

    def consider(self, turn: Turn, mode: Learning) -> None:
        """Learn from a turn that has ended; returns at once."""
        if self._closing or mode == "off" or len(turn.text) > READ_CHARS:
            return
        while len(self._tasks) >= WAITING:
            oldest = next(iter(self._tasks))
            del self._tasks[oldest]
            oldest.cancel()
        task = asyncio.create_task(self._run(turn, auto=mode == "auto"))
        self._tasks[task] = turn.conversation_id
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def halt(self, conversation_ids: Collection[str] | None = None) -> None:
        """Give up what is read of these chats, or of all, and wait until nothing works on it."""
        chosen = [
            task
            for task, chat in self._tasks.items()
            if conversation_ids is None or chat in conversation_ids
        ]
        for task in chosen:
            task.cancel()
        if chosen:
            await asyncio.wait(chosen)

    async def idle(self) -> None:
        """Wait until nothing is being read."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def close(self) -> None:
        """Give up all, and begin nothing more."""
        self._closing = True
        await self.halt()

    # --- one turn ------------------------------------------------------------------------

    async def _run(self, turn: Turn, *, auto: bool) -> None:
        try:
            before = await self._before(turn)
            # What the rules read is there at once, whatever the model is busy with.
            await self._suggestions.learn(turn.id, turn.text, (), before=before, auto=auto)
            if not worth_reading(turn.text):
                return
            async with self._one:
                proposed = await self._propose(turn)
            if proposed:
                await self._suggestions.learn(
                    turn.id, turn.text, proposed, before=before, auto=auto
                )
        except AssistantError as exc:  # busy, missing, crashed: this turn is not read
            log.info("nothing is learnt from a turn: %s", exc.code)
        except Exception as exc:  # noqa: BLE001 - nobody waits for it; its message may quote a chat
            log.warning("learning failed: %s", type(exc).__name__)

    async def _before(self, turn: Turn) -> str:
        """What the user said before it: whom "she" means."""
        turns, _ = await self._log.history(turn.conversation_id)
        earlier = [one.text for one in turns if one.id < turn.id]
        return earlier[-1] if earlier else ""

    async def _propose(self, turn: Turn) -> list[dict[str, str]]:
        sampling = msgspec.structs.replace(
            self._engine.sampling(), temperature=0.0, max_tokens=REPLY_TOKENS
        )
        schema = Format(_schema(self._suggestions.attributes))
        place = self._engine.reserve("background")
        try:
            request = Request(instructions(turn), sampling, format=schema)
            async with contextlib.aclosing(place.stream(request)) as items:
                pieces = [item.text async for item in items if isinstance(item, Piece)]
        finally:
            place.release()
        return records("".join(pieces))


def worth_reading(text: str) -> bool:
    """Pure: whether a message may state something of its author; a question alone does not."""
    statements = [one for one in re.findall(r"[^.!?\n]+[.!?\n]*", text) if "?" not in one]
    return any(_PERSONAL.search(one.replace("’", "'")) for one in statements)  # noqa: RUF001


def instructions(turn: Turn) -> tuple[Message, ...]:
    """Pure: what the model is asked. The user's words alone, with their turn as ref."""
    out = [Message.of("system", _SYSTEM)]
    for said, noted in _SHOTS:
        out.append(Message.of("user", said))
        out.append(Message.of("assistant", json.dumps({"facts": noted}, ensure_ascii=False)))
    out.append(Message("user", (Part(turn.text, turn.id),)))
    return tuple(out)


def records(reply: str) -> list[dict[str, str]]:
    """Pure: the records of a reply; none of one that was cut off."""
    try:
        facts = msgspec.json.decode(reply)["facts"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return []
    if not isinstance(facts, list):
        return []
    return [
        {str(name): str(value) for name, value in one.items()}
        for one in facts
        if isinstance(one, Mapping)
    ]


def _schema(attributes: Collection[str]) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": 160}
    fields = {
        "quote": text,
        "subject": {"type": "string", "minLength": 1, "maxLength": 40},
        "attribute": {"enum": sorted(attributes)},
        "value": {"type": "string", "minLength": 1, "maxLength": 80},
    }
    record = {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"facts": {"type": "array", "items": record, "maxItems": 3}},
        "required": ["facts"],
        "additionalProperties": False,
    }
