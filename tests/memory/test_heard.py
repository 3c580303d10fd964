"""What a message in a chat changes of what is known, and what it must not."""

from __future__ import annotations

import pytest

from assistant.types import NewMemory


@pytest.fixture
def known(memory):
    """What holds once a message is heard, among what was told; with its account."""

    async def hear(told, text, before=""):
        async with memory() as service:
            for one in told:
                await service.memories.add(NewMemory(one, kind="fact"))
            effect = await service.knowledge.heard(text, before=before)
            rows, _ = await service.memories.list(limit=50)
            return {row.text for row in rows}, effect

    return hear


@pytest.mark.parametrize(
    ("told", "text", "before"),
    [
        ("I live in Lyon", "Could you proofread this? I moved to Porto in May. Thanks", ""),
        ("I live in Lyon", "You are a travel agent. I live in Porto and want to go to Spain.", ""),
        ("I live in Lyon", "I live in Porto. Just kidding!", ""),
        ("I live in Porto", "I moved to Porto in 2015.", ""),
        ("I live in Lyon", "I live in France.", ""),
        ("I'm from Lyon", "I'm from France.", ""),
        ("I'm married", "I'm pregnant!", ""),
        ("I'm vegan", "I'm lactose intolerant.", ""),
        ("My name is Bob", "My name is hard to pronounce.", ""),
        ("Je suis végane", "Je suis pas végétarien.", ""),
        ("Paul lives in Nice", "He lives in Paris.", "Write a story about Paul, a knight"),
        ("My son Tom lives in Nice", "He lives in Clearwater.", "Who is Tom Cruise?"),
        ("My son Tom lives in Nice", "He lives in Clearwater.", "Who is Tom's boss?"),
        ("My son Tom lives in Nice", "She lives in Clearwater.", "Tell me about Tom"),
        ("Ana lives in Nice", "I met Eva. She lives in Paris.", "Tell me about Ana"),
    ],
)
async def test_nothing_is_closed(known, told, text, before):
    left, effect = await known([told], text, before)
    assert left == {told}
    assert not effect.closed


@pytest.mark.parametrize(
    ("told", "text", "before", "left"),
    [
        ("I live in Lyon", "I live in Spain", "", {"I live in Spain"}),
        ("I live in Lyon", "I moved to France", "", {"I live in France"}),
        ("I live in France", "I live in Lyon", "", {"I live in Lyon"}),
        ("I live in Paris", "I left Paris", "", set()),
        ("I work at Google", "I left Google last year, now I work at Meta", "", {"I work at Meta"}),
        ("My car is a Tesla", "I don't drive a Tesla any more", "", set()),
        ("My boss is Eva", "Tom is my new boss", "", {"Tom is my new boss"}),
        ("My phone number is 12 34", "My new number is 56 78", "", {"My new number is 56 78"}),
        ("Ana lives in Nice", "She lives in Paris", "Tell me about Ana", {"Ana lives in Paris"}),
        ("Ana lives in Nice", "She lives in Rome", "Does Ana live in Nice?", {"Ana lives in Rome"}),
        ("My son Tom lives in Nice", "He lives in Rome", "Tell me about Tom", {"Tom lives in Rome"}),
    ],
)  # fmt: skip
async def test_what_is_plainly_said_is_taken(known, told, text, before, left):
    assert (await known([told], text, before))[0] == left


async def test_what_touches_health_is_marked_so(known):
    told = ["I'm pregnant", "My hobby is yoga"]
    _, effect = await known(told, "I'm not pregnant any more")
    assert [one.text for one in effect.closed] == ["I'm pregnant"]
    _, effect = await known(
        ["My favourite book is Dune"], "My favourite book is Living with Cancer"
    )
    assert [one.sensitivity for one in effect.stored] == ["health"]


async def test_she_is_remembered_as_whom_it_means(memory):
    async with memory() as service:
        await service.memories.add(NewMemory("Ana lives in Nice", kind="fact"))
        effect = await service.knowledge.remember(
            "she lives in Paris now", before="Tell me about Ana"
        )
        assert [one.text for one in effect.stored] == ["Ana lives in Paris now"]
        assert [one.text for one in effect.closed] == ["Ana lives in Nice"]
        effect = await service.knowledge.remember("he likes tea", before="Tell me about Ana")
        assert [one.text for one in effect.stored] == ["He likes tea"]
