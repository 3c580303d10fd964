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
    "head of a mail": f"From: eve@example.org\nSubject: news\n\n{THEIRS}\n\nEve",
    "long head": f"From: Eve <e@x.org>\nDate: Mon, 3 May\nTo: me,\n  you\nSubject: \n\n{THEIRS}",
    "bold head": f"**From:** Eve\n\n**Subject:** news\n\n{THEIRS}",
    "Kopf": f"Von: Eve\nGesendet: Montag\nAn: mich\nBetreff: Neues\n\n{THEIRS}",
    "en-tête": f"De : Eve\nEnvoyé : lundi\nÀ : moi\nObjet : nouvelles\n\n{THEIRS}",
    "wrote": f"Eve wrote:\n{THEIRS}",
    "says": f"Eve Oberlin says:\n\n{THEIRS}\n\n{THEIRS}",
    "wrote on a day": f"My boss wrote to me on Monday:\n{THEIRS}",
    "wrote in one line": f"Eve wrote: hello. {THEIRS}\n{THEIRS}",
    "écrit": f"Eve a écrit :\n{THEIRS}",
    "schrieb": f"Eve schrieb:\n{THEIRS}",
    "escribió": f"Eve escribió:\n{THEIRS}",
    "letter": f"Dear all,\n\n{THEIRS}\n\nBest,\nEve",
    "note": f"Hi Paul,\n{THEIRS}\nEve",
    "windows": f"Eve wrote:\r\n{THEIRS}\r\n",
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
        "Dear Nestor, I live in Lyon.",
        "Hey Nestor,\nI live in Lyon.",
        "Date: 3 May. I live in Lyon: the second city.",
        "My sister said yes, and I live in Lyon: she told me so.",
        "I live in Lyon. This is what I know: nothing.",
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


KNOWN = ["I live in Porto", "I am vegetarian"]
UNMARKED = {
    "sms": "I got this SMS, is it spam?\n\nI'm not vegetarian any more.",
    "sms in one line": "I got this SMS, is it spam? I'm not vegetarian any more.",
    "mail": "I found this.\n\nI moved to Berlin.\n\nTom",
    "signed": "I live in Berlin now.\nTom",
    "asked after": "I moved to Berlin. Who may have sent me that?",
    "introduced": "Here is what Tom put on the fridge:\nI moved to Berlin.",
    "answer above a mail": "I live in Berlin now.\n\nOn Monday, Ana wrote:\n> Where do you live?",
    "answer above a head": "I live in Berlin now.\n\nFrom: Ana\nSubject: where?\n\nWhere are you?",
    "two": "Is this a poem?\n\nI live in Berlin now.\nI'm not vegetarian any more.",
}


@pytest.mark.parametrize("auto", [False, True])
@pytest.mark.parametrize("name", UNMARKED)
async def test_what_may_be_pasted_changes_nothing_without_a_yes(memory, name, auto):
    async with memory() as service:
        for text in KNOWN:
            await service.knowledge.remember(text)
        said = UNMARKED[name]
        effect = await service.knowledge.heard(said, episode="t_1")
        assert (effect.stored, effect.closed) == ((), ())
        chat = await service.conversations.create("", "")
        await service.conversations.start_turn(chat.id, "t_1", said)
        effect, made = await service.suggestions.learn("t_1", said, auto=auto)
        assert (effect.stored, effect.closed) == ((), ())
        assert [one.text for one in (await service.memories.list())[0]] == KNOWN[::-1]
        gone = [("Berlin", KNOWN[0]), ("vegetarian any more", KNOWN[1])]
        assert len(made) == sum(words in said for words, _ in gone)
        for one in made:
            await service.suggestions.accept(one.id)
        left = {one.text for one in (await service.memories.list())[0]}
        assert left & set(KNOWN) == {known for words, known in gone if words not in said}
        assert len(left) == len(KNOWN) - ("vegetarian any more" in said)


@pytest.mark.parametrize(
    ("said", "now"),
    [
        ("I moved to Berlin", {"I live in Berlin", "I am vegetarian"}),
        ("Hi! I moved to Berlin last month. Thanks.", {"I live in Berlin", "I am vegetarian"}),
        ("Hey Nestor, I moved to Berlin", {"I live in Berlin", "I am vegetarian"}),
        ("I moved to Berlin and it rains", {"I live in Berlin", "I am vegetarian"}),
        ("I'm not vegetarian any more.", {"I live in Porto"}),
        ("I moved to Berlin. I'm not vegetarian any more.", {"I live in Berlin"}),
        ("I moved to Berlin.\n\n> Oslo is nice", {"I live in Berlin", "I am vegetarian"}),
    ],
)
async def test_a_message_that_only_states_changes_at_once(memory, said, now):
    async with memory() as service:
        for text in KNOWN:
            await service.knowledge.remember(text)
        await service.knowledge.heard(said, episode="t_1")
        assert {one.text for one in (await service.memories.list())[0]} == now
        # What follows in the background finds nothing more to do.
        chat = await service.conversations.create("", "")
        await service.conversations.start_turn(chat.id, "t_1", said)
        assert (await service.suggestions.learn("t_1", said))[1] == []


async def test_a_refused_end_is_not_offered_again_and_an_assertion_still_is(memory):
    async with memory() as service:
        await service.knowledge.remember("I live in Porto")
        said = "Is this true?\n\nI don't live in Porto any more."
        chat = await service.conversations.create("", "")
        await service.conversations.start_turn(chat.id, "t_1", said)
        _, (one,) = await service.suggestions.learn("t_1", said)
        await service.suggestions.reject(one.id)
        assert (await service.suggestions.learn("t_1", said))[1] == []
        await service.memories.forget(query="I live in Porto")
        _, (one,) = await service.suggestions.learn("t_1", "I live in Porto")
        assert one.text == "I live in Porto"


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("I live in Porto. ", True), ("a: b: ", True), ("wrote ", True), ("Dear x\n", True),
        ("says: a\n\n", False), ("From: x\n", False), ("Dear x,\n", False),
    ],
)  # fmt: skip
def test_long_texts_are_read_in_one_pass(text, stays):
    """Were it quadratic, this would not end within the test's time."""
    long = text * (400_000 // len(text))
    assert own_words(long) == (long.strip() if stays else "")
