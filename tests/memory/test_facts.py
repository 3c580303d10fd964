"""Facts are stored once, close what they contradict, keep their history, and split where they must."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from assistant.types import NewMemory


class Clock:
    """A minute passes with each thing that is told."""

    def __init__(self):
        self.minute = 0

    def __call__(self):
        return f"2026-01-01T00:{self.minute:02d}:00Z"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told(clock):
    """Tells texts one after the other, and returns the service's memories as (live, closed) texts."""

    async def tell(service, *texts, **how):
        for text in texts:
            clock.minute += 1
            await service.memories.add(NewMemory(text, **how))
        return await lists(service)

    return tell


async def lists(service):
    every, _ = await service.memories.list(limit=100, include_closed=True)
    live = {one.text for one in every if one.valid_to is None}
    return live, {one.text for one in every if one.valid_to is not None}


CORRECTIONS = [
    (["I live in Lyon", "I moved to Porto"], {"I moved to Porto"}, {"I live in Lyon"}),
    (
        ["Ana lives in Lyon", "no, Ana lives in Nice now"],
        {"no, Ana lives in Nice now"},
        {"Ana lives in Lyon"},
    ),
    (["J'habite à Lyon", "J'ai déménagé à Porto"], {"J'ai déménagé à Porto"}, {"J'habite à Lyon"}),
    (["I live in Lyon", "J'ai déménagé à Porto"], {"J'ai déménagé à Porto"}, {"I live in Lyon"}),
    (
        ["Ma sœur habite à Lyon", "My sister moved to Nice"],
        {"My sister moved to Nice"},
        {"Ma sœur habite à Lyon"},
    ),
    (
        ["My phone number is 12 34", "My phone number is now 56 78"],
        {"My phone number is now 56 78"},
        {"My phone number is 12 34"},
    ),
    (["I am a vegetarian", "I'm vegan"], {"I'm vegan"}, {"I am a vegetarian"}),
    (
        ["I'm vegetarian", "I'm not vegetarian any more"],
        {"I'm not vegetarian any more"},
        {"I'm vegetarian"},
    ),
    (
        ["Je suis végétarienne", "Je ne suis plus végétarienne"],
        {"Je ne suis plus végétarienne"},
        {"Je suis végétarienne"},
    ),
    (
        ["I'm vegan", "I'm not vegan anymore", "I'm vegan again"],
        {"I'm vegan again"},
        {"I'm vegan", "I'm not vegan anymore"},
    ),
    (["I work at Acme", "I left Acme"], {"I left Acme"}, {"I work at Acme"}),
    (["I like tea", "I don't like tea any more"], {"I don't like tea any more"}, {"I like tea"}),
    (["I like tea", "I hate tea"], {"I hate tea"}, {"I like tea"}),
    (["My boss is Tom", "My boss is Lea"], {"My boss is Lea"}, {"My boss is Tom"}),
    (
        ["My favourite colour is green", "My favourite colour is blue"],
        {"My favourite colour is blue"},
        {"My favourite colour is green"},
    ),
    (
        ["Meine Schwester Ana wohnt in Köln", "Ana lives in Nice"],
        {"Ana lives in Nice"},
        {"Meine Schwester Ana wohnt in Köln"},
    ),
    (
        ["Mi hermana Ana vive en Madrid", "Ana lives in Nice"],
        {"Ana lives in Nice"},
        {"Mi hermana Ana vive en Madrid"},
    ),
    (
        ["Mia sorella Ana vive a Roma", "My sister lives in Nice"],
        {"My sister lives in Nice"},
        {"Mia sorella Ana vive a Roma"},
    ),
    (
        ["Minha irmã Ana mora em Lisboa", "My sister lives in Nice"],
        {"My sister lives in Nice"},
        {"Minha irmã Ana mora em Lisboa"},
    ),
]


