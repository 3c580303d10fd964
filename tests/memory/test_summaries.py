"""A summary stands for turns as they were; whatever changes them takes it away."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from assistant.types import NewMemory, Recalled

HERE = Path(__file__).parent


async def chat_of(service, count, *, recalled=None):
    """A conversation of turns t_0, t_1, …; `recalled` maps a number to the memory it recalled."""
    chats = service.conversations
    chat = await chats.create("x", "")
    for n in range(count):
        await chats.start_turn(chat.id, f"{chat.id}:{n}", f"question {n}", "m")
        row = (recalled or {}).get(n)
        items = [Recalled(row.id, row.text, 1.0, "note", row.said_at)] if row else []
        await chats.finish_turn(
            f"{chat.id}:{n}", status="done", context=row.text if row else "", reply=f"answer {n}",
            tokens=10, recalled=items, receipt={"n": n},
        )  # fmt: skip
    return chat


async def summarise(service, chat, upto, text="They spoke."):
    turns, summary = await service.conversations.history(chat.id)
    after = summary.upto if summary else ""
    ids = [turn.id for turn in turns]
    first = ids.index(after) + 1 if after else 0
    covered = turns[first : upto + 1]
    return await service.conversations.add_summary(
        chat.id, covered, after=after, text=text, tokens=7, model="m"
    )


async def newest(service, chat):
    return (await service.conversations.history(chat.id))[1]


async def test_a_summary_is_kept_and_the_turns_it_stands_for_too(memory):
    async with memory() as service:
        chat = await chat_of(service, 6)
        assert await newest(service, chat) is None
        assert await summarise(service, chat, 2, "First half.")
        assert await summarise(service, chat, 4, "Both halves.")
    async with memory() as service:
        turns, summary = await service.conversations.history(chat.id)
        assert (summary.upto, summary.text, summary.tokens) == (f"{chat.id}:4", "Both halves.", 7)
        # Words it stands for are not read again; whether there was an answer is.
        assert [(t.text, t.reply) for t in turns] == [("", "a")] * 5 + [("question 5", "answer 5")]
        assert all(turn.receipt is None for turn in turns)
        whole = await service.conversations.turns(chat.id)
        assert [t.reply for t in whole] == [f"answer {n}" for n in range(6)]


async def test_a_running_turn_is_no_history(memory):
    async with memory() as service:
        chat = await chat_of(service, 1)
        await service.conversations.start_turn(chat.id, "t_now", "now?", "m")
        turns, _ = await service.conversations.history(chat.id)
        assert [turn.id for turn in turns] == [f"{chat.id}:0"]


async def test_two_writers_cannot_both_continue_one_summary(memory):
    async with memory() as service:
        chat = await chat_of(service, 6)
        turns, _ = await service.conversations.history(chat.id)
        add = service.conversations.add_summary
        rest = {"text": "x", "tokens": 1, "model": "m"}
        assert await add(chat.id, turns[:3], after="", **rest)
        assert not await add(chat.id, turns[:4], after="", **rest)
        assert not await add(chat.id, turns[3:5], after=turns[1].id, **rest)
        assert (await newest(service, chat)).upto == turns[2].id


@pytest.mark.parametrize("how", ["memory", "conversation"])
async def test_it_goes_with_what_it_was_made_from(memory, paths, how):
    async with memory() as service:
        row = await service.memories.add(NewMemory("The vault code is Zx81-plum"))
        chat = await chat_of(service, 6, recalled={3: row})
        other = await chat_of(service, 3)
        assert await summarise(service, chat, 1, "Only greetings.")
        assert await summarise(service, chat, 4, "The code is Zx81-plum.")
        assert await summarise(service, other, 1, "Elsewhere.")
        if how == "memory":
            await service.memories.delete(row.id)
            # What came before the memory still stands.
            assert (await newest(service, chat)).text == "Only greetings."
        else:
            gone = await service.conversations.delete(chat.id)
            assert gone == [f"{chat.id}:{n}" for n in range(6)]
        assert (await newest(service, other)).text == "Elsewhere."
        rows = await service._readers.run(lambda db: [r["text"] for r in db["summaries"].rows])
        assert "Zx81" not in repr(rows)
        assert len(rows) == (2 if how == "memory" else 1)


async def test_a_summary_that_quotes_what_only_the_user_said_goes_too(memory):
    async with memory() as service:
        row = await service.memories.add(NewMemory("My PIN is 4711 at the bank"))
        chat = await chat_of(service, 3)
        assert await summarise(service, chat, 1, "Max said: my PIN is 4711 at the bank.")
        told = []

        async def listen(_gone, touched):
            told.extend(touched.conversations)

        service.memories.on_forgotten = listen
        await service.memories.delete(row.id)
        assert await newest(service, chat) is None
        assert told == [chat.id]


async def test_turns_that_changed_since_they_were_read_are_not_summarised(memory):
    async with memory() as service:
        row = await service.memories.add(NewMemory("The vault code is Zx81-plum"))
        chat = await chat_of(service, 4, recalled={1: row})
        turns, _ = await service.conversations.history(chat.id)
        await service.memories.delete(row.id)
        stored = await service.conversations.add_summary(
            chat.id, turns[:3], after="", text="The code is Zx81-plum.", tokens=7, model="m"
        )
        assert not stored
        assert await newest(service, chat) is None


async def test_no_summary_outlives_its_conversation(memory):
    async with memory() as service:
        chat = await chat_of(service, 3)
        turns, _ = await service.conversations.history(chat.id)
        await service.conversations.delete(chat.id)
        rest = {"text": "x", "tokens": 1, "model": "m"}
        assert not await service.conversations.add_summary(chat.id, turns, after="", **rest)


async def test_a_memory_of_the_first_release_gets_its_summaries(memory, paths):
    shutil.copy(HERE / "m001.db", paths.database)
    shutil.copy(HERE / "m001.key", paths.key)
    async with memory() as service:
        (chat,), _ = await service.conversations.list()
        turns, summary = await service.conversations.history(chat.id)
        assert (len(turns), summary) == (1, None)
        assert await summarise(service, chat, 0)
