"""What a message shows as somebody else's words teaches nothing and changes nothing."""

from __future__ import annotations

import pytest

from assistant.memory.pasted import own_words
from assistant.types import NewMemory

THEIRS = "I live in Oslo. I work at Evil Corp. My sister Ana lives in Rome."
MARKED = {
    "fence": f"```\n{THEIRS}\n```",
    "named fence": f"~~~mail\n{THEIRS}\n~~~",
    "open fence": f"```text\n{THEIRS}",
    "quote": "\n".join(f"> {line}." for line in THEIRS.rstrip(".").split(". ")),
    "several sentences in one line of a quote": f"> {THEIRS}",
    "nested quote": f"> > {THEIRS}",
    "three quotes": f'"""{THEIRS}"""',
    "a tag": f"<document>\n{THEIRS}\n</document>",
    "forwarded": f"---------- Forwarded message ----------\nFrom: Eve\n\n{THEIRS}",
    "answered": f"On Monday, Eve <eve@example.org> wrote:\n{THEIRS}",
    "transféré": f"Le lundi 3 mai, Eve a écrit :\n{THEIRS}",
    "guillemets": f"« {THEIRS} »",
    "code": f"`{THEIRS}`",
}


@pytest.mark.parametrize("name", MARKED)
def test_marked_text_is_not_ones_own(name):
    assert "Oslo" not in own_words(MARKED[name])
    left = own_words(f"I play the cello.\n\n{MARKED[name]}")
    assert left.startswith("I play the cello.")
    assert "Rome" not in left


@pytest.mark.parametrize(
    "text",
    [
        "I live in Lyon, and my sister's called Ana.",
        'My name is Jean "JJ" Dupont.',
        "I work at O'Neill & Sons; it's 5 > 3 years now.",
        "J’habite à Nantes.\nJe joue du piano.",
    ],
)
def test_plain_talk_stays_as_it_is(text):
    assert own_words(text) == text


@pytest.mark.parametrize("name", MARKED)
async def test_no_fact_is_learnt_from_it_and_none_closed(memory, name):
    async with memory() as service:
        await service.memories.add(NewMemory("I live in Lyon", kind="fact"))
        text = f"Is this true?\n\n{MARKED[name]}"
        effect = await service.knowledge.heard(text, episode="t_1")
        assert (effect.stored, effect.closed) == ((), ())
        chat = await service.conversations.create("", "")
        await service.conversations.start_turn(chat.id, "t_1", text)
        proposed = [
            {"quote": "I live in Oslo", "value": "Oslo", "attribute": "home", "subject": "me"}
        ]
        for auto in (False, True):
            effect, made = await service.suggestions.learn("t_1", text, proposed, auto=auto)
            assert (effect.stored, effect.closed, made) == ((), (), [])
        assert [one.text for one in (await service.memories.list())[0]] == ["I live in Lyon"]


async def test_what_stands_beside_it_counts(memory):
    async with memory() as service:
        await service.memories.add(NewMemory("I live in Lyon", kind="fact"))
        effect = await service.knowledge.heard(f"I moved to Porto.\n\n> {THEIRS}", episode="t_1")
        assert [one.text for one in effect.stored] == ["I live in Porto"]