@pytest.mark.parametrize(("texts", "live", "closed"), CORRECTIONS)
async def test_what_is_contradicted_is_closed_and_kept(memory, told, clock, texts, live, closed):
    async with memory(clock=clock) as service:
        assert await told(service, *texts) == (live, closed)
        assert (await service.memories.check(full=True))["problems"] == []


@pytest.mark.parametrize(
    "texts",
    [
        ["I live in Lyon", "Ana lives in Nice"],
        ["I like tea", "I like coffee"],
        ["My sister is called Ana", "My sister is called Lea"],
        ["I speak French", "I speak German"],
        ["I live in Lyon", "If I moved to Porto I would miss you"],
        ["I live in Lyon", "Maybe I moved to Porto in another life"],
        ["I live in Lyon", 'Tom told me "I moved to Porto last week" yesterday'],
        ["I live in Lyon", "Tom says I moved to Porto"],
        ["I live in Lyon", "Did I say I moved to Porto?"],
        ["My friend Ana lives in Lyon", "My sister Ana lives in Nice"],
        ["My car is a Skoda", "My car is broken"],
        ["I work at Acme", "I work as a nurse"],
        ["I left Acme", "I live in Lyon"],
    ],
)
async def test_what_does_not_contradict_stays(memory, told, clock, texts):
    async with memory(clock=clock) as service:
        assert await told(service, *texts) == (set(texts), set())


async def test_recall_has_the_new_fact_and_as_of_the_old_one(memory, told, clock):
    async with memory(clock=clock) as service:
        await told(service, "I live in Lyon")
        before = clock()
        await told(service, "I moved to Porto")
        now = await service.memories.recall("Where do I live, Lyon or Porto?", k=5)
        then = await service.memories.recall("Where do I live, Lyon or Porto?", k=5, as_of=before)
        assert [one.text for one in now] == ["I moved to Porto"]
        assert [one.text for one in then] == ["I live in Lyon"]
        (lived, _) = history = await service.memories.history(now[0].id)
        assert [one.text for one in history] == ["I live in Lyon", "I moved to Porto"]
        assert (lived.valid_to, lived.superseded_by) == (history[1].valid_from, history[1].id)
        assert (lived.subject, lived.attribute) == ("I", "home")


async def test_said_twice_is_stored_once_and_counted_by_episode(memory, clock):
    async with memory(clock=clock) as service:
        told = [("I live in Lyon", "t1"), ("I live in Lyon.", "t1"), ("J'habite à Lyon", "t2")]
        rows = [
            await service.memories.add(NewMemory(text, kind="fact", episode=episode))
            for text, episode in told
        ]
        assert {row.id for row in rows} == {rows[0].id}
        assert [row.strength for row in rows] == [1, 1, 2]
        assert (await service.memories.count()).count == 1


async def test_notes_that_came_together_are_not_merged(memory):
    async with memory() as service:
        await service.memories.add_many([NewMemory("swam today")] * 3)
        await service.memories.add_many([NewMemory("I like tea", thread="t", speaker="Ann")] * 2)
        assert (await service.memories.count()).count == 5


async def test_only_what_changed_is_closed_where_a_text_says_more(memory, told, clock):
    async with memory(clock=clock) as service:
        text = "My sister Ana lives in Lyon and loves tulips. The door code is 1234#"
        await told(service, text)
        live, closed = await told(service, "Ana lives in Nice now")
        assert closed == {"My sister Ana lives in Lyon"}
        assert live == {
            "Ana lives in Nice now",
            "My sister Ana loves tulips. The door code is 1234#",
        }
        # Nothing is left of what is forgotten, in the row that was cut down neither.
        (tulips,) = [m for m in await service.memories.recall("tulips", k=5) if "tulips" in m.text]
        await service.memories.forget(ids=[tulips.id])
        assert await lists(service) == ({"Ana lives in Nice now"}, {"My sister Ana lives in Lyon"})
        assert (await service.memories.check(full=True))["problems"] == []


