"""Suggestions wait, are accepted or refused, and leave nothing behind."""

from __future__ import annotations

import pytest

from assistant.errors import SuggestionNotFound
from assistant.memory import claims, facts
from assistant.memory.offered import contradicts
from assistant.types import NewMemory

PROPOSED = [{"quote": "I play the cello", "value": "cello", "attribute": "hobby", "subject": "me"}]


@pytest.fixture
def turn():
    async def start(service, text, turn_id="t_1"):
        chat = await service.conversations.create("", "system")
        return await service.conversations.start_turn(chat.id, turn_id, text)

    return start


async def texts(service):
    return [one.text for one in (await service.memories.list())[0]]


async def test_offered_once_then_stored_word_for_word(memory, turn):
    async with memory() as service:
        said = await turn(service, "I live in Lyon. I play the cello")
        for _ in range(2):
            await service.suggestions.learn(said.id, said.text, PROPOSED)
        waiting, _ = await service.suggestions.list()
        assert [one.text for one in waiting] == ["I play the cello", "I live in Lyon"]
        assert await texts(service) == []
        effect = await service.suggestions.accept(waiting[0].id)
        assert effect.stored[0].quote == "I play the cello"
        assert await texts(service) == ["I play the cello"]
        with pytest.raises(SuggestionNotFound):
            await service.suggestions.accept(waiting[0].id)
        # Said again, it is known, and not offered.
        await service.conversations.start_turn(said.conversation_id, "t_2", said.text)
        effect, made = await service.suggestions.learn("t_2", "I play the cello", PROPOSED)
        assert (made, effect.known[0].strength) == ([], 2)


async def test_what_was_refused_is_not_offered_again(memory, turn):
    async with memory() as service:
        said = await turn(service, "I live in Lyon")
        await service.suggestions.learn(said.id, said.text)
        (one,), _ = await service.suggestions.list()
        await service.suggestions.reject(one.id)
        await service.suggestions.learn(said.id, said.text)
        assert await service.suggestions.list() == ([], None)
        with pytest.raises(SuggestionNotFound):
            await service.suggestions.reject(one.id)


async def test_accepting_closes_what_it_contradicts(memory, turn):
    async with memory() as service:
        await service.memories.add(NewMemory("I live in Lyon"))
        said = await turn(service, "I moved to Porto")
        await service.suggestions.learn(said.id, said.text)
        (one,), _ = await service.suggestions.list()
        effect = await service.suggestions.accept(one.id)
        assert [m.text for m in effect.closed] == ["I live in Lyon"]
        assert await texts(service) == ["I live in Porto"]


@pytest.mark.parametrize(
    ("first", "then", "left"),
    [
        ("I'm vegetarian", "I'm not vegetarian any more", []),
        ("Ana lives in Nice", "Ana lives in Bergen now", ["Ana lives in Bergen now"]),
        ("Ana lives in Nice", "Tom lives in Bergen", ["Tom lives in Bergen", "Ana lives in Nice"]),
        ("I like olives", "I don't like olives", ["I don't like olives"]),
        ("I like olives", "I like figs", ["I like figs", "I like olives"]),
        ("I live in Lyon", "I'm vegetarian", ["I'm vegetarian", "I live in Lyon"]),
    ],
)
async def test_what_is_contradicted_since_waits_no_longer(memory, turn, first, then, left):
    async with memory() as service:
        for turn_id, text in (("t_1", first), ("t_2", then)):
            said = await turn(service, text, turn_id)
            await service.suggestions.learn(said.id, said.text)
        waiting = [one.text for one in (await service.suggestions.list())[0]]
        assert waiting == left
        # The model reads the first turn after the second was said.
        await service.suggestions.learn("t_1", first)
        again = [one.text for one in (await service.suggestions.list())[0]]
        assert again == waiting


SAID = (
    "I live in Lyon", "I live in Porto", "I moved to Porto", "I don't live in Lyon any more",
    "I live in France", "I like olives", "I dislike olives", "I don't like olives any more",
    "I like figs", "I'm vegetarian", "I'm not vegetarian any more", "I speak Basque",
    "Ana lives in Lyon", "Ana lives in Porto",
)  # fmt: skip


