"""Conversations and turns are durable, listed latest first, and redacted when a memory goes."""

from __future__ import annotations

import json

import pytest

from assistant.errors import ConversationNotFound, InvalidInput, TurnNotFound
from assistant.types import Event, NewMemory, Recalled


async def test_a_turn_is_kept_verbatim(memory):
    async with memory() as service:
        chats = service.conversations
        chat = await chats.create("  Tea \n time ", "You are Nestor.")
        assert chat.title == "Tea time"
        started = await chats.start_turn(chat.id, "t_1", "Hello 👋", "starter")
        assert started.status == "running"
    async with memory() as service:
        chats = service.conversations
        assert await chats.interrupted() == 1
        turn = await chats.turn("t_1")
        assert (turn.status, turn.error["code"]) == ("failed", "stopped")
        assert [e.event for e in await chats.turn_events("t_1")] == ["failed"]
        await chats.start_turn(chat.id, "t_2", "Again", "starter")
        events = [
            Event(1, "started", {}),
            Event(2, "token", {"text": "Hi\n"}),
            Event(3, "done", {"n": 1}),
        ]
        done = await chats.finish_turn(
            "t_2", status="done", context="It is noon.", reply="Hi\n", tokens=9, events=events,
            receipt={"tokens_in": 7},
        )  # fmt: skip
        assert (done.status, done.reply, done.receipt) == ("done", "Hi\n", {"tokens_in": 7})
        assert await chats.turn_events("t_2") == events
        assert [t.id for t in await chats.turns(chat.id)] == ["t_1", "t_2"]
        assert await chats.interrupted() == 0


async def test_conversations_page_by_last_use(memory):
    moments = iter(f"2026-01-01T00:00:{n:02}Z" for n in range(60))
    async with memory(clock=lambda: next(moments)) as service:
        chats = service.conversations
        made = [await chats.create(f"chat {n}", "") for n in range(5)]
        await chats.update(made[0].id, "used again")
        first, cursor = await chats.list(limit=3)
        second, end = await chats.list(limit=3, cursor=cursor)
        assert [c.id for c in first + second] == [made[n].id for n in (0, 4, 3, 2, 1)]
        assert end is None
        with pytest.raises(InvalidInput):
            await chats.list(cursor="AAAA")


async def test_a_deleted_conversation_takes_its_turns(memory):
    async with memory() as service:
        chats = service.conversations
        chat = await chats.create("x", "")
        await chats.start_turn(chat.id, "t_1", "hello", "m")
        await chats.delete(chat.id)
        with pytest.raises(ConversationNotFound):
            await chats.get(chat.id)
        with pytest.raises(TurnNotFound):
            await chats.turn("t_1")
        for ask in (chats.delete(chat.id), chats.turns(chat.id), chats.update(chat.id, "y"),
                    chats.start_turn(chat.id, "t_2", "x", "m")):  # fmt: skip
            with pytest.raises(ConversationNotFound):
                await ask


async def test_a_forgotten_memory_leaves_the_turns_that_quoted_it(memory):
    async with memory() as service:
        secret = await service.memories.add(NewMemory("The vault code is Zx81-plum"))
        chats = service.conversations
        chat = await chats.create("x", "")
        await chats.start_turn(chat.id, "t_1", "What is the vault code?", "m")
        item = {"id": secret.id, "text": secret.text, "score": 1.0, "source": None}
        await chats.finish_turn(
            "t_1",
            status="done",
            context=f"You remember: {secret.text}\nNow: noon",
            reply="It is Zx81-plum.",
            recalled=[Recalled(secret.id, secret.text, 1.0, "note", secret.said_at)],
            receipt={"memories": [item], "dropped": []},
            events=[
                Event(1, "recalled", {"items": [item]}),
                Event(2, "token", {"text": "It is Zx8"}),
                Event(3, "token", {"text": "1-plum."}),
                Event(4, "done", {}),
            ],
        )
        assert await service.memories.delete(secret.id) == 1
        turn = await chats.turn("t_1")
        events = await chats.turn_events("t_1")
        everything = json.dumps(
            [turn.context, turn.reply, turn.receipt, [e.data for e in events]]
        ).lower()
        assert "zx81" not in everything
        assert "plum" not in everything
        assert "[forgotten]" in turn.context
        assert turn.text == "What is the vault code?"
        assert [e.id for e in events] == [1, 2, 3, 4]
        assert events[1].data["text"] + events[2].data["text"] == turn.reply

        rows = await service._readers.run(
            lambda db: [list(r) for t in ("turns", "recalls", "memories") for r in db[t].rows]
        )
        assert "Zx81" not in repr(rows)


async def test_a_memory_forgotten_during_a_turn_is_not_written_back(memory):
    async with memory() as service:
        secret = await service.memories.add(NewMemory("The vault code is Zx81"))
        chats = service.conversations
        chat = await chats.create("x", "")
        await chats.start_turn(chat.id, "t_1", "What is it?", "m")
        await service.memories.delete(secret.id)
        done = await chats.finish_turn(
            "t_1", status="done", context=secret.text, reply="Zx81",
            recalled=[Recalled(secret.id, secret.text, 1.0, "note", secret.said_at)],
        )  # fmt: skip
        assert "Zx81" not in done.context + done.reply