async def test_my_sister_is_ana_once_told(memory, told, clock):
    async with memory(clock=clock) as service:
        await told(service, "My sister lives in Lyon", "My sister's name is Ana")
        _, closed = await told(service, "Ana moved to Nice")
        assert closed == {"My sister lives in Lyon"}
        _, closed = await told(service, "Ma sœur habite à Brest")
        assert "Ana moved to Nice" in closed
        found = await service.memories.recall("What is my sister up to?", k=3)
        assert "Ma sœur habite à Brest" in [one.text for one in found]


async def test_two_sisters_are_two(memory, told, clock):
    async with memory(clock=clock) as service:
        _, closed = await told(
            service, "My sister Ana lives in Lyon", "My sister Lea lives in Paris",
            "My sister moved to Rome",
        )  # fmt: skip
        assert not closed  # which of them is not clear, so nothing is closed
        _, closed = await told(service, "Lea moved to Oslo")
        assert closed == {"My sister Lea lives in Paris"}


async def test_what_is_told_late_of_a_time_gone_by_is_history(memory, told, clock):
    async with memory(clock=clock) as service:
        await told(service, "I live in Porto")
        live, closed = await told(service, "I live in Lyon", said_at="2020-01-01")
        assert (live, closed) == ({"I live in Porto"}, {"I live in Lyon"})


@pytest.mark.parametrize("trust", ["device", "tool", "file", "web", "model"])
async def test_only_the_user_closes_facts(memory, told, clock, trust):
    async with memory(clock=clock) as service:
        await told(service, "I live in Lyon")
        _, closed = await told(service, "I live in Nowhere", trust=trust)
        assert not closed


async def test_a_forgotten_name_leaves_no_alias(memory, told, clock):
    async with memory(clock=clock) as service:
        await told(service, "My sister Ana lives in Lyon")
        await service.memories.forget(query="My sister Ana lives in Lyon")
        tables = ("claims", "aliases", "episodes", "memories")
        left = await service.memories._readers.run(
            lambda db: [db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables]
        )
        assert left == [0, 0, 0, 0]


async def test_an_edit_closes_what_its_new_text_contradicts(memory, told, clock):
    async with memory(clock=clock) as service:
        await told(service, "I live in Lyon", "The weather is nice")
        clock.minute += 1
        weather = (await service.memories.recall("weather", k=1))[0]
        edited = await service.memories.edit(weather.id, text="I live in Porto")
        live, closed = await lists(service)
        assert live == {"I live in Porto"}
        assert closed == {"I live in Lyon", "The weather is nice"}
        assert "The weather is nice" in [m.text for m in await service.memories.history(edited.id)]


@pytest.mark.parametrize("schema", ["m001", "m003"])
async def test_facts_of_an_older_database_are_corrected_too(memory, paths, told, schema):
    here = Path(__file__).parent
    shutil.copy(here / f"{schema}.db", paths.database)
    shutil.copy(here / f"{schema}.key", paths.key)
    async with memory() as service:
        await service.memories.add(NewMemory("My sister moved to Nice"))
        live, closed = await lists(service)
        assert "My sister lives in Porto" in closed
        assert "My sister moved to Nice" in live
        assert (await service.memories.check(full=True))["problems"] == []


async def test_all_of_it_survives_a_restart(memory, told, clock):
    async with memory(clock=clock) as service:
        await told(service, "My sister Ana lives in Lyon")
    async with memory(clock=clock) as service:
        live, closed = await told(service, "My sister lives in Nice")
        assert (live, closed) == ({"My sister lives in Nice"}, {"My sister Ana lives in Lyon"})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("My dentist is Dr. Moreau", "My dentist is Dr. Lindqvist"),
        ("My landlord is Mr. Castellan", "My landlord is Mrs. Ode"),
        ("Mon médecin est le docteur Besson", "Mon médecin est maintenant la docteure Kaya"),
    ],
)
async def test_a_title_ends_no_sentence_and_is_no_name(memory, old, new):
    async with memory() as service:
        for text in (old, new):
            await service.knowledge.remember(text)
        rows, _ = await service.memories.list()
        assert [row.text for row in rows] == [new]
