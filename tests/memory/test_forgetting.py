"""Forgetting takes what is meant and no more, and all of it, whatever else fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from assistant.errors import EmbedderError, StoreError
from assistant.memory import database, keys, writer
from assistant.types import NewMemory, Recalled

PLUMBERS = [
    "Call the plumber about the boiler",
    "Our plumber lives in Ghent",
    "I once met a plumber who sang",
    "Buy bread",
    "The bus was late",
]


def listener(told):
    async def listen(gone, _touched):
        told.extend(gone)

    return listen


async def test_without_vectors_a_query_forgets_nothing(memory):
    async with memory("gguf:none") as service:
        await service.memories.add_many([NewMemory(text) for text in PLUMBERS])
        with pytest.raises(EmbedderError) as caught:
            await service.memories.forget(query="the plumber's phone number")
        assert "id" in caught.value.hint
        assert (await service.memories.count()).count == 5


@pytest.mark.parametrize("query", ["buy bread", " Buy \n BREAD "])
async def test_a_whole_text_is_enough_without_vectors(memory, query):
    async with memory("gguf:none") as service:
        added = await service.memories.add_many([NewMemory(text) for text in PLUMBERS])
        assert await service.memories.forget(query=query) == [added[3].id]


async def test_one_shared_rare_word_is_no_evidence(memory, settled):
    async with memory("e5") as service:
        await service.memories.add_many([NewMemory(text) for text in PLUMBERS])
        await settled(service)
        assert await service.memories.forget(query="the plumber's phone number") == []
        gone = await service.memories.forget(query="the plumber in Ghent")
        assert len(gone) == 1
        assert (await service.memories.count()).count == 4


async def test_a_reader_delays_the_emptying_of_the_log_but_no_write(paths, memory, monkeypatch):
    monkeypatch.setattr(writer, "CHECKPOINT_AGAIN_S", 0.05)
    log = paths.database.with_name("memory.db-wal")
    async with memory() as service:
        added = await service.memories.add(NewMemory("secret"))
        reader = database.connect(paths.database, keys.find_key(paths, "file"), readonly=True)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM memories").fetchone()
        await service.memories.delete(added.id)
        assert not await service._writer.checkpoint()
        assert log.stat().st_size > 0
        await service.memories.add(NewMemory("not held up"))
        patience = await service._writer.run(
            lambda db: db.execute("PRAGMA busy_timeout").fetchone()[0]
        )
        assert patience == 5000
        reader.close()
        async with asyncio.timeout(20):
            while log.stat().st_size:
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("what", ["memory", "conversation"])
async def test_copies_and_cached_questions_go_too(paths, memory, settled, what):
    async with memory() as service:
        row = await service.memories.add(NewMemory("hello"))
        chat = await service.conversations.create("x", "")
        await settled(service)
        await service.memories.recall("hello", k=1, patience_s=10)
        assert service._embedder._questions
        copy = paths.database.with_name("memory.db.before-x")
        copy.write_bytes(b"copy")
        if what == "memory":
            await service.memories.delete(row.id)
        else:
            await service.conversations.delete(chat.id)
        assert not service._embedder._questions
        assert not copy.exists()


async def test_a_copy_that_cannot_be_deleted_is_tried_again_at_the_next_start(
    paths, memory, monkeypatch
):
    told = []
    copy = paths.database.with_name("memory.db.before-x")
    async with memory() as service:
        row = await service.memories.add(NewMemory("hello"))
        service.memories.on_forgotten = listener(told)
        copy.write_bytes(b"copy")
        with monkeypatch.context() as patch:

            def held(*_, **__):
                raise PermissionError

            patch.setattr(Path, "unlink", held)
            assert await service.memories.delete(row.id) == 1
        assert told == [row.id]
        assert copy.exists()
    async with memory():
        assert not copy.exists()


async def test_caches_go_even_if_the_log_cannot_be_emptied(memory, monkeypatch):
    async with memory() as service:
        row = await service.memories.add(NewMemory("hello"))
        await service.memories.recall("hello", k=1, patience_s=10)

        async def broken():
            raise StoreError

        told = []
        service.memories.on_forgotten = listener(told)
        with monkeypatch.context() as patch:
            patch.setattr(service._writer, "checkpoint", broken)
            with pytest.raises(StoreError):
                await service.memories.delete(row.id)
        assert told == [row.id]
        assert not service._embedder._questions


async def test_who_forgets_waits_until_caches_have_followed(memory):
    async with memory() as service:
        row = await service.memories.add(NewMemory("The vault code is Zx81"))
        chats = service.conversations
        chat, other = await chats.create("x", ""), await chats.create("y", "")
        item = Recalled(row.id, row.text, 1.0, "note", row.said_at)
        for turn_id, where, recalled in (
            ("t_0", chat, []), ("t_1", chat, [item]), ("t_2", chat, []), ("t_3", other, [])
        ):  # fmt: skip
            await chats.start_turn(where.id, turn_id, "What is it?", "m")
            context = row.text if recalled else ""
            await chats.finish_turn(
                turn_id, status="done", reply="ok", context=context, recalled=recalled
            )
        order = []

        async def listen(gone, touched):
            await asyncio.sleep(0.02)
            order.append((list(gone), set(touched.turns), set(touched.conversations)))

        service.memories.on_forgotten = listen
        await service.memories.delete(row.id)
        assert order == [([row.id], {"t_1", "t_2"}, {chat.id})]


async def test_a_cache_that_cannot_follow_is_no_success(memory):
    async with memory() as service:
        row = await service.memories.add(NewMemory("hello"))

        async def broken(_gone, _touched):
            raise StoreError

        service.memories.on_forgotten = broken
        with pytest.raises(StoreError):
            await service.memories.forget(ids=[row.id])
        assert (await service.memories.count()).count == 0
