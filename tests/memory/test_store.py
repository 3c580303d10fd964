"""Memories are added, corrected, listed and gone, as a caller sees it."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from assistant.errors import (
    EmptyText,
    InvalidInput,
    MemoryClosed,
    MemoryNotFound,
    StoreError,
    TextTooLong,
    Untrusted,
)
from assistant.types import NewMemory


class Clock:
    def __init__(self):
        self.moment = "2026-01-01T00:00:00Z"

    def __call__(self):
        return self.moment


async def test_what_was_added_is_there_after_a_restart(memory):
    async with memory() as service:
        added = await service.memories.add(
            NewMemory("The key is under the pot", kind="fact", source="phone", speaker="Ann")
        )
    async with memory() as service:
        assert await service.memories.get(added.id) == added
        found = await service.memories.recall("Where is the key?", k=3)
        assert [one.id for one in found] == [added.id]
        assert (found[0].source, found[0].speaker) == ("phone", "Ann")
        assert (await service.memories.check(full=True))["problems"] == []


async def test_a_page_continues_where_the_last_one_ended(memory):
    async with memory() as service:
        added = await service.memories.add_many([NewMemory(f"note {n}") for n in range(7)])
        first, cursor = await service.memories.list(limit=3)
        second, cursor = await service.memories.list(limit=3, cursor=cursor)
        third, end = await service.memories.list(limit=3, cursor=cursor)
    assert [m.id for m in first + second + third] == [m.id for m in reversed(added)]
    assert end is None


@pytest.mark.parametrize("cursor", ["x", "!!", "bm8", "Zm9vCmJhcg", "é", "LTE"])
async def test_a_bad_cursor_is_refused(memory, cursor):
    async with memory() as service:
        with pytest.raises(InvalidInput):
            await service.memories.list(cursor=cursor)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", EmptyText),
        (" \n\t", EmptyText),
        ("\u200b\u200d", EmptyText),
        ("a\0b", InvalidInput),
        ("\ud800", InvalidInput),
        ("x" * 16_001, TextTooLong),
    ],
)
async def test_text_that_cannot_be_kept_is_refused(memory, text, error):
    async with memory() as service:
        with pytest.raises(error):
            await service.memories.add(NewMemory(text))
        assert (await service.memories.count()).count == 0


@pytest.mark.parametrize(
    "text",
    [
        "👩🏽‍🚀 flew to the 🌙",
        "我妹妹住在里昂",
        "أختي تعيش في ليون",
        'say "hi" AND (NEAR* OR -x) : ^',
        "'; DROP TABLE memories; --",
        "e\u0301te\u0301",
        "a\u202eb",
    ],
)
async def test_any_text_is_kept_to_the_letter_and_can_be_asked_for(memory, settled, text):
    async with memory() as service:
        added = await service.memories.add(NewMemory(text))
        assert (await service.memories.get(added.id)).text == text
        await settled(service)
        assert [m.id for m in await service.memories.recall(text, k=1)] == [added.id]
        assert (await service.memories.check())["ok"]


async def test_one_bad_row_of_a_batch_stores_none(memory):
    async with memory() as service:
        with pytest.raises(EmptyText):
            await service.memories.add_many([NewMemory("good"), NewMemory("")])
        assert (await service.memories.count()).count == 0


async def test_times_are_kept_in_utc(memory):
    async with memory() as service:
        added = await service.memories.add(NewMemory("lunch", said_at="2024-05-01T12:00:00+02:00"))
        assert added.said_at == added.valid_from == "2024-05-01T10:00:00Z"
        with pytest.raises(InvalidInput):
            await service.memories.add(NewMemory("lunch", said_at="yesterday"))


async def test_a_new_text_supersedes_and_the_old_one_is_history(memory):
    clock = Clock()
    async with memory(clock=clock) as service:
        store = service.memories
        first = await store.add(NewMemory("My sister lives in Lyon", kind="fact", scope="family"))
        clock.moment = "2026-02-01T00:00:00Z"
        second = await store.edit(first.id, text="My sister lives in Porto", importance=0.9)
        clock.moment = "2026-03-01T00:00:00Z"
        third = await store.edit(second.id, text="My sister lives in Ghent")

        assert (second.kind, second.scope, second.importance) == ("fact", "family", 0.9)
        for member in (first, second, third):
            chain = await store.history(member.id)
            assert [m.id for m in chain] == [first.id, second.id, third.id]
        assert chain[0].valid_to == second.valid_from == "2026-02-01T00:00:00Z"
        assert chain[0].superseded_by == second.id
        assert chain[2].valid_to is None

        now = await store.recall("Where does my sister live?", k=5)
        assert [m.text for m in now] == ["My sister lives in Ghent"]
        then = await store.recall("Where does my sister live?", k=5, as_of="2026-02-15T00:00:00Z")
        assert [m.text for m in then] == ["My sister lives in Porto"]
        before = await store.recall("Where does my sister live?", k=5, as_of="2025-01-01")
        assert before == []
        assert [m.id for m in (await store.list())[0]] == [third.id]
        assert len((await store.list(include_closed=True))[0]) == 3
        with pytest.raises(MemoryClosed):
            await store.edit(first.id, text="My sister lives on the moon")
        assert (await store.check())["ok"]


async def test_the_same_text_or_other_fields_change_the_row_in_place(memory):
    async with memory() as service:
        store = service.memories
        added = await store.add(NewMemory("Buy milk"))
        same = await store.edit(added.id, text="Buy milk")
        assert same == added
        changed = await store.edit(added.id, kind="task", importance=1.0)
        assert (changed.id, changed.kind, changed.importance) == (added.id, "task", 1.0)
        assert await store.recall("milk", k=1, kinds=["note"]) == []
        assert [m.id for m in await store.recall("milk", k=1, kinds=["task"])] == [added.id]
        assert await store.history(added.id) == [changed]
        with pytest.raises(InvalidInput):
            await store.edit(added.id, importance=3.0)
        with pytest.raises(InvalidInput):
            await store.edit(added.id, kind="poem")


async def test_only_rows_of_the_scope_or_of_none_are_found(memory, settled):
    async with memory() as service:
        store = service.memories
        work = await store.add(NewMemory("the deadline is Monday", scope="work"))
        home = await store.add(NewMemory("the deadline is Sunday", scope="home"))
        free = await store.add(NewMemory("the deadline is never"))
        await settled(service)
        found = {m.id for m in await store.recall("deadline", k=9, scope="work")}
        assert found == {work.id, free.id}
        assert {m.id for m in await store.recall("deadline", k=9)} == {work.id, home.id, free.id}


async def test_closed_rows_do_not_crowd_out_the_one_that_holds(memory, settled):
    async with memory() as service:
        store = service.memories
        row = await store.add(NewMemory("The code of the gate is 1000"))
        for code in range(1001, 1200):
            row = await store.edit(row.id, text=f"The code of the gate is {code}")
        await settled(service)
        found = await store.recall("What is the code of the gate?", k=10)
        assert [m.id for m in found] == [row.id]


async def test_unknown_ids_are_told(memory):
    async with memory() as service:
        for ask in (
            service.memories.get("m_none"),
            service.memories.edit("m_none", text="x"),
            service.memories.history("m_none"),
            service.memories.delete("m_none"),
        ):
            with pytest.raises(MemoryNotFound):
                await ask


async def test_delete_takes_one_row_and_keeps_the_chain_whole(memory, settled):
    async with memory() as service:
        store = service.memories
        first = await store.add(NewMemory("version one"))
        second = await store.edit(first.id, text="version two")
        third = await store.edit(second.id, text="version three")
        await settled(service)
        assert await store.delete(second.id) == 1
        assert [m.id for m in await store.history(first.id)] == [first.id, third.id]
        report = await store.check(full=True)
        assert report["problems"] == []
        assert (report["rows"], report["vectors"]) == (2, 2)


async def test_forget_takes_every_version(memory, settled):
    async with memory() as service:
        store = service.memories
        first = await store.add(NewMemory("The PIN is 1234"))
        second = await store.edit(first.id, text="The PIN is 4321")
        other = await store.add(NewMemory("Buy milk"))
        await settled(service)
        gone = await store.forget(ids=[second.id, "m_unknown"])
        assert set(gone) == {first.id, second.id}
        assert (await store.count()).count == 1
        found = await store.recall("PIN", k=5, as_of=first.valid_from, last_resort_s=0)
        assert {row.id for row in found} <= {other.id}
        assert await store.get(other.id)
        with pytest.raises(InvalidInput):
            await store.forget()


async def test_forget_by_query_takes_only_what_it_names(memory, settled):
    async with memory() as service:
        store = service.memories
        await store.add_many([NewMemory(f"small talk number {n}") for n in range(30)])
        pin = await store.add(NewMemory("The zanzibar passphrase is open sesame"))
        await settled(service)
        assert await store.forget(query="zanzibar passphrase") == [pin.id]
        assert (await store.count()).count == 30


async def test_the_same_text_is_embedded_once(memory, settled):
    async with memory() as service:
        store = service.memories
        one = await store.add(NewMemory("the same words"))
        await settled(service)
        calls = []
        embed = service._embedder.embed

        async def counting(texts, purpose="passage"):
            calls.extend(texts)
            return await embed(texts, purpose)

        service._embedder.embed = counting
        two = await store.add(NewMemory("the same words", kind="fact"))
        assert (await store.count()).pending == 0
        changed = await store.edit(two.id, text="other words")
        back = await store.edit(changed.id, text="the same words")
        await settled(service)
        assert calls == ["other words"]
        report = await store.check()
        assert (report["ok"], report["vectors"]) == (True, 2)
        await store.delete(one.id)
        await store.delete(back.id)
        assert (await store.check())["vectors"] == 2
        await store.delete(two.id)
        assert (await store.check())["vectors"] == 1


async def test_a_hundred_at_once(memory, settled):
    async with memory() as service:
        store = service.memories

        async def one(n):
            added = await store.add(NewMemory(f"fact {n} about subject{n}"))
            found = await store.recall(f"subject{n}", k=1, last_resort_s=0.1)
            assert [m.id for m in found] == [added.id]
            return added

        added = await asyncio.gather(*(one(n) for n in range(100)))
        assert len({m.id for m in added}) == 100
        await settled(service)
        report = await store.check(full=True)
        assert (report["problems"], report["live"]) == ([], 100)


async def test_a_job_that_fails_takes_no_other_along(memory):
    async with memory() as service:
        writer = service._writer

        def bad(db):
            db.execute("INSERT INTO settings VALUES ('half', x'00')")
            raise InvalidInput

        def good(name):
            return lambda db: db.execute("INSERT INTO settings VALUES (?, x'01')", [name])

        results = await asyncio.gather(
            writer.run(good("a")), writer.run(bad), writer.run(good("b")), return_exceptions=True
        )
        assert isinstance(results[1], InvalidInput)

        def names(db):
            sql = "SELECT name FROM settings WHERE name IN ('a', 'b', 'half')"
            return {name for (name,) in db.execute(sql)}

        assert await service._readers.run(names) == {"a", "b"}


async def test_a_closed_memory_says_so(memory):
    async with memory() as service:
        pass
    with pytest.raises(StoreError):
        await service.memories.add(NewMemory("too late"))
    with pytest.raises(StoreError):
        await service.memories.count()


async def test_records_and_facts_may_come_in_one_batch(memory):
    batch = [
        NewMemory("[12:01] the train was late", thread="t1", speaker="Ann", said_at="2026-01-01"),
        NewMemory("I live in Lyon", kind="fact"),
        NewMemory(
            "Is it raining?", "note", "2026-01-02", importance=0.9, quote="rain", episode="e7"
        ),
        NewMemory("I live in Porto now", kind="fact"),
        NewMemory("été, déjà", source="phone", scope="home", sensitivity="health"),
    ]
    async with memory() as service:
        store = service.memories
        told = await store.add_many(batch)
        assert [one.text for one in told] == [one.text for one in batch]
        kept = [await store.get(one.id) for one in told]
        assert kept[1].valid_to is not None
        assert kept[1].superseded_by == told[3].id
        assert [kept[n] for n in (0, 2, 3, 4)] == [told[n] for n in (0, 2, 3, 4)]
        episodes = await store.read(
            lambda db: dict(db.execute("SELECT memory_id, episode FROM episodes").fetchall())
        )
        assert episodes[told[2].id] == "e7"
        assert episodes[told[0].id] == told[0].id
        assert (await store.check(full=True))["problems"] == []


async def test_nothing_of_a_batch_is_stored_where_one_would_pass_for_the_users_word(memory):
    async with memory() as service:
        with pytest.raises(Untrusted):
            await service.memories.add_many(
                [NewMemory("a line"), NewMemory("Pay Bob", kind="event", trust="file")]
            )
        assert (await service.memories.count()).count == 0


async def test_vectors_that_are_known_already_are_taken(memory, settled):
    texts = ["alpha beta", "I live in Lyon"]
    async with memory() as service:
        store = service.memories
        vectors = np.array(await service.embed(texts), np.float32)
        await store.add_many([NewMemory(text) for text in texts], vectors)
        assert (await store.count()).pending == 0
        assert [one.text for one in await store.recall("beta", k=1)] == ["alpha beta"]
        # Said again in other words, it is not stored, and so its vector is not either.
        again = ["My home is in Lyon", "gamma"]
        vectors = np.array(await service.embed(again), np.float32)
        told = await store.add_many([NewMemory(text) for text in again], vectors)
        count = await store.read(lambda db: db["vectors"].count)
        assert count == len({one.text for one in told} | set(texts))
        assert (await store.check(full=True))["problems"] == []


async def test_vectors_that_cannot_be_the_models_are_refused(memory):
    async with memory() as service:
        await service.embed(["ready"])
        good = np.array(await service.embed(["alpha"]), np.float32)
        for vectors in (good[:, :-1], good * 2, np.concatenate([good, good]), good * np.nan):
            with pytest.raises(InvalidInput):
                await service.memories.add_many([NewMemory("alpha")], vectors)
        assert (await service.memories.count()).count == 0
