"""Another embedder takes over: nothing is lost, nothing is mixed up, and recall never goes without."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
from memory.ingest.waiting import added, in_state, until

from assistant.errors import StoreError
from assistant.memory import swap, tables
from assistant.memory.vectors import Index
from assistant.types import NewMemory

TEXTS = [f"row {n} about thing{n} and place{n % 7}" for n in range(120)]

LATE = "row 500 about thing500 and place3"


async def finds(store, n):
    return TEXTS[n] in [m.text for m in await store.recall(f"thing{n}", k=3, patience_s=5)]


async def test_the_old_one_answers_until_the_new_one_has_everything(memory, settled):
    async with memory() as service:
        store = service.memories
        await store.add_many([NewMemory(text) for text in TEXTS])
        await settled(service)
        old = service.embed_model
        index = store.finder.index
        await service.swap("fake:32")
        seen = []
        while service.swap_progress:
            seen.append(service.swap_progress)
            if store.finder.index is index:
                assert service.embed_model == old == index.model
                assert index._has.sum() == len(TEXTS) + (len(seen) > 1)
            if len(seen) == 1:
                await store.add(NewMemory(LATE))
                await settled(service)
            assert await finds(store, len(seen) % 120)
        assert service.embed_model == store.finder.index.model == "fake/words-32"
        assert max(one.total for one in seen) >= len(TEXTS)
        assert store.finder.index._has.sum() == len(TEXTS) + 1
        assert len((await service.embed(["x"]))[0]) == 32
        found = await store.recall("thing500", k=3)
        assert LATE in [m.text for m in found]
        report = await store.check(full=True)
        assert (report["problems"], report["vectors"]) == ([], len(TEXTS) + 1)
        assert [child.name for child in service.children()].count("embed") == 1
        await store.add(NewMemory("the first row of the new one"))
        await settled(service)
        assert (await store.check())["ok"]


async def test_a_swap_goes_on_after_a_restart(memory, settled):
    async with memory() as service:
        # So many that it cannot end while it is slow, however busy the machine is.
        many = [f"filler {n}" for n in range(1200)]
        await service.memories.add_many([NewMemory(text) for text in [*many, *TEXTS]])
        await settled(service)
        old = service.embed_model
    async with memory("fake:32", fault="slow") as service:
        assert service.embed_model == old
        async with asyncio.timeout(30):
            while not (service.swap_progress and service.swap_progress.done > 8):
                await asyncio.sleep(0.01)
        assert await finds(service.memories, 5)
    async with memory("fake:32") as service:
        await service._swap.finished()
        assert service.embed_model == "fake/words-32"
        assert (await service.memories.check(full=True))["problems"] == []
    async with memory("fake:32") as service:
        assert service.swap_progress is None
        assert await finds(service.memories, 7)


async def test_a_new_embedder_that_does_not_run_changes_nothing(memory, settled):
    async with memory() as service:
        await service.memories.add_many([NewMemory(text) for text in TEXTS[:9]])
        await settled(service)
        old = service.embed_model
    async with memory("st:/nowhere/at/all") as service:
        await asyncio.sleep(0.5)
        assert service.embed_model == old
        assert await finds(service.memories, 3)
        await service.swap("fake:32")
        await service._swap.finished()
        assert service.embed_model == "fake/words-32"


@pytest.mark.parametrize("rounds", [6])
async def test_questions_at_the_moment_of_the_change_are_never_of_the_wrong_model(
    memory, settled, rounds
):
    async with memory() as service:
        store = service.memories
        await store.add_many([NewMemory(text) for text in TEXTS])
        await settled(service)
        for n in range(rounds):
            await service.swap("fake:32" if n % 2 == 0 else "fake")
            while service.swap_progress:
                found = await asyncio.gather(*(finds(store, m) for m in range(0, 120, 17)))
                assert all(found)
        assert (await store.check(full=True))["problems"] == []


async def test_a_question_that_began_before_still_sees_only_its_classes(memory, settled):
    async with memory() as service:
        store = service.memories
        await store.add(NewMemory("the safe code is 4711", scope="private"))
        await store.add(NewMemory("the safe is in the kitchen", scope="home"))
        await settled(service)
        began, asked = store.finder._vector, []

        async def swapped_meanwhile(text):
            asked.append(text)
            vector = await began(text)
            if len(asked) == 1:
                await service.swap("fake:32")
                await service._swap.finished()
            return vector

        store.finder._vector = swapped_meanwhile
        found = await store.recall("safe code", k=5, classes=["home"], patience_s=20)
        assert len(asked) == 2
        assert [one.text for one in found] == ["the safe is in the kitchen"]


async def test_a_vector_that_is_there_at_once_is_never_taken_to_the_arrays_of_another_model(
    memory, settled
):
    async with memory() as service:
        store = service.memories
        told = await store.add(NewMemory("the safe is in the kitchen"))
        await settled(service)
        other = Index()
        other.add(await store.read(lambda db: tables.index_rows(db, [told.id])))

        async def of_the_next_model(text):
            store.finder.take(other)
            return np.ones(32, np.float32)

        store.finder._vector = of_the_next_model
        found = await store.recall("safe kitchen", k=5)
        assert [one.id for one in found] == [told.id]


async def swapped(service, spec="fake:32"):
    await service.swap(spec)
    await service._swap.finished()


async def recalls(service, question, text):
    found = await service.memories.recall(question, k=5, patience_s=5)
    return text in [one.text for one in found]


def models(service):
    sql = "SELECT DISTINCT model FROM vectors ORDER BY model"
    return service._readers.read(lambda db: [one for (one,) in db.execute(sql)])


@pytest.mark.parametrize("change", ["a new file", "a changed file", "a lost file", "the same text"])
async def test_files_are_found_that_come_after_a_swap(memory, settled, tmp_path, change):
    root = tmp_path / "Notes"
    root.mkdir()
    (root / "a.txt").write_text("the wombat sleeps")
    async with memory() as service:
        await service.sources.start()
        source = await added(service, root)
        await settled(service)
        await swapped(service)
        text = "the quokka sings"
        if change == "the same text":  # its vector is known
            text = "the wombat sleeps"
        if change == "a lost file":
            (root / "a.txt").unlink()
            await until(lambda: _count(service, 0))
        else:
            (root / ("a.txt" if change == "a changed file" else "b.txt")).write_text(text)
            await until(lambda: recalls(service, text, text))
        await in_state(service, source.id)
        await settled(service)
        report = await service.memories.check(full=True)
        assert report["problems"] == []
        index = service.memories.finder.index
        live = (await service.memories.count()).count
        assert len(index.contents()[0]) == live
        assert index._has.sum() == live
        await service.sources.remove(source.id)
        await until(lambda: _count(service, 0))
        assert (await service.memories.check(full=True))["problems"] == []


async def _count(service, wanted):
    return (await service.memories.count()).count == wanted


@pytest.mark.parametrize("origin", ["nestor", "mem0"])
async def test_imports_are_found_that_come_after_a_swap(memory, settled, tmp_path, origin):
    text = "Likes the smell of rain"
    path = tmp_path / "given.json"
    async with memory() as service:
        if origin == "nestor":
            one = await service.memories.add(NewMemory(text))
            await settled(service)
            path.write_bytes(b"".join([piece async for piece in service.transfers.export()]))
            await service.memories.delete(one.id)
        else:
            rows = [{"id": "1", "memory": text, "created_at": "2024-05-01T10:00:00Z"}]
            path.write_text(json.dumps({"results": rows}))
        await swapped(service)
        load = service.transfers.load(path, origin=origin, with_forgotten=True)
        assert [step async for step in load][-1]["added"]["memories"] == 1
        await settled(service)
        assert await recalls(service, "smell of rain", text)
        assert (await service.memories.check(full=True))["problems"] == []


@pytest.mark.parametrize("dropped", [0, 8])
async def test_vectors_that_a_killed_swap_left_go_at_the_next_start(
    memory, settled, monkeypatch, dropped
):
    async with memory() as service:
        await service.memories.add_many([NewMemory(text) for text in TEXTS])
        await settled(service)
        old = service.embed_model

    drop, left = swap.drop_others, [dropped] if dropped else []

    def killed(db, model, most):
        if left:
            return drop(db, model, left.pop())
        raise StoreError

    with monkeypatch.context() as patch:
        patch.setattr(swap, "drop_others", killed)
        async with memory("fake:32") as service:
            with pytest.raises(StoreError):
                await service._swap.finished()
            assert service.embed_model == "fake/words-32"
            assert len(models(service)) == 2
    async with memory("fake:32") as service:
        assert service.swap_progress is None
        await until(lambda: _only(service, "fake/words-32"))
        assert await finds(service.memories, 7)
        assert (await service.memories.check(full=True))["problems"] == []
        assert old not in models(service)


async def _only(service, model):
    return models(service) == [model]


async def test_vectors_of_a_swap_that_was_given_up_go_but_not_of_one_under_way(memory, settled):
    async with memory() as service:
        many = [f"filler {n}" for n in range(1200)]
        await service.memories.add_many([NewMemory(text) for text in [*many, *TEXTS]])
        await settled(service)
        old = service.embed_model
    for _ in range(2):
        async with memory("fake:32", fault="slow") as service:
            async with asyncio.timeout(30):
                while not (service.swap_progress and service.swap_progress.done > 8):
                    await asyncio.sleep(0.01)
            assert models(service) == sorted([old, "fake/words-32"])
    async with memory() as service:
        await until(lambda: _only(service, old))
        assert await finds(service.memories, 7)
