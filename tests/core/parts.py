"""Core on a fake model, a memory that finds what it is told to, and a log that keeps turns in a dict."""

import asyncio
from datetime import datetime
from types import SimpleNamespace

import msgspec

from assistant.core.chats import Chats
from assistant.core.compaction import Compactor
from assistant.core.drafts import Drafts
from assistant.core.forgetting import Forgetting
from assistant.core.turn import Turns
from assistant.engine.fake import FakeEngine
from assistant.errors import ConversationNotFound
from assistant.types import Conversation, Recalled, Turn, now

MOMENT = datetime(2026, 11, 23, 15, 30)  # noqa: DTZ001
ANA = Recalled("m_1", "Ana lives in Lyon", 0.9, "note", "2026-11-01T00:00:00Z")
BEN = Recalled("m_2", "Ben sails on Sundays", 0.8, "note", "2026-11-02T00:00:00Z")


class Summary(msgspec.Struct, frozen=True):
    upto: str
    text: str
    tokens: int


class Memory:
    """Finds what it was given, or what `by_word` has for a word of the query; may take its time."""

    def __init__(self, *found, pause=0.0, by_word=None):
        self.found, self.pause, self.by_word = list(found), pause, by_word or {}
        self.asked = []

    async def recall(self, query, **_):
        self.asked.append(query)
        await asyncio.sleep(self.pause)
        more = [row for word, rows in self.by_word.items() if word in query for row in rows]
        return [*self.found, *more]


class Log:
    """Keeps turns in a dict; `broken` refuses to write the end of one."""

    def __init__(self, broken=None, *ids):
        self.ids = ids or ("c_1",)
        self.rows: dict[str, Turn] = {}
        self.ends: dict[str, dict] = {}
        self.summaries: list[Summary] = []
        self.broken = broken
        self.title = ""

    async def get(self, conversation_id):
        if conversation_id not in self.ids:
            raise ConversationNotFound
        return Conversation(conversation_id, self.title, "system", now(), now())

    async def update(self, conversation_id, *, title):
        self.title = title

    async def history(self, conversation_id):
        turns = [turn for turn in self.rows.values() if turn.conversation_id == conversation_id]
        ended = [turn for turn in turns if turn.status != "running"]
        return ended, (self.summaries[-1] if self.summaries else None)

    async def add_summary(self, conversation_id, covered, *, after, text, tokens, model):
        last = self.summaries[-1].upto if self.summaries else ""
        if last != after or any(self.rows[turn.id] != turn for turn in covered):
            return False
        self.summaries.append(Summary(covered[-1].id, text, tokens))
        return True

    async def turn(self, turn_id):
        return self.rows[turn_id]

    async def turn_events(self, turn_id):
        return list(self.ends[turn_id]["events"])

    async def start_turn(self, conversation_id, turn_id, text, model):
        self.rows[turn_id] = Turn(turn_id, conversation_id, text, "running", now(), model=model)
        return self.rows[turn_id]

    async def finish_turn(self, turn_id, **end):
        if self.broken:
            raise self.broken
        old = self.rows[turn_id]
        self.ends[turn_id] = end
        self.rows[turn_id] = Turn(
            turn_id, old.conversation_id, old.text, end["status"], old.started_at,
            context=end["context"], reply=end["reply"], tokens=end["tokens"],
        )  # fmt: skip


class Engine(FakeEngine):
    """A fake with a context of its own, which remembers what it was told to forget."""

    def __init__(self, *replies, context=1 << 16, **rest):
        super().__init__(*replies, **rest)
        self.context = context
        self.forgotten = []
        self.state = "ready"
        self.prefill_error = None
        self.prefill_pause = 0.0
        self.prefills_cancelled = 0

    def info(self):
        return msgspec.structs.replace(super().info(), context=self.context, state=self.state)

    async def forget(self, refs):
        self.forgotten.append(set(refs))

    async def prefill(self, request):
        try:
            await asyncio.sleep(self.prefill_pause)
        except asyncio.CancelledError:
            self.prefills_cancelled += 1
            raise
        if self.prefill_error:
            raise self.prefill_error
        return await super().prefill(request)


def assemble(*replies, memory=None, log=None, clock=lambda: MOMENT, **engine):
    """All parts of core, as the daemon puts them together."""
    made = SimpleNamespace(
        engine=Engine(*replies, **engine), log=log or Log(), memory=memory or Memory()
    )
    made.chats = Chats(made.engine, made.log)
    made.drafts = Drafts(made.engine, made.memory, made.chats, "system", clock)
    made.compactor = Compactor(made.engine, made.chats, made.log)
    made.drafts.on_opened = made.compactor.consider
    made.turns = Turns(
        made.engine, made.memory, made.log, made.chats, made.drafts, made.compactor, clock
    )
    made.forgetting = Forgetting(made.engine, made.turns, made.drafts, made.compactor)
    return made


async def collect(stream):
    return [event async for event in stream]


async def end(run):
    """All events of a run; numbered without gaps, with one end."""
    events = await asyncio.wait_for(collect(run.log.follow()), 5)
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    assert [event.event in ("done", "failed") for event in events].count(True) == 1
    return events


async def ask(parts, text, conversation_id="c_1", **how):
    """Ask, wait for the end, and return the receipt; all of it has settled then."""
    run = await parts.turns.start(conversation_id, text, **how)
    events = await end(run)
    assert events[-1].event == "done", events[-1].data
    return next(event.data for event in events if event.event == "receipt")
