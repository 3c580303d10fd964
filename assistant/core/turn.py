"""One turn: recall, prompt, stream, log, receipt. The only place where memory meets model."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from assistant.config import LIMITS
from assistant.core import prompt
from assistant.core.checks import check_text
from assistant.core.ports import Engine, Recall, TurnLog
from assistant.core.run import Run
from assistant.errors import AssistantError, ContextOverflow, Internal, Stopped, TurnRunning
from assistant.types import Event, Finished, Piece, Prefilled, Recalled, Request, Turn, new_id

log = logging.getLogger(__name__)

TITLE_CHARS = 60
HISTORY_SHARE = 0.75
"""Of the context, for earlier turns: a fixed share, so that the same turns stay from one to the next."""
_UNKNOWN_CONTEXT = 4_096
_STOPPING = "Nestor is stopping."
_PAUSE_S = 0.02


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
        self._closing = False

    async def start(self, conversation_id: str, text: str, *, recall: bool = True) -> Run:
        """Log the question and begin to answer it.

        Refusals are raised here, before the first event: EmptyText, TextTooLong, InvalidInput,
        ConversationNotFound, TurnRunning, EngineBusy, ModelMissing, Stopped.
        """
        check_text(text, LIMITS.turn_chars)
        if self._closing:
            raise Stopped(_STOPPING)
        if conversation_id in self._busy:
            raise TurnRunning
        self._busy.add(conversation_id)
        try:
            run = await self._begin(conversation_id, text, recall=recall)
        except BaseException:
            self._busy.discard(conversation_id)
            raise
        self._runs[run.id] = run
        self._trim()
        model = self._engine.info().id
        run.log.append("started", {"turn": run.id, "conversation": conversation_id, "model": model})
        run.task = asyncio.create_task(self._answer(run))
        if self._closing:
            run.stop(_STOPPING)
        return run

    async def events(self, turn_id: str, after: int = 0) -> AsyncIterator[Event]:
        """A turn's events above `after`, live or from the log; the last one always. Raises TurnNotFound.

        A daemon that was killed logged fewer events than it sent: whoever comes back then gets the
        `failed` that was written for it, whatever its number.
        """
        run = self._runs.get(turn_id)
        if run is not None:
            return run.log.follow(after)
        stored = await self._log.turn_events(turn_id)
        return _replay([e for e in stored if e.id > after] or _ending(stored, after))

    async def cancel(self, turn_id: str) -> Turn:
        """Stop a turn and return it as logged; a finished one is left as it is. Raises TurnNotFound."""
        run = self._runs.get(turn_id)
        if run is not None and run.task is not None and not run.task.done():
            run.stop()
            await asyncio.wait([run.task])
        return await self._log.turn(turn_id)

    def running(self, conversation_id: str) -> bool:
        """Whether a turn of this conversation is being answered."""
        return conversation_id in self._busy

    def forget(self, memory_ids: Collection[str] = ()) -> None:
        """Drop what is kept here of finished turns, and stop those that these memories went into."""
        for run in list(self._runs.values()):
            if run.log.finished:
                del self._runs[run.id]
            else:
                run.forget(memory_ids)

    async def close(self) -> None:
        """End every turn with a `failed` event, and start no other."""
        self._closing = True
        while self._busy:
            for run in self._runs.values():
                if not run.log.finished:
                    run.stop(_STOPPING)
            await asyncio.sleep(_PAUSE_S)

    # --- one turn ------------------------------------------------------------------------

    async def _begin(self, conversation_id: str, text: str, *, recall: bool) -> Run:
        conversation = await self._log.get(conversation_id)
        place = self._engine.reserve()
        try:
            if not conversation.title:
                await self._log.update(conversation_id, title=_title(text))
            model = self._engine.info().id
            turn = await self._log.start_turn(conversation_id, new_id("t"), text, model)
        except BaseException:
            place.release()
            raise
        return Run(turn, conversation, place, recall)

    async def _answer(self, run: Run) -> None:
        try:
            await run.until_done(asyncio.ensure_future(self._generate(run)))
            _, error = run.outcome()
            if isinstance(error, Internal):
                log.error("a turn failed: %s", type(run.work and run.work.exception()).__name__)
        finally:
            run.place.release()
            await self._finish(run)

    async def _generate(self, run: Run) -> None:
        begun = time.perf_counter()
        # A cold model loads while the memory is asked; if it cannot, the stream says so.
        warming = asyncio.gather(self._engine.warm(), return_exceptions=True)
        if run.recall:
            run.found(
                await self._memory.recall(prompt.query(run.text), k=LIMITS.recalled_rows, gate=True)
            )
        run.log.append("recalled", {"items": [_shown(memory) for memory in run.recalled]})
        run.context = prompt.context(run.recalled, self._clock())
        await warming
        for history in await self._histories(run):
            with contextlib.suppress(ContextOverflow) if history.kept else contextlib.nullcontext():
                return await self._stream(run, history, begun)
        return None

    async def _stream(self, run: Run, history: prompt.History, begun: float) -> None:
        run.receipt.begin(run.recalled, history, run.context)
        messages = prompt.messages(run.conversation.system, history.kept, run.context, run.text)
        sampling = msgspec.structs.replace(self._engine.sampling(), max_tokens=LIMITS.reply_tokens)
        request = Request(messages, sampling, chat=run.conversation.id)
        async with contextlib.aclosing(run.place.stream(request)) as items:
            async for item in items:
                match item:
                    case Prefilled():
                        run.tokens = run.receipt.read(item)
                    case Piece(text):
                        run.receipt.first(time.perf_counter() - begun)
                        run.pieces.append(text)
                        run.log.append("token", {"text": text})
                    case Finished():
                        run.tokens += item.tokens_out
                        run.receipt.finish(item, self._engine.info())

    async def _histories(self, run: Run) -> Iterator[prompt.History]:
        """The earlier turns that fit; should the estimate have been too low, none of them."""
        turns = [t for t in await self._log.turns(run.conversation.id) if t.id != run.id]
        room = (self._engine.info().context or _UNKNOWN_CONTEXT) - LIMITS.reply_tokens
        fixed = prompt.estimate(run.conversation.system + run.context.text + run.text)
        history = prompt.fit(turns, max(0, min(int(room * HISTORY_SHARE), room - fixed)))
        return iter([history, prompt.fit(turns, 0)] if history.kept else [history])

    async def _finish(self, run: Run) -> None:
        """Log the turn, then tell: whoever reads the last event may rely on the log."""
        status, error = run.outcome()
        if error is None:
            run.log.append("receipt", run.receipt.data())
        name = "failed" if error else "done"
        data: dict[str, Any] = {"error": error.body()} if error else {"turn": run.id}
        logged = run.redact()
        # Numbered as the reader's next one, whatever was taken out of the log.
        last = run.log.next(name, data)
        try:
            await self._log.finish_turn(
                run.id,
                status=status,
                context=logged.context,
                reply=logged.reply,
                tokens=run.cost(whole=error is None),
                receipt=None if error else run.receipt.data(),
                error=error.body() if error else None,
                recalled=logged.recalled,
                events=(*logged.events, last),
            )
        except Exception as exc:  # noqa: BLE001 - whatever it was, readers wait for the last event
            problem = exc if isinstance(exc, AssistantError) else Internal()
            log.error("a turn could not be logged: %s", type(exc).__name__)  # noqa: TRY400
            name, data = "failed", {"error": problem.body()}
        finally:
            self._busy.discard(run.conversation.id)
            run.log.append(name, data)
            if run.gone:
                self._runs.pop(run.id, None)

    def _trim(self) -> None:
        finished = [run.id for run in self._runs.values() if run.log.finished]
        for turn_id in finished[: max(0, len(finished) - LIMITS.finished_turns)]:
            del self._runs[turn_id]


def _shown(memory: Recalled) -> dict[str, Any]:
    return {
        "id": memory.id,
        "text": memory.text,
        "score": round(memory.score, 4),
        "source": memory.source,
    }


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1] + "…"


def _ending(stored: Sequence[Event], after: int) -> list[Event]:
    """The `failed` of a turn whose daemon was killed, numbered to follow what was seen."""
    if stored and stored[-1].event == "failed" and len(stored) == 1:
        return [msgspec.structs.replace(stored[-1], id=after + 1)]
    return []


async def _replay(events: list[Event]) -> AsyncIterator[Event]:
    for event in events:
        yield event
