"""A conversation with the memory alone: its rules on a database in memory, as a turn uses them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from sqlcipher3 import dbapi2
from sqlite_utils import Database

from assistant.core import commands
from assistant.core.orders import Orders
from assistant.memory import facts, migrations
from assistant.memory.knowledge import Knowledge
from assistant.types import NewMemory


class _Memories:
    """What `Knowledge` needs of a store."""

    def __init__(self):
        self.db = Database(dbapi2.connect(":memory:", isolation_level=None))
        self.db.execute("PRAGMA foreign_keys = ON")
        migrations.migrate(self.db)

    async def read(self, work):
        return work(self.db)

    async def change(self, work):
        return work(self.db, "fake")

    async def forget(self, *, ids):
        for one in ids:
            self.db.execute("DELETE FROM memories WHERE id = ?", [one])
        return list(ids)

    async def delete(self, memory_id):
        self.db.execute("DELETE FROM memories WHERE id = ?", [memory_id])


class Talk:
    """One user, one chat. An hour passes with each thing that is told or said."""

    def __init__(self, *told):
        self._memories = _Memories()
        self._hours = 0
        self._last = None
        self.knowledge = Knowledge(self._memories, clock=self._clock)
        self._orders = Orders(self.knowledge, self)
        self.tell(*told)

    def tell(self, *texts, **how):
        """Notes that are there before."""
        for text in texts:
            item = facts.fresh(NewMemory(text, **how), self._clock())
            facts.store(self._memories.db, [item], "fake")

    def say(self, text, *, recalled=(), **switches):
        """What is answered without a model; None where the model is asked."""
        return asyncio.run(self._say(text, recalled, switches))

    @property
    def live(self):
        """What holds."""
        return self._texts("IS NULL")

    @property
    def closed(self):
        """What held once."""
        return self._texts("IS NOT NULL")

    def ids(self, *texts):
        """Of these memories."""
        sql = "SELECT id FROM memories WHERE text = ?"
        return [self._memories.db.execute(sql, [one]).fetchone()[0] for one in texts]

    async def history(self, _):
        """As the log of turns has it."""
        return ([self._last] if self._last else []), None

    async def turn(self, _):
        """The last one."""
        return self._last

    async def _say(self, text, recalled, switches):
        turn = f"t_{self._hours}"
        order = await self._orders.look("c_1", text, **switches)
        if order is None and (stated := commands.stated(text)):
            order = await self._orders.stated("c_1", text, *stated)
        receipt = {"model": "fake", "memories": [{"id": one} for one in recalled]}
        if order is None:
            await self._orders.heard("c_1", text, turn)
        else:
            outcome = await order.run(turn)
            shown = [{"id": one.id} for one in outcome.shown]
            receipt = {"model": "none", "memory": outcome.done, "memories": shown}
        said = order.text if order else text
        self._last = SimpleNamespace(id=turn, text=said, receipt=receipt)
        return outcome.reply if order else None

    def _texts(self, holds):
        sql = f"SELECT text FROM memories WHERE valid_to {holds} ORDER BY seq"
        return [text for (text,) in self._memories.db.execute(sql)]

    def _clock(self):
        self._hours += 1
        return f"2026-03-{1 + self._hours // 24:02d}T{self._hours % 24:02d}:00:00Z"
