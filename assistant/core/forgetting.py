"""What must go besides the database when something is forgotten, before anyone is told it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol

from assistant.core.compaction import Compactor
from assistant.core.drafts import Drafts
from assistant.core.learn import Learner
from assistant.core.ports import Engine
from assistant.core.turn import Turns


class Touched(Protocol):
    """Where forgotten memories stood."""

    @property
    def turns(self) -> frozenset[str]: ...

    @property
    def conversations(self) -> frozenset[str]: ...


class Forgetting:
    """Ends what works with it, drops every copy, and returns when none is left."""

    def __init__(
        self,
        engine: Engine,
        turns: Turns,
        drafts: Drafts,
        compactor: Compactor,
        learner: Learner | None = None,
    ) -> None:
        self._engine = engine
        self._turns = turns
        self._drafts = drafts
        self._compactor = compactor
        self._learner = learner

    async def memories(self, memory_ids: Collection[str], touched: Touched) -> None:
        """These memories are gone, and the turns that quoted them are redacted.

        Answers that used them end. Raises what Engine.forget raises: it may not all be gone then.
        """
        ending = self._turns.forget(memory_ids, touched.turns)
        # A draft's own words may say the same again, so all of them go.
        await self._drafts.clear()
        await self._compactor.halt(touched.conversations)
        if self._learner is not None:
            await self._learner.halt()
        if ending:
            await asyncio.wait(ending)
        await self._engine.forget({*memory_ids, *touched.turns, *touched.conversations})

    async def conversation(self, conversation_id: str, turn_ids: Collection[str]) -> None:
        """This conversation and these turns of it are gone. Raises as `memories`."""
        self._turns.forget((), turn_ids)
        await self._drafts.clear([conversation_id])
        await self._compactor.halt([conversation_id])
        if self._learner is not None:
            await self._learner.halt([conversation_id])
        await self._engine.forget({conversation_id, *turn_ids})
