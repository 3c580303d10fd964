"""A turn while it is being answered: its events, what went into it, and what came out so far."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

import msgspec

from assistant.core.budget import estimate
from assistant.core.drafts import Draft
from assistant.core.events import EventLog
from assistant.core.orders import Order
from assistant.core.ports import Place
from assistant.core.prompt import Context, History
from assistant.core.receipt import Receipt
from assistant.errors import AssistantError, Internal, Stopped
from assistant.types import Conversation, Event, Learning, Part, Recalled, Turn, TurnStatus

FORGOTTEN = "[forgotten]"


class Run:
    """See the module. `task` answers it to the end and is never cancelled; `stop` ends the work in it."""

    def __init__(
        self, turn: Turn, conversation: Conversation, place: Place, *, recall: bool, whole: bool
    ) -> None:
        self.turn = turn
        self.id = turn.id
        self.text = turn.text
        self.conversation = conversation
        self.place = place
        self.recall = recall
        self.whole = whole
        """Answer with all earlier turns or not at all."""
        self.learning: Learning = "off"
        """What becomes of what is new in it."""
        self.order: Order | None = None
        """What is to be done without the model."""
        self.draft: Draft | None = None
        self.log = EventLog()
        self.receipt = Receipt()
        self.context = Context(())
        self.recalled: list[Recalled] = []
        self.pieces: list[str] = []
        self.tokens = 0
        """What this turn adds to the prompt of the next one."""
        self.task: asyncio.Task[None] | None = None
        self.work: asyncio.Future[None] | None = None
        self.gone: set[str] = set()
        """Memories and turns in this prompt that were forgotten or redacted meanwhile."""
        self._earlier: frozenset[str] = frozenset()
        self._forgotten: set[str] = set()
        self._stopped: Stopped | None = None

    @property
    def reply(self) -> str:
        """The answer so far."""
        return "".join(self.pieces)

    async def until_done(self, work: asyncio.Future[None]) -> None:
        """Let `work` run until it ends or `stop` ends it; never raises what it raised."""
        self.work = work
        if self._stopped is not None:
            work.cancel()
        await asyncio.wait([work])

    def stop(self, reason: str = "") -> None:
        """End the work, begun or not."""
        self._stopped = self._stopped or Stopped(reason)
        if self.work is not None:
            self.work.cancel()

    def outcome(self) -> tuple[TurnStatus, AssistantError | None]:
        """How the work ended."""
        assert self.work is not None
        if self.work.cancelled():
            return "cancelled", self._stopped or Stopped()
        problem = self.work.exception()
        if problem is None:
            return "done", None
        return "failed", problem if isinstance(problem, AssistantError) else Internal()

    def cost(self, *, whole: bool) -> int:
        """Tokens this turn adds; an answer that was cut off was never counted, so it is estimated."""
        return self.tokens if whole else self.tokens + estimate(self.reply)

    def read(self, history: History) -> None:
        """These turns, or their summary, go into the prompt."""
        self._earlier = frozenset(turn.id for turn in (*history.kept, *history.summarised))

    def forget(self, memory_ids: Collection[str], turn_ids: Collection[str] = ()) -> bool:
        """Stop if one of these went into the prompt, since the answer may quote it; whether it did."""
        self._forgotten |= set(memory_ids)
        used = {memory.id for memory in self.recalled} & set(memory_ids)
        used |= self._earlier & set(turn_ids)
        if used:
            self.gone |= used
            self.stop("A memory that this answer used was forgotten.")
        return bool(used)

    def found(self, recalled: Iterable[Recalled]) -> None:
        """Take what was recalled, less what was forgotten while it was looked for."""
        self.recalled = [memory for memory in recalled if memory.id not in self._forgotten]

    def lighten(self) -> None:
        """It has ended: keep its events alone, for many such runs stay in memory."""
        self.receipt, self.context, self.recalled = Receipt(), Context(()), []
        self.pieces, self.draft, self.work = [], None, None

    def redact(self) -> Logged:
        """What may be logged: nothing of what was forgotten meanwhile, nor of the answer it went into."""
        if not self.gone:
            return Logged(self.recalled, self.context.text, self.reply, self.log.events)
        lines = (_line(part, self.gone) for part in self.context.parts)
        kept = [memory for memory in self.recalled if memory.id not in self.gone]
        return Logged(kept, "".join(lines), "", self.log.events[:1])


class Logged(msgspec.Struct, frozen=True):
    """What a turn leaves behind."""

    recalled: list[Recalled]
    context: str
    reply: str
    events: tuple[Event, ...]


def _line(part: Part, gone: set[str]) -> str:
    return f"{FORGOTTEN}\n" if part.ref in gone else part.text
