"""What is forgotten leaves the turns that quoted it, and nothing else changes."""

from __future__ import annotations

import json
import re
from datetime import datetime

import pytest

from assistant.core import prompt
from assistant.types import Event, NewMemory, Recalled


async def said(service, chat, turn_id, text, reply, *, recalled=(), context=None, events=None):
    chats = service.conversations
    items = [
        Recalled(m.id, m.text, 1.0, m.kind, m.said_at, m.source, m.speaker, trust=m.trust)
        for m in recalled
    ]
    block = prompt.context(items, datetime(2026, 1, 1, 12, 0)).text  # noqa: DTZ001
    shown = [{"id": m.id, "text": m.text, "score": 1.0, "source": m.source} for m in items]
    await chats.start_turn(chat.id, turn_id, text, "m")
    return await chats.finish_turn(
        turn_id,
        status="done",
        context=block if context is None else context,
        reply=reply,
        recalled=items,
        receipt={"model": "m", "memories": shown, "prompt": {"tokens": 7}},
        events=events
        or [Event(1, "recalled", {"items": shown}), Event(2, "token", {"text": reply}),
            Event(3, "done", {"turn_id": turn_id, "status": "done"})],
    )  # fmt: skip


async def everything(service, turn_id):
    """All that is stored of a turn, but ids: by chance they have any few letters."""
    turn = await service.conversations.turn(turn_id)
    events = await service.conversations.turn_events(turn_id)
    stored = json.dumps(
        [turn.context, turn.reply, turn.receipt, turn.error, [e.data for e in events]]
    )
    return re.sub(r'"[a-z]+_[0-9a-z]{26}"', '"id"', stored)


@pytest.mark.parametrize("text", ["e", "A", "no", "7", "m", "go on"])
async def test_a_short_memory_changes_no_turn_that_never_recalled_it(memory, text):
    async with memory() as service:
        row = await service.memories.add(NewMemory(text))
        chat = await service.conversations.create("x", "")
        reply = "Hello there, no: A dog ate 7 of the 9 buns. Go on."
        before = await said(service, chat, "t_1", "Say hello", reply)
        events = await service.conversations.turn_events("t_1")
        await service.memories.delete(row.id)
        assert await service.conversations.turn("t_1") == before
        assert await service.conversations.turn_events("t_1") == events


async def test_a_telling_text_leaves_every_turn_but_only_as_whole_words(memory):
    async with memory() as service:
        row = await service.memories.add(NewMemory("cats like fish"))
        chat = await service.conversations.create("x", "")
        await said(service, chat, "t_1", "a", "As you know, Cats  like\nfish.")
        await said(service, chat, "t_2", "b", "Wildcats like fishing.")
        await service.memories.delete(row.id)
        assert (await service.conversations.turn("t_1")).reply == "As you know, [forgotten]."
        assert (await service.conversations.turn("t_2")).reply == "Wildcats like fishing."


async def test_names_ids_and_codes_of_a_turn_stay(memory):
    async with memory() as service:
        text = "The bank token is done and recalled: 4711 started status model"
        row = await service.memories.add(NewMemory(text, source="my bank"))
        chat = await service.conversations.create("x", "")
        events = [
            Event(1, "started", {"turn_id": "t_token", "model": "recalled"}),
            Event(2, "recalled", {"items": [{"id": row.id, "text": text, "source": "my bank"}]}),
            Event(3, "token", {"text": "It is 47"}),
            Event(4, "token", {"text": "11."}),
            Event(5, "failed", {"error": {"code": "token", "message": "4711 failed"}}),
            Event(6, "done", {"status": "done"}),
        ]
        await said(
            service, chat, "t_token", "And my bank?", "It is 4711.", recalled=[row], events=events
        )
        await service.memories.delete(row.id)
        kept = await service.conversations.turn_events("t_token")
        assert [(e.id, e.event) for e in kept] == [(e.id, e.event) for e in events]
        assert kept[0].data == events[0].data
        assert kept[1].data["items"][0]["id"] == row.id
        assert kept[4].data["error"]["code"] == "token"
        assert kept[5].data == events[5].data
        assert "4711" not in await everything(service, "t_token")
        assert (await service.conversations.turn("t_token")).receipt["model"] == "m"


