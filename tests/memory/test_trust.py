"""What is not the user's word never becomes one: not by any way of writing, nor by any later change."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from assistant.errors import InvalidInput, Untrusted
from assistant.memory import trust
from assistant.memory.database import translated
from assistant.types import Kind, NewMemory, Recalled, Trust, join_trust

LABELS = get_args(Trust)
OTHERS = [label for label in LABELS if label != "user"]
PLANT = "The user's bank is Evil Corp"


def test_labels_join_downwards_in_any_order_and_grouping():
    assert join_trust() == "user"
    for a, b, c in itertools.product(LABELS, repeat=3):
        assert join_trust(a, b) == join_trust(b, a)
        assert join_trust(a, join_trust(b, c)) == join_trust(join_trust(a, b), c)
        assert join_trust(a, a) == join_trust(a, "user") == a
        assert (join_trust(a, b, c) == "user") == ({a, b, c} == {"user"})


def test_only_the_users_word_is_taken_for_true():
    allowed = {(k, t) for k in get_args(Kind) for t in LABELS if trust.may_become(k, t)}
    assert {k for k, t in allowed if t == "user"} == set(get_args(Kind))
    assert {k for k, t in allowed if t != "user"} == {"note", "chunk", "summary"}
    assert [t for t in LABELS if trust.may_act(t)] == ["user"]


@pytest.mark.parametrize("label", OTHERS)
@pytest.mark.parametrize("kind", sorted(trust.CLAIMS))
async def test_no_other_label_is_stored_as_a_claim(memory, label, kind):
    async with memory() as service:
        rows = [NewMemory("fine"), NewMemory(PLANT, kind=kind, trust=label)]
        with pytest.raises(Untrusted):
            await service.memories.add_many(rows)
        assert (await service.memories.count()).count == 0
        quoted = await service.memories.add(NewMemory(PLANT, kind="chunk", trust=label))
        with pytest.raises(Untrusted):
            await service.memories.edit(quoted.id, kind=kind)
        assert (await service.memories.get(quoted.id)).kind == "chunk"
        with pytest.raises(Untrusted):
            await service.memories.edit(quoted.id, text=PLANT + "!", kind=kind)
        changed = await service.memories.edit(quoted.id, text=PLANT + "?")
        assert (changed.kind, changed.trust) == ("chunk", label)


async def test_a_yes_counts_for_exactly_these_bytes(memory):
    async with memory() as service:
        yes = trust.approval(PLANT)
        for other in (PLANT + " ", PLANT.lower(), PLANT.replace("a", "\u0430", 1)):
            with pytest.raises(InvalidInput):
                await service.memories.add(
                    NewMemory(other, kind="fact", trust="file", approved=yes)
                )
        row = NewMemory(PLANT, kind="fact", trust="file", source="bank.pdf", approved=yes)
        stored = await service.memories.add(row)
        assert (stored.kind, stored.trust, stored.source) == ("fact", "user", "bank.pdf")


STATEMENTS = {
    "insert": "INSERT INTO memories (id, kind, text, trust, created_at, said_at, valid_from, "
    "content_hash) VALUES ('x', 'fact', 'x', 'web', '', '', '', x'00')",
    "kind": "UPDATE memories SET kind = 'fact' WHERE trust = 'file'",
    "trust": "UPDATE memories SET trust = 'user' WHERE trust = 'file'",
    "both": "UPDATE memories SET trust = 'user', kind = 'fact' WHERE trust = 'file'",
    "replace": "UPDATE memories SET superseded_by = (SELECT id FROM memories WHERE trust = 'file'), "
    "valid_to = said_at WHERE trust = 'user'",
}


@pytest.mark.parametrize("sql", STATEMENTS.values(), ids=STATEMENTS)
async def test_whoever_writes_past_the_code_is_stopped_by_the_file(memory, sql):
    async with memory() as service:
        await service.memories.add(NewMemory("mine", kind="fact"))
        await service.memories.add(NewMemory("theirs", kind="chunk", trust="file"))

        def dump(db):
            return db.execute("SELECT kind, trust, text, superseded_by FROM memories").fetchall()

        before = service._readers.read(dump)
        with pytest.raises(Untrusted), translated():
            await service._writer.run(lambda db: db.execute(sql))
        assert service._readers.read(dump) == before


async def test_a_turn_keeps_the_lowest_label_of_all_it_read_and_hands_it_on(memory):
    async with memory() as service:
        chats = service.conversations
        chat = await chats.create("x", "")

        async def turn(turn_id, *labels):
            await chats.start_turn(chat.id, turn_id, "?", "m")
            rows = [Recalled(f"m_{t}", t, 1.0, "chunk", "", trust=t) for t in labels]
            return (await chats.finish_turn(turn_id, status="done", recalled=rows)).trust

        assert await turn("t_1") == "user"
        assert await turn("t_2", "user", "file") == "file"
        assert await turn("t_3") == "file"
        assert await turn("t_4", "web", "tool") == "web"
        assert await turn("t_5", "user") == "web"
    async with memory() as service:
        assert [t.trust for t in await service.conversations.turns(chat.id)] == [
            "user", "file", "file", "web", "web",
        ]  # fmt: skip


async def test_recall_says_whose_words_a_hit_is(memory):
    async with memory() as service:
        await service.memories.add(NewMemory("heron on the pond", kind="chunk", trust="web"))
        await service.memories.add(NewMemory("heron in the garden"))
        found = await service.memories.recall("heron", k=5)
        assert {one.text: one.trust for one in found} == {
            "heron on the pond": "web", "heron in the garden": "user",
        }  # fmt: skip
