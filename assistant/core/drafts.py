"""Warm before asked: the model loaded, the chat's prompt read, and what a draft recalls read too.

A draft is what the user has typed so far. What it recalls becomes the block before the question; if
the question that is sent recalls the same, that very block stands before it, byte for byte, and only
the user's own words are left to be read. Drafts are in memory alone, for a short while, and nowhere
in the log. A warm takes no place in the queue, delays no turn, and fails without a word.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from assistant.config import LIMITS
from assistant.core import prompt
from assistant.core.chats import Chat, Chats
from assistant.core.checks import check_text
from assistant.core.ports import Engine, Recall
from assistant.core.prompt import Context, Opening
from assistant.errors import AssistantError, EngineUnloadable, Internal, ModelMissing
from assistant.types import Prefilled, Recalled, Request

log = logging.getLogger(__name__)

State = Literal["missing", "failed", "loading", "warming", "ready"]


class Warmth(msgspec.Struct, frozen=True):
    """How far a warm has come."""

    state: State
    conversation: str | None
    model: str
    memories: tuple[str, ...] = ()
    """Ids of what the draft recalls; empty until that is known."""
    tokens: int = 0
    """Of the prompt that was read ahead; 0 until it was."""
    problem: dict[str, str] | None = None
    """Why it is missing or failed."""


class Draft:
    """What is made ready for one conversation."""

    def __init__(self, text: str, classes: Sequence[str] | None = None) -> None:
        self.text = text
        self.classes = classes
        self.block: Context | None = None
        self.recalled: tuple[Recalled, ...] = ()
        self.prefilled = Prefilled(0, 0)
        self.problem: AssistantError | None = None
        self.task: asyncio.Task[None] | None = None
        self.expiry: asyncio.TimerHandle | None = None

    @property
    def at_work(self) -> bool:
        """Whether it is not ready yet."""
        return self.task is not None and not self.task.done()

    def cancel(self) -> None:
        """Do no more for it."""
        if self.expiry is not None:
            self.expiry.cancel()
        if self.task is not None:
            self.task.cancel()

    def block_for(self, recalled: Collection[Recalled]) -> Context | None:
        """The block made for this draft, if a question that recalls these would have the same."""
        same = {memory.id for memory in self.recalled} == {memory.id for memory in recalled}
        return self.block if same else None


class Drafts:
    """One draft for each conversation, a few at most; the empty id is the conversation to come."""

    def __init__(
        self,
        engine: Engine,
        memory: Recall,
        chats: Chats,
        system: str,
        clock: Callable[[], datetime] = datetime.now,
        profile: Callable[[], Awaitable[Sequence[tuple[str, str]]]] | None = None,
    ) -> None:
        self._engine = engine
        self._memory = memory
        self._chats = chats
        self._system = system
        self._profile = profile
        self._clock = clock
        self._drafts: OrderedDict[str, Draft] = OrderedDict()
        self._leaving: set[asyncio.Task[None]] = set()
        self._loading: asyncio.Future[tuple[BaseException | None]] | None = None
        self._closing = False
        self.on_opened: Callable[[str], None] = lambda conversation_id: None
        """Told which conversation was made ready before anything was typed in it."""

    def warm(
        self, conversation_id: str = "", text: str = "", classes: Sequence[str] | None = None
    ) -> Warmth:
        """Begin to make ready, or go on; returns at once. What was begun before for the same
        conversation and another text is given up. `classes` is what may be recalled; None: all.

        Raises TextTooLong or InvalidInput for a text that could not be asked, and nothing else.
        """
        text = text if text.strip() else ""
        if text:
            check_text(text, LIMITS.turn_chars)
        model = self._engine.info().state
        draft = self._drafts.get(conversation_id)
        same = draft is not None and (draft.text, draft.classes) == (text, classes)
        if draft is None or not same or not (draft.at_work or model == "ready"):
            self.take(conversation_id)
            draft = Draft(text, classes)
            if not self._closing and model not in ("missing", "failed"):
                self._begin(conversation_id, draft)
        return self._shown(conversation_id, draft)

    def take(self, conversation_id: str) -> Draft | None:
        """Its draft, kept here no longer; work for it that is not done is given up."""
        draft = self._drafts.pop(conversation_id, None)
        if draft is not None:
            draft.cancel()
            if draft.task is not None and not draft.task.done():
                self._leaving.add(draft.task)
                draft.task.add_done_callback(self._leaving.discard)
        return draft

    async def clear(self, conversation_ids: Collection[str] | None = None) -> None:
        """Drop these drafts, or all; nothing works for them when this returns."""
        chosen = list(self._drafts) if conversation_ids is None else conversation_ids
        for conversation_id in chosen:
            self.take(conversation_id)
        if leaving := set(self._leaving):
            await asyncio.wait(leaving)

    async def close(self) -> None:
        """Drop all, and take no more."""
        self._closing = True
        await self.clear()

    # --- one draft -----------------------------------------------------------------------

    def _begin(self, conversation_id: str, draft: Draft) -> None:
        self._drafts[conversation_id] = draft
        draft.task = asyncio.create_task(self._work(conversation_id, draft))
        loop = asyncio.get_running_loop()
        draft.expiry = loop.call_later(LIMITS.draft_s, self._expire, conversation_id, draft)
        while len(self._drafts) > LIMITS.drafts:
            self.take(next(iter(self._drafts)))

    def _expire(self, conversation_id: str, draft: Draft) -> None:
        if self._drafts.get(conversation_id) is draft:
            self.take(conversation_id)

    async def _work(self, conversation_id: str, draft: Draft) -> None:
        try:
            await self._make_ready(conversation_id, draft)
        except AssistantError as exc:
            draft.problem = exc
        except Exception as exc:  # noqa: BLE001 - nobody waits for it; its message may quote the draft
            log.warning("a chat could not be made ready: %s", type(exc).__name__)
            draft.problem = Internal()

    async def _make_ready(self, conversation_id: str, draft: Draft) -> None:
        loading = self._load()
        if draft.text:
            await self._recall(draft)
        (problem,) = await asyncio.shield(loading)
        if problem is not None:
            raise problem
        await self._chats.idle(conversation_id)
        chat = await self._chats.find(conversation_id) if conversation_id else await self._new()
        draft.prefilled = await self._engine.prefill(self._request(chat, draft))
        if conversation_id and not draft.text:
            self.on_opened(conversation_id)

    async def _new(self) -> Chat:
        """The conversation to come, with the profile it would begin with."""
        lines = await self._profile() if self._profile else ()
        return Chat("", Opening.of(self._system, lines))

    def _load(self) -> asyncio.Future[tuple[BaseException | None]]:
        """The model being loaded, once for all drafts: giving one up does not begin it anew."""
        if self._loading is None or self._loading.done():
            self._loading = asyncio.gather(self._engine.warm(), return_exceptions=True)
        return self._loading

    async def _recall(self, draft: Draft) -> None:
        asked = prompt.query(draft.text)
        found = await self._memory.recall(
            asked, k=LIMITS.recalled_rows, classes=draft.classes, gate=True
        )
        draft.recalled = tuple(found)
        draft.block = prompt.context(found, self._clock())

    def _request(self, chat: Chat, draft: Draft) -> Request:
        history = chat.history(self._chats.budget(), draft.block or Context(()), draft.text)
        messages = prompt.messages(chat.opening, history, draft.block, draft.text, "draft")
        return Request(messages, chat=chat.id)

    def _shown(self, conversation_id: str, draft: Draft) -> Warmth:
        info = self._engine.info()
        state: State = "ready"
        problem = draft.problem
        if problem is not None:
            self.take(conversation_id)  # the next warm tries again
        elif info.state == "missing":
            problem = ModelMissing(info.problem)
        elif info.state == "failed":
            problem = EngineUnloadable(info.problem)
        elif draft.at_work:
            state = "warming" if info.state == "ready" else "loading"
        if problem is not None:
            state = "missing" if isinstance(problem, ModelMissing) else "failed"
        return Warmth(
            state=state,
            conversation=conversation_id or None,
            model=info.id,
            memories=tuple(memory.id for memory in draft.recalled),
            tokens=draft.prefilled.tokens,
            problem=problem.body() if problem else None,
        )
