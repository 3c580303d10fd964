"""Conversations as their next prompts see them, and which of them are being answered."""

from __future__ import annotations

import asyncio

import msgspec

from assistant.core import prompt
from assistant.core.budget import Budget, at_least, estimate
from assistant.core.ports import Engine, Summary, TurnLog
from assistant.core.prompt import Context, History, Opening
from assistant.errors import ContextOverflow, TurnRunning
from assistant.types import Conversation, Turn


class Chat(msgspec.Struct, frozen=True):
    """A conversation, of one moment."""

    id: str
    """Empty: one that is yet to be."""
    opening: Opening
    turns: tuple[Turn, ...] = ()
    summary: Summary | None = None

    def history(self, budget: Budget, block: Context, text: str) -> History:
        """What of it stays beside this question."""
        return prompt.fit(self.turns, budget.beside(self._fixed(block, text)), self.summary)

    def room(self, budget: Budget, block: Context) -> int:
        """Tokens that a question can have, all but the opening and the block left out."""
        return max(0, budget.context - 1 - self._fixed(block, ""))

    def check(self, budget: Budget, text: str, *, whole: bool) -> None:
        """Raise ContextOverflow if this question surely cannot be answered; `whole` with all turns."""
        fixed = at_least(self.opening.system + self.opening.pinned)
        if at_least(text) > (room := self.room(budget, Context(()))):
            raise too_long(room)
        history = prompt.everything(self.turns, self.summary)
        held = sum(t.tokens for t in history.kept) + (self.summary.tokens if self.summary else 0)
        if whole:
            check_whole(budget, fixed + held + at_least(text))

    def _fixed(self, block: Context, text: str) -> int:
        return estimate(self.opening.system + self.opening.pinned + block.text + text)


class Chats:
    """Reads conversations, and holds each for one answer at a time."""

    def __init__(self, engine: Engine, log: TurnLog) -> None:
        self._engine = engine
        self._log = log
        self._busy: dict[str, asyncio.Event] = {}
        self._forgettings = 0

    def begin(self, conversation_id: str) -> None:
        """Hold it for one answer. Raises TurnRunning."""
        if conversation_id in self._busy:
            raise TurnRunning
        self._busy[conversation_id] = asyncio.Event()

    def end(self, conversation_id: str) -> None:
        """Let it go. Harmless when done twice."""
        if ended := self._busy.pop(conversation_id, None):
            ended.set()

    @property
    def any_busy(self) -> bool:
        """Whether any conversation is being answered."""
        return bool(self._busy)

    def busy(self, conversation_id: str) -> bool:
        """Whether it is being answered."""
        return conversation_id in self._busy

    async def idle(self, conversation_id: str) -> None:
        """Wait until nothing is being answered in it."""
        while ended := self._busy.get(conversation_id):
            await ended.wait()

    def forgotten(self) -> None:
        """Something was forgotten: what is being read is read again."""
        self._forgettings += 1

    async def read(self, conversation: Conversation, *, profile: bool = True) -> Chat:
        """Its turns and summary as they are now, with the profile unless memories are not to be used.

        Raises ConversationNotFound.
        """
        while True:
            before = self._forgettings
            turns, summary = await self._log.history(conversation.id)
            if before == self._forgettings:
                return Chat(
                    conversation.id, _opening(conversation, profile=profile), tuple(turns), summary
                )

    async def check(self, conversation: Conversation, text: str, *, whole: bool) -> None:
        """As `Chat.check`; its turns are read only where they count."""
        new = Chat(conversation.id, _opening(conversation))
        chat = await self.read(conversation) if whole else new
        chat.check(self.budget(), text, whole=whole)

    async def find(self, conversation_id: str) -> Chat:
        """As `read`, by id."""
        return await self.read(await self._log.get(conversation_id))

    def budget(self) -> Budget:
        """How the tokens of the model in use are shared out."""
        return Budget.of(self._engine.info().context)


def _opening(conversation: Conversation, *, profile: bool = True) -> Opening:
    lines = conversation.pinned if profile and conversation.memory else ()
    return Opening.of(conversation.system, lines)


def check_whole(budget: Budget, tokens: int) -> None:
    """Raise ContextOverflow if a prompt of so many tokens leaves no room for the answer."""
    if tokens > (most := budget.context - budget.reply):
        raise ContextOverflow(
            f"With all earlier turns the prompt has {tokens} tokens; {most} fit beside an answer.",
            'Send `"overflow": "truncate"` to let older turns go, or start a new conversation.',
        )


def too_long(room: int) -> ContextOverflow:
    """The question alone is too long; nothing of a user's own words is ever left out."""
    return ContextOverflow(
        f"The question is too long: about {room} tokens fit, some {room * 4} letters of English.",
        "Send it in smaller pieces, or use a model with a larger context.",
    )