async def test_later_turns_of_the_conversation_lose_it_too(memory):
    async with memory() as service:
        row = await service.memories.add(NewMemory("The password is zebra9"))
        chats = service.conversations
        chat, other = await chats.create("x", ""), await chats.create("y", "")
        await said(service, chat, "t_0", "Hi", "zebra9 before it was recalled")
        await said(service, chat, "t_1", "My password?", "It is zebra9.", recalled=[row])
        await said(service, chat, "t_2", "Say that again?", "Sure: zebra9, your password.")
        await said(service, other, "t_3", "Hi", "A zebra9 is no animal.")
        await service.memories.forget(ids=[row.id])
        replies = [(await chats.turn(f"t_{n}")).reply for n in range(4)]
        assert replies == [
            "zebra9 before it was recalled",
            "It is [forgotten].",
            "Sure: [forgotten], your password.",
            "A zebra9 is no animal.",
        ]
        assert "zebra9" not in await everything(service, "t_1") + await everything(service, "t_2")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("PIN\nabc", ["abc", "PIN"]),
        ("x1", ["x1"]),
        ("a \t b", ["a b", "a \\t b"]),
        ("我妹妹住在里昂", ["里昂"]),
        ("to be\n\nor not to be", ["to be"]),
        ("of the it is " * 200 + "end", ["of the it"]),
        ("(a) [b]: c]", ["[b]"]),
    ],
)
async def test_the_line_before_a_question_goes_whole(memory, text, left):
    async with memory() as service:
        row, stays = await service.memories.add_many(
            [NewMemory(text, speaker="Ann  B: c"), NewMemory("Fish swim. Note: c", speaker="Al")]
        )
        chat = await service.conversations.create("x", "")
        done = await said(service, chat, "t_1", "?", f"So: {text}!", recalled=[row, stays])
        await service.memories.delete(row.id)
        turn = await service.conversations.turn("t_1")
        assert turn.context.count("\n") == done.context.count("\n")
        assert "Fish swim. Note: c]" in turn.context
        assert "[forgotten]\n" in turn.context
        for piece in left:
            assert piece not in await everything(service, "t_1")


async def test_many_versions_are_cleaned_together(memory):
    async with memory() as service:
        store = service.memories
        first = await store.add(NewMemory("The harbour code is lemon"))
        second = await store.edit(first.id, text="The harbour code is walnut")
        chat = await service.conversations.create("x", "")
        await said(service, chat, "t_1", "Code?", "lemon", recalled=[first])
        await said(service, chat, "t_2", "And now?", "walnut, not lemon", recalled=[second])
        await store.forget(ids=[first.id])
        text = await everything(service, "t_1") + await everything(service, "t_2")
        assert "lemon" not in text
        assert "walnut" not in text


@pytest.mark.parametrize("recalled", [True, False])
async def test_a_quote_goes_in_the_form_in_which_it_was_quoted(memory, recalled):
    text = "The [vault]\ncode is Zx\u200b81, said the page"
    async with memory() as service:
        row = await service.memories.add(NewMemory(text, kind="chunk", trust="web", source="a[b]"))
        chat = await service.conversations.create("x", "")
        seen = "The (vault) code is Zx81, said the page"
        block = f"[Not the user's words, quoted from a(b), 1 May 2026: “{seen}”]\n"
        told = await said(
            service, chat, "t_1", "And?", f"It says: {seen}.",
            recalled=[row] if recalled else [], context=None if recalled else block,
        )  # fmt: skip
        assert "Zx81" in told.context
        await service.memories.delete(row.id)
        left = await everything(service, "t_1")
        assert "Zx81" not in left
        assert "vault" not in left
        assert ("quoted from" in left) == (not recalled)
