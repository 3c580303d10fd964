"""The arrays stay in step with the table, whatever happens to rows and to the writer."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from assistant.errors import DiskFull
from assistant.memory.centre import Asked
from assistant.memory.language import UNKNOWN
from assistant.memory.lines import Lines
from assistant.memory.slots import Row
from assistant.types import NewMemory


def row(seq, *, scope="", thread="t", said_at=0, **more):
    return Row(seq, f"m_{seq}", "note", scope, None, thread, "en", said_at, said_at, **more)


def test_the_same_thread_of_two_scopes_is_two_threads():
    lines = Lines()
    lines.grow(4)
    for slot, scope in enumerate(["work", "home", "work", "home"]):
        lines.add(slot, row(slot, scope=scope, said_at=slot))
    assert lines.after[:4].tolist() == [2, 3, -1, -1]
    assert lines.before[:4].tolist() == [-1, -1, 0, 1]


@pytest.mark.parametrize("reopened", [False, True])
def test_a_new_version_stands_where_the_old_one_stood(reopened):
    lines = Lines()
    lines.grow(8)
    first, old, last = row(0, said_at=1), row(1, said_at=2), row(2, said_at=3)
    closed = row(1, said_at=2, valid_to=9, superseded_by="m_3")
    closed_again = row(3, said_at=50, valid_to=60, superseded_by="m_4")
    if reopened:
        for slot, one in enumerate([first, closed, last, closed_again, row(4, said_at=60)]):
            lines.add(slot, one)
    else:
        for slot, one in enumerate([first, old, last]):
            lines.add(slot, one)
        lines.remove(1, closed)
        assert lines.after[0] == 2
        lines.add(3, row(3, said_at=50))
        lines.remove(3, closed_again)
        lines.add(4, row(4, said_at=60))
    assert lines.after[[0, 4, 2]].tolist() == [4, 2, -1]
    assert lines.before[[0, 4, 2]].tolist() == [-1, 0, 4]
    assert lines.after[[1, 3]].tolist() == lines.before[[1, 3]].tolist() == [-1, -1]
    lines.drop(4)
    assert lines.after[0] == 2
    assert lines.before[2] == 0


async def test_rows_of_a_thread_can_be_edited_and_deleted_in_any_order(memory, settled):
    async with memory() as service:
        store = service.memories
        rows = await store.add_many([NewMemory(f"line {n}", thread="t") for n in range(6)])
        second = await store.edit(rows[2].id, text="line two")
        third = await store.edit(second.id, text="line 2 again")
        await settled(service)
        for memory_id in (second.id, rows[2].id, third.id, rows[0].id, rows[5].id):
            await store.delete(memory_id)
        assert (await store.check(full=True))["problems"] == []
        found = await store.recall("line 3", k=3)
        assert {m.id for m in found} <= {rows[1].id, rows[3].id, rows[4].id}


async def test_an_index_that_was_not_told_is_made_again(memory, settled, monkeypatch):
    async with memory() as service:
        store = service.memories
        await store.add_many([NewMemory(f"row {n}", speaker="Ann") for n in range(5)])
        await settled(service)

        def broken(rows):
            monkeypatch.undo()
            raise RuntimeError

        monkeypatch.setattr(service.memories.finder.index, "add", broken)
        added = await store.add(NewMemory("a walnut", speaker="Ben"))
        assert (await store.recall("walnut", k=1))[0].id == added.id
        assert set(service.memories.finder.index.speakers()) == {"Ann", "Ben"}
        await settled(service)
        assert (await store.check(full=True))["problems"] == []
        assert (await store.recall("row 3", k=1, patience_s=10))[0].text == "row 3"


async def test_a_job_too_big_for_the_disk_does_not_take_the_others_along(memory):
    async with memory() as service:
        group = service._writer

        def limit(db):
            pages = db.execute("PRAGMA page_count").fetchone()[0]
            db.execute(f"PRAGMA max_page_count = {pages + 2}")

        def put(name, size):
            return lambda db: db.execute(
                "INSERT INTO settings VALUES (?, zeroblob(?))", [name, size]
            )

        def names(db):
            return {name for (name,) in db.execute("SELECT name FROM settings")}

        await asyncio.wrap_future(group.submit(limit, alone=True))
        done = await asyncio.gather(
            group.run(put("a", 9)), group.run(put("big", 900_000)), group.run(put("b", 9)),
            return_exceptions=True,
        )  # fmt: skip
        assert isinstance(done[1], DiskFull)
        there = await service._readers.run(names)
        assert {"a", "b"} <= there
        assert "big" not in there


async def test_a_check_beside_writes_raises_no_alarm(memory):
    async with memory() as service:
        store = service.memories
        reports = await asyncio.gather(
            *(one for n in range(20) for one in (store.add(NewMemory(f"row {n}")), store.check()))
        )
        assert [r["problems"] for r in reports[1::2]] == [[]] * 20


async def test_speakers_are_told_while_the_index_is_busy(memory):
    async with memory() as service:
        await service.memories.add(NewMemory("hello", speaker="Ann"))
        index = service.memories.finder.index
        held, free = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def hold():
            with index._lock:
                loop.call_soon_threadsafe(held.set)
                asyncio.run_coroutine_threadsafe(free.wait(), loop).result()

        holding = asyncio.create_task(asyncio.to_thread(hold))
        await held.wait()
        assert index.speakers() == ("Ann",)
        free.set()
        await holding


async def test_opening_does_not_wait_for_vectors(memory, settled, monkeypatch):
    from assistant.memory.pump import Pump

    async with memory() as service:
        await service.memories.add_many([NewMemory(f"row {n}") for n in range(9)])
        await settled(service)
    gate = asyncio.Event()
    load = Pump._load

    async def late(self):
        await gate.wait()
        await load(self)

    monkeypatch.setattr(Pump, "_load", late)
    async with memory() as service:
        assert service.embed_model
        assert (await service.memories.count()).pending == 0
        assert not service.memories.finder.index._has.any()
        assert len(await service.memories.recall("row 3", k=1)) == 1
        gate.set()
        assert await service._pump.caught_up(30)
        assert service.memories.finder.index._has.sum() == 9
        assert (await service.memories.check(full=True))["problems"] == []


async def test_many_copies_of_a_text_that_kills_the_child_starve_nobody(memory):
    async with memory(fault="poison") as service:
        store = service.memories
        good = await store.add(NewMemory("a good row"))
        await store.add_many([NewMemory("a poison row") for _ in range(200)])
        assert await service._pump.caught_up(60)
        assert (await store.count()).pending == 200
        assert store.finder.index._has[store.finder.index._slot(1)]
        assert (await store.recall("good", k=1))[0].id == good.id


async def test_closed_neighbours_are_not_mixed_in(memory, settled):
    async with memory() as service:
        store = service.memories
        rows = await store.add_many(
            [NewMemory(text, thread="t", said_at=f"2026-01-0{n}") for n, text in
             enumerate(["one apple", "two pears", "three plums"], 1)]
        )  # fmt: skip
        await store.edit(rows[1].id, text="four figs")
        await settled(service)
        index = store.finder.index
        fresh = index._slot(4)
        assert index._lines.after[0] == fresh
        assert index._lines.before[2] == fresh
        index._settle()
        query = index._mixed(np.array([0]))[0]
        assert (
            index._signs.distances(query, 1)[0] <= 2
        )  # a number next to zero may round either way
        asked = Asked(UNKNOWN, query, query)
        assert abs(index._smooth(asked, np.array([0]))[0] - 1) < 1e-3
    async with memory() as service:
        index = service.memories.finder.index
        assert index._lines.after[0] == index._slot(4)
