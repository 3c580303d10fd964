"""One turn: recall, prompt, stream, log, receipt. The only place where memory meets model."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import msgspec

from assistant.config import LIMITS
from assistant.core import prompt
from assistant.core.checks import check_text
from assistant.core.events import EventLog
from assistant.core.ports import Engine, Place, Recall, TurnLog
from assistant.core.receipt import Receipt
from assistant.errors import AssistantError, Internal, Stopped, TurnRunning
from assistant.types import (
    Conversation,
    Event,
    Finished,
    ModelInfo,
    Piece,
    Prefilled,
    Recalled,
    Turn,
    TurnStatus,
    new_id,
)

log = logging.getLogger(__name__)

TITLE_CHARS = 60


class Run:
    """A turn that is being answered, or was a moment ago."""

    def __init__(self, turn: Turn, conversation: Conversation, place: Place, recall: bool) -> None:
        self.id = turn.id
        self.conversation = conversation
        self.text = turn.text
        self.place = place
        self.recall = recall
        self.log = EventLog()
        self.task: asyncio.Task[None] | None = None
        self.receipt = Receipt()
        self.context = prompt.Context(())
        self.recalled: list[Recalled] = []
        self.reply: list[str] = []
        self.tokens = 0


class Turns:
    """Starts turns, keeps their events for whoever comes back, ends them all on close."""

    def __init__(
        self,
        engine: Engine,
        memory: Recall,
        turn_log: TurnLog,
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._engine = engine
        self._memory = memory
        self._log = turn_log
        self._clock = clock
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._busy: set[str] = set()
        self._stop_message = ""

    async def start(self, conversation_id: str, text: str, *, recall: bool = True) -> Run:
        """Log the question and begin to answer it.

        Refusals are raised here, before the first event: EmptyText, TextTooLong, InvalidInput,
        ConversationNotFound, TurnRunning, EngineBusy, ModelMissing.
        """
        check_text(text, LIMITS.turn_chars)
        if conversation_id in self._busy:
            raise TurnRunning
        self._busy.add(conversation_id)
        place = None
        try:
            conversation = await self._log.get(conversation_id)
            place = self._engine.reserve()
            model = self._engine.info().id
            turn = await self._log.start_turn(conversation_id, new_id("t"), text, model)
            if not conversation.title:
                await self._log.update(conversation_id, title=_title(text))
        except BaseException:
            self._busy.discard(conversation_id)
            if place is not None:
                place.release()
            raise
        run = Run(turn, conversation, place, recall)
        self._runs[run.id] = run
        self._trim()
        run.log.append("started", {"turn": run.id, "conversation": conversation_id, "model": model})
        run.task = asyncio.create_task(self._answer(run))
        return run

    async def events(self, turn_id: str, after: int = 0) -> AsyncIterator[Event]:
        """A turn's events above `after`, live or from the log. Raises TurnNotFound."""
        run = self._runs.get(turn_id)
        if run is not None:
            return run.log.follow(after)
        stored = await self._log.turn_events(turn_id)
        return _replay([event for event in stored if event.id > after])

    async def cancel(self, turn_id: str) -> Turn:
        """Stop a turn and return it as logged; a finished one is left as it is. Raises TurnNotFound."""
        run = self._runs.get(turn_id)
        if run is not None and run.task is not None and not run.task.done():
            run.task.cancel()
            await asyncio.wait([run.task])
        return await self._log.turn(turn_id)

    def running(self, conversation_id: str) -> bool:
        """Whether a turn of this conversation is being answered."""
        return conversation_id in self._busy

    def forget(self) -> None:
        """Drop the events kept of finished turns: they may quote what was just forgotten."""
        for run in [run for run in self._runs.values() if run.log.finished]:
            del self._runs[run.id]

    async def close(self) -> None:
        """End every turn with a `failed` event."""
        self._stop_message = "Nestor is stopping."
        tasks = [run.task for run in self._runs.values() if run.task and not run.task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # --- one turn ------------------------------------------------------------------------

    async def _answer(self, run: Run) -> None:
        status: TurnStatus = "done"
        error: AssistantError | None = None
        try:
            await self._generate(run)
        except asyncio.CancelledError:
            status, error = "cancelled", Stopped(self._stop_message)
        except AssistantError as exc:
            status, error = "failed", exc
        except Exception:
            log.exception("a turn failed")
            status, error = "failed", Internal()
        finally:
            run.place.release()
        await asyncio.shield(self._finish(run, status, error))

    async def _generate(self, run: Run) -> None:
        begun = time.perf_counter()
        # A cold model loads while the memory is asked; if it cannot, the stream says so.
        warming = asyncio.gather(self._engine.warm(), return_exceptions=True)
        if run.recall:
            run.recalled = await self._memory.recall(
                prompt.query(run.text), k=LIMITS.recalled_rows, gate=True
            )
        run.log.append("recalled", {"items": [_shown(memory) for memory in run.recalled]})
        run.context = prompt.context(run.recalled, self._clock())
        await warming
        history = await self._history(run)
        run.receipt.begin(run.recalled, history, run.context)
        messages = prompt.messages(run.conversation.system, history.kept, run.context, run.text)
        sampling = msgspec.structs.replace(self._engine.sampling(), max_tokens=LIMITS.reply_tokens)
        stream = run.place.stream(messages, sampling)
        async with contextlib.aclosing(stream) as items:
            async for item in items:
                match item:
                    case Prefilled():
                        run.tokens = run.receipt.read(item)
                    case Piece(text):
                        run.receipt.first(time.perf_counter() - begun)
                        run.reply.append(text)
                        run.log.append("token", {"text": text})
                    case Finished():
                        run.tokens += item.tokens_out
                        run.receipt.finish(item, self._engine.info())

    async def _history(self, run: Run) -> prompt.History:
        turns = [t for t in await self._log.turns(run.conversation.id) if t.id != run.id]
        room = _context_tokens(self._engine.info()) - LIMITS.reply_tokens
        fixed = run.conversation.system + run.context.text + run.text
        return prompt.fit(turns, max(0, room - prompt.estimate(fixed)))

    async def _finish(self, run: Run, status: TurnStatus, error: AssistantError | None) -> None:
        body = _body(error) if error else None
        receipt = None if error else run.receipt.data()
        if receipt:
            run.log.append("receipt", receipt)
        name: str = "failed" if error else "done"
        data: dict[str, Any] = {"error": body} if error else {"turn": run.id}
        try:
            await self._log.finish_turn(
                run.id,
                status=status,
                context=run.context.text,
                reply="".join(run.reply),
                tokens=run.tokens,
                receipt=receipt,
                error=body,
                recalled=run.recalled,
                events=(*run.log.events, run.log.next(name, data)),
            )
        except AssistantError as exc:
            log.warning("a turn could not be logged: %s", exc.code)
            name, data = "failed", {"error": _body(exc)}
        self._busy.discard(run.conversation.id)
        run.log.append(name, data)

    def _trim(self) -> None:
        finished = [run.id for run in self._runs.values() if run.log.finished]
        for turn_id in finished[: max(0, len(finished) - LIMITS.finished_turns)]:
            del self._runs[turn_id]


def _context_tokens(info: ModelInfo) -> int:
    return info.context or 4_096


def _shown(memory: Recalled) -> dict[str, Any]:
    return {
        "id": memory.id,
        "text": memory.text,
        "score": round(memory.score, 4),
        "source": memory.source,
    }


def _body(error: AssistantError) -> dict[str, str]:
    return {"code": error.code, "message": error.message, "hint": error.hint}


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1] + "…"


async def _replay(events: list[Event]) -> AsyncIterator[Event]:
    for event in events:
        yield event
