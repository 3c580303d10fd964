"""One turn: recall, prompt, stream, log, receipt. The only place where memory meets model."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec

from assistant.config import LIMITS
from assistant.core import commands, prompt
from assistant.core.budget import Budget, estimate
from assistant.core.chats import Chat, Chats, check_whole, too_long
from assistant.core.checks import check_text
from assistant.core.compaction import Compactor
from assistant.core.drafts import Drafts
from assistant.core.learn import Learner
from assistant.core.orders import NO_PLACE, Order, Orders, account
from assistant.core.ports import Engine, Recall, TurnLog
from assistant.core.run import Run
from assistant.errors import AssistantError, ContextOverflow, Internal, Stopped
from assistant.types import (
    Event,
    Finished,
    Learning,
    Memory,
    Piece,
    Prefilled,
    Recalled,
    Request,
    Turn,
    new_id,
)

log = logging.getLogger(__name__)

TITLE_CHARS = 60
_STOPPING = "Nestor is stopping."
_PAUSE_S = 0.02


class Turns:
    """Starts turns, keeps their events for whoever comes back, ends them all on close."""

    def __init__(
        self,
        engine: Engine,
        memory: Recall,
        turn_log: TurnLog,
        chats: Chats,
        drafts: Drafts,
        compactor: Compactor,
        clock: Callable[[], datetime] = datetime.now,
        orders: Orders | None = None,
        learner: Learner | None = None,
    ) -> None:
        self._engine = engine
        self._memory = memory
        self._log = turn_log
        self._chats = chats
        self._drafts = drafts
        self._compactor = compactor
        self._clock = clock
        self._orders = orders
        self._learner = learner
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._closing = False
        self.on_changed: Callable[[Run], None] = lambda run: None
        """Told when a turn has begun, and when all of it is on disk."""

    async def start(
        self,
        conversation_id: str,
        text: str,
        *,
        recall: bool = True,
        store: bool = True,
        command: bool = True,
        learning: Learning | None = None,
        whole: bool = False,
        device: str = "",
    ) -> Run:
        """Log the question and begin to answer it.

        `recall`: with memories. `store`: what it says may be stored; `command`: it may be said to the
        memory itself, and is then answered without the model; `learning`: what becomes of what is
        new in it, if not what the chat or the device has chosen. `whole`: with all earlier
        turns, as said or in the summary, or not at all. `device` is who asks.
        Refusals are raised here, before the first event: EmptyText, TextTooLong, InvalidInput,
        ConversationNotFound, TurnRunning, EngineBusy, ModelMissing, ContextOverflow, Stopped.
        """
        check_text(text, LIMITS.turn_chars)
        if self._closing:
            raise Stopped(_STOPPING)
        self._chats.begin(conversation_id)
        try:
            run = await self._begin(
                conversation_id,
                text,
                device,
                recall=recall,
                store=store,
                command=command,
                learning=learning,
                whole=whole,
            )
        except BaseException:
            self._chats.end(conversation_id)
            raise
        self._compactor.yield_to(conversation_id)
        run.draft = self._drafts.take(conversation_id)
        self._runs[run.id] = run
        self._trim()
        model = "" if run.order else self._engine.info().id
        run.log.append("started", {"turn": run.id, "conversation": conversation_id, "model": model})
        self.on_changed(run)
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
        return self._chats.busy(conversation_id)

    def forget(
        self, memory_ids: Collection[str] = (), turn_ids: Collection[str] = ()
    ) -> list[asyncio.Task[None]]:
        """Drop what is kept here of finished turns, and stop those that these went into: their tasks."""
        self._chats.forgotten()
        stopped = []
        for run in list(self._runs.values()):
            if run.log.finished:
                del self._runs[run.id]
            elif run.forget(memory_ids, turn_ids) and run.task is not None:
                stopped.append(run.task)
        return stopped

    async def close(self) -> None:
        """End every turn with a `failed` event, and start no other."""
        self._closing = True
        while self._chats.any_busy:
            for run in self._runs.values():
                if not run.log.finished:
                    run.stop(_STOPPING)
            await asyncio.sleep(_PAUSE_S)

    # --- one turn ------------------------------------------------------------------------

    async def _begin(
        self,
        conversation_id: str,
        text: str,
        device: str,
        *,
        recall: bool,
        store: bool,
        command: bool,
        learning: Learning | None,
        whole: bool,
    ) -> Run:
        how = {"recall": recall, "store": store}
        order = (
            await self._ordered(conversation_id, text, device, learning, **how) if command else None
        )
        # Before anything is read: who cannot be answered hears so at once, however many they are.
        place = NO_PLACE if order else self._engine.reserve("interactive", device)
        try:
            conversation = await self._log.get(conversation_id)
            recall = recall and conversation.memory
            text = order.text if order else text
            await self._chats.check(conversation, text, whole=whole)
            if not conversation.title:
                await self._log.update(conversation_id, title=_title(text))
            model = "" if order else self._engine.info().id
            turn = await self._log.start_turn(conversation_id, new_id("t"), text, model)
        except BaseException:
            place.release()
            raise
        run = Run(turn, conversation, place, recall=recall, whole=whole)
        run.order = order
        if store and order is None and self._learner is not None:
            run.learning = await self._learner.mode(conversation, device, learning)
        return run

    async def _ordered(
        self, conversation_id: str, text: str, device: str, learning: Learning | None,
        *, recall: bool, store: bool,
    ) -> Order | None:  # fmt: skip
        """What is said to the memory itself, as far as memories are used and things learnt here."""
        stated = commands.stated(text)
        asked = stated or commands.parse(text) or commands.choice(text)
        if self._orders is None or not asked:
            return None
        conversation = await self._log.get(conversation_id)
        tell = recall and conversation.memory and conversation.classes is None
        learner = self._learner if store and tell else None
        mode = await learner.mode(conversation, device, learning) if learner else "off"
        how = {"store": store, "tell": tell, "learns": mode != "off"}
        order = await self._orders.look(conversation_id, text, **how)
        if order is None and stated and mode != "off":
            order = await self._orders.stated(conversation_id, text, *stated)
        return order

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
        if run.order is not None:
            return await self._carry_out(run, run.order, begun)
        if run.learning != "off" and self._orders is not None:
            effect = await self._orders.heard(run.conversation.id, run.text, run.id)
            run.receipt.changed(account(effect))
        # A cold model loads while the memory is asked; if it cannot, the stream says so.
        warming = asyncio.gather(self._engine.warm(), return_exceptions=True)
        if run.recall:
            found = await self._memory.recall(
                prompt.query(run.text),
                k=LIMITS.recalled_rows,
                classes=run.conversation.classes,
                gate=True,
            )
            run.found(found)
        run.log.append("recalled", {"items": [_shown(memory) for memory in run.recalled]})
        await warming
        chat = await self._chats.read(run.conversation, profile=run.recall)
        run.context = self._block(run, first=not chat.turns)
        budget = self._chats.budget()
        *some, last = self._histories(run, chat, budget)
        for history in some:
            with contextlib.suppress(ContextOverflow):
                return await self._stream(run, chat, history, budget, begun)
        try:
            await self._stream(run, chat, last, budget, begun)
        except ContextOverflow as exc:
            raise exc if run.whole else too_long(chat.room(budget, run.context)) from exc

    async def _carry_out(self, run: Run, order: Order, begun: float) -> None:
        outcome = await order.run(run.id)
        run.receipt.changed(outcome.done)
        shown = [recalled_as(one) for one in outcome.shown]
        run.log.append("recalled", {"items": [_shown(memory) for memory in shown]})
        run.found(shown)
        run.pieces.append(outcome.reply)
        run.log.append("token", {"text": outcome.reply})
        run.receipt.first(time.perf_counter() - begun)
        run.receipt.without_model(run.recalled)
        run.tokens = estimate(run.text) + estimate(outcome.reply)

    def _block(self, run: Run, *, first: bool) -> prompt.Context:
        """The one made for the draft, if it would be the same: the model has read it already."""
        if run.draft is None and first:
            run.draft = self._drafts.take("")
        block = run.draft.block_for(run.recalled) if run.draft else None
        return block or prompt.context(run.recalled, self._clock())

    async def _stream(
        self, run: Run, chat: Chat, history: prompt.History, budget: Budget, begun: float
    ) -> None:
        failed = self._compactor.failed(chat.id)
        reason = "summary_failed" if failed else "context_full"
        run.receipt.begin(run.recalled, history, run.context, reason)
        run.receipt.pinned(chat.opening.ids)
        run.read(history)
        messages = prompt.messages(chat.opening, history, run.context, run.text)
        sampling = msgspec.structs.replace(self._engine.sampling(), max_tokens=budget.reply)
        request = Request(messages, sampling, chat=chat.id)
        async with contextlib.aclosing(run.place.stream(request)) as items:
            async for item in items:
                match item:
                    case Prefilled():
                        if run.whole:
                            check_whole(budget, item.tokens)
                        run.tokens = run.receipt.read(item)
                    case Piece(text):
                        run.receipt.first(time.perf_counter() - begun)
                        run.pieces.append(text)
                        run.log.append("token", {"text": text})
                    case Finished():
                        run.tokens += item.tokens_out
                        run.receipt.finish(item, self._engine.info())

    def _histories(self, run: Run, chat: Chat, budget: Budget) -> list[prompt.History]:
        """What fits of the earlier turns; should an estimate have been too low, ever less of them."""
        if run.whole:
            return [prompt.everything(chat.turns, chat.summary)]
        fitting = chat.history(budget, run.context, run.text)
        bare = prompt.fit(chat.turns, chat.summary.tokens if chat.summary else 0, chat.summary)
        nothing = prompt.fit(chat.turns, 0)
        tried = [fitting] if fitting.kept else []
        return [*tried, *([bare] if bare.summary else []), nothing]

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
            self._chats.end(run.conversation.id)
            run.log.append(name, data)
            self.on_changed(run)
            if run.gone:
                self._runs.pop(run.id, None)
            run.lighten()
            self._compactor.consider(run.conversation.id)
            if self._learner is not None and error is None:
                self._learner.consider(run.turn, run.learning)

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


def recalled_as(memory: Memory) -> Recalled:
    """A memory that was looked up, as one that was found."""
    return Recalled(
        memory.id, memory.text, 1.0, memory.kind, memory.said_at, memory.source, memory.speaker
    )


async def _replay(events: list[Event]) -> AsyncIterator[Event]:
    for event in events:
        yield event