@pytest.mark.parametrize("then", SAID)
async def test_what_is_withdrawn_is_what_would_be_closed(memory, then):
    """The rule stands twice, in SQL for what is stored (`facts`) and for what waits (`offered`)."""
    async with memory() as service:
        for first in SAID:
            (old, *_), new = claims.claims(first), claims.claims(then)
            if old.negated:
                continue
            told = await service.memories.add(NewMemory(first, "fact"))
            segment = claims.Segment(then, new)
            closes = await service.memories.read(lambda db: facts.contradicted(db, [segment]))  # noqa: B023
            same = old.who.shown == new[0].who.shown
            assert (same and any(contradicts(one, old) for one in new)) == closes, (first, then)
            await service.memories.delete(told.id)


async def test_what_was_remembered_since_is_not_undone_by_a_late_yes(memory, turn):
    async with memory() as service:
        said = await turn(service, "I live in Lyon")
        await service.suggestions.learn(said.id, said.text)
        await service.knowledge.remember("I live in Porto")
        assert await service.suggestions.list() == ([], None)
        assert await texts(service) == ["I live in Porto"]


async def test_auto_stores_what_is_harmless_and_asks_for_the_rest(memory, turn):
    async with memory() as service:
        said = await turn(service, "I live in Lyon and I am allergic to nuts")
        await service.suggestions.learn(said.id, said.text, auto=True)
        assert await texts(service) == ["I live in Lyon"]
        (one,), _ = await service.suggestions.list()
        assert (one.text, one.sensitivity) == ("I am allergic to nuts", "health")


async def test_they_go_with_their_conversation_and_with_what_is_forgotten(memory, turn):
    async with memory() as service:
        said = await turn(service, "I live in Lyon")
        await service.suggestions.learn(said.id, said.text)
        await service.conversations.delete(said.conversation_id)
        assert await service.suggestions.list() == ([], None)
        # A turn that is gone is not learnt from.
        assert (await service.suggestions.learn(said.id, said.text))[1] == []


async def test_a_device_chooses(memory):
    async with memory() as service:
        assert await service.suggestions.mode("phone") == ""
        await service.suggestions.set_mode("phone", "auto")
        assert await service.suggestions.mode("phone") == "auto"
        assert await service.suggestions.mode("") == ""


async def test_the_profile_is_frozen_but_for_what_is_forgotten_or_corrected(memory):
    async with memory() as service:
        for text, how in (
            ("I live in Lyon", {"importance": 0.9}), ("I like tea", {}),
            ("I am allergic to nuts", {"sensitivity": "health"}), ("x" * 300, {}),
        ):  # fmt: skip
            await service.memories.add(NewMemory(text, kind="fact", **how))
        await service.memories.add(NewMemory("a note"))
        chat = await service.conversations.create("", "system")
        assert [line for _, line in chat.pinned] == ["I live in Lyon", "I like tea"]
        await service.memories.add(NewMemory("My name is Paul", kind="fact"))
        assert (await service.conversations.get(chat.id)).pinned == chat.pinned
        await service.memories.add(NewMemory("I moved to Porto", kind="fact"))
        assert [line for _, line in (await service.conversations.get(chat.id)).pinned] == [
            "I like tea"
        ]
        await service.memories.forget(query="I like tea")
        assert (await service.conversations.get(chat.id)).pinned == ()
        for n in range(60):
            await service.memories.add(NewMemory(f"I like the {n}th of my many songs", kind="fact"))
        lines = await service.conversations.profile()
        assert 10 < len(lines) < 60
        assert sum(len(line) for _, line in lines) <= 1500


async def test_no_profile_where_memories_are_not_used(memory):
    async with memory() as service:
        await service.memories.add(NewMemory("I live in Lyon", kind="fact"))
        chat = await service.conversations.create("", "system", memory=False)
        assert (chat.pinned, chat.memory) == ((), False)
