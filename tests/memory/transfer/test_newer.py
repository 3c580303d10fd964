"""A newer export of the same chats: every answer is there, once, and no chat that never was."""

from __future__ import annotations

import itertools
import json
import random

import pytest

from assistant.memory.transfer import chats as incoming
from assistant.memory.transfer import tree
from assistant.memory.transfer.records import Said
from assistant.types import Forget, NewMemory


async def take(service, path, **how):
    return [step async for step in service.transfers.load(path, **how)][-1]


async def chats(service):
    """The (asked, answered) of each conversation, sorted."""
    found, _ = await service.conversations.list(limit=50)
    turns = [await service.conversations.turns(one.id) for one in found]
    return sorted([(t.text, t.reply) for t in one] for one in turns)


def chatgpt(path, tree_, current, title="T", chat="c1"):
    """`tree_` has (key, parent, words) of each message; `q…` asks, all else answers."""
    nodes = {"r": {"id": "r", "message": None, "parent": None, "children": []}}
    for at, (key, parent, words) in enumerate(tree_):
        role = "user" if key.startswith("q") else "assistant"
        content = {"content_type": "text", "parts": [words]}
        message = {"author": {"role": role}, "create_time": 1e9 + at, "content": content}
        nodes[key] = {"id": key, "message": message, "parent": parent, "children": []}
        nodes[parent]["children"].append(key)
    told = {"id": chat, "title": title, "mapping": nodes, "current_node": current}
    path.write_text(json.dumps([told]))
    return path


def openwebui(path, tree_, current, title="T"):
    nodes = {}
    for at, (key, parent, words) in enumerate(tree_):
        role = "user" if key.startswith("q") else "assistant"
        nodes[key] = {"id": key, "parentId": None if parent == "r" else parent, "role": role,
                      "content": words, "timestamp": 1_700_000_000 + at, "childrenIds": []}  # fmt: skip
        if parent != "r":
            nodes[parent]["childrenIds"].append(key)
    history = {"currentId": current, "messages": nodes}
    path.write_text(json.dumps([{"id": "c1", "title": title, "chat": {"history": history}}]))
    return path


def claude(path, tree_, current, title="T"):
    """Only the way that is shown, as these exports have it."""
    by_key = {key: (parent, words) for key, parent, words in tree_}
    way, key = [], current
    while key in by_key:
        way.append(key)
        key = by_key[key][0]
    listed = [
        {"uuid": key, "sender": "human" if key.startswith("q") else "assistant",
         "text": by_key[key][1], "created_at": "2025-01-01T00:00:00Z"}
        for key in way[::-1]
    ]  # fmt: skip
    path.write_text(json.dumps([{"uuid": "c1", "name": title, "chat_messages": listed}]))
    return path


TREES = {"chatgpt": chatgpt, "openwebui": openwebui}
ALL = TREES | {"claude": claude}
Q1, A1, A2 = ("q1", "r", "Q1"), ("a1", "q1", "A1"), ("a2", "q1", "A2")
Q2, B1 = ("q2", "a1", "Q2"), ("b1", "q2", "after A1")
Q3, C1 = ("q3", "a2", "Q3"), ("c1", "q3", "after A2")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "conversations.json"


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(
            ([Q1, A1], "a1"), ([Q1, A1, A2], "a2"), [[("Q1", "A1")], [("Q1", "A2")]], id="again"
        ),
        pytest.param(
            ([Q1, A1, Q2, B1], "b1"), ([Q1, A1, Q2, B1, A2, Q3, C1], "c1"),
            [[("Q1", "A1"), ("Q2", "after A1")], [("Q1", "A2"), ("Q3", "after A2")]], id="branch",
        ),
        pytest.param(
            ([Q1, A1, A2, Q3, C1], "c1"), ([Q1, A1, Q2, B1, A2, Q3, C1], "b1"),
            [[("Q1", "A1"), ("Q2", "after A1")], [("Q1", "A2"), ("Q3", "after A2")]], id="back",
        ),
        pytest.param(([Q1], "q1"), ([Q1, A1], "a1"), [[("Q1", "A1")]], id="answered"),
        pytest.param(
            ([Q1], "q1"), ([Q1, A1, A2], "a2"), None, id="answered twice"
        ),
        pytest.param(
            ([Q1, ("a1", "q1", "It is in")], "a1"), ([Q1, ("a1", "q1", "It is in Porto.")], "a1"),
            [[("Q1", "It is in Porto.")]], id="cut off",
        ),
        pytest.param(
            ([Q1, A1, Q2, B1], "b1"),
            ([Q1, A1, Q2, B1, ("q9", "a1", "Q9"), ("d1", "q9", "D1")], "d1"), None, id="asked anew",
        ),
        pytest.param(
            ([Q1, A1], "a1"), ([Q1, A1, Q2, B1], "b1"), [[("Q1", "A1"), ("Q2", "after A1")]], id="longer"
        ),
    ],
)  # fmt: skip
async def test_every_answer_is_there_and_no_chat_that_never_was(
    memory, path, make, first, second, expected
):
    async with memory() as service:
        await take(service, make(path, *first))
        before = await chats(service)
        would = await take(service, make(path, *second), dry_run=True)
        assert await chats(service) == before
        done = await take(service, path)
        assert would["added"] == done["added"]
        assert done["different"] == {}
        found = await chats(service)
        if make is not claude and expected:
            assert found == expected
        told = {turn for chat in found for turn in chat}
        for asked, reply in shown(*first) + shown(*second):
            assert any(one == asked and other.startswith(reply) for one, other in told)
        assert all(one == sorted(one, key=chat_order(second)) for one in found)
        for one in found:
            assert real(one, second[0]), one
        again = await take(service, path)
        assert again["added"] == {}
        assert again["different"] == {}
        assert await chats(service) == found
        assert (await service.memories.check(full=True))["problems"] == []


def shown(messages, leaf):
    """What is asked and answered on the way to this message."""
    by_key = {key: (parent, words) for key, parent, words in messages}
    path = []
    while leaf in by_key:
        path.insert(0, leaf)
        leaf = by_key[leaf][0]
    return [
        (by_key[q][1], by_key[a][1])
        for q, a in itertools.pairwise(path)
        if q.startswith("q") and not a.startswith("q")
    ]


def chat_order(export):
    order = [words for _, _, words in export[0]]
    return lambda turn: order.index(turn[0])


def real(chat, messages):
    """Whether the turns follow each other in the tree."""
    by_words = {words: (key, parent) for key, parent, words in messages}
    for (_, reply), (asked, _) in itertools.pairwise(chat):
        if by_words[asked][1] != by_words[reply][0]:
            return False
    return True


@pytest.mark.parametrize("make", TREES.values(), ids=TREES)
async def test_which_version_is_shown_changes_nothing_and_it_alone_has_the_plain_name(
    memory, path, make
):
    messages = [Q1, A1, Q2, B1, A2, Q3, C1]
    async with memory() as service:
        await take(service, make(path, messages, "c1"))
        found, _ = await service.conversations.list()
        titles = {}
        for one in found:
            titles[one.title] = (await service.conversations.turns(one.id))[0].reply
        assert titles == {"T": "A2", "T (version 1)": "A1"}
        done = await take(service, make(path, messages, "b1"))
        assert (done["added"], done["different"]) == ({}, {})


async def test_a_first_answer_that_was_deleted_there_stays_here_and_the_chat_is_not_mixed(
    memory, path
):
    async with memory() as service:
        await take(service, openwebui(path, [Q1, A1, Q2, B1, A2], "a2"))
        later = [Q1, A2, Q3, C1]
        await take(service, openwebui(path, later, "c1"))
        assert await chats(service) == [
            [("Q1", "A1"), ("Q2", "after A1")],
            [("Q1", "A2"), ("Q3", "after A2")],
        ]
        assert (await take(service, path))["added"] == {}


async def test_a_first_question_that_was_deleted_there_stays_here_and_the_chat_is_not_mixed(
    memory, path
):
    other = [("q7", "r", "Q7"), ("a7", "q7", "A7")]
    async with memory() as service:
        await take(service, openwebui(path, [Q1, A1, *other], "a7"))
        await take(service, openwebui(path, [*other, ("q8", "a7", "Q8"), ("a8", "q8", "A8")], "a8"))
        found = await chats(service)
        assert [("Q1", "A1")] in found
        assert [("Q7", "A7"), ("Q8", "A8")] in found


async def test_a_chat_that_went_on_here_is_not_mixed_with_how_it_went_on_there(memory, path):
    async with memory() as service:
        await take(service, chatgpt(path, [Q1, A1], "a1"))
        ((chat,), _) = await service.conversations.list()
        await service.conversations.start_turn(chat.id, "t_here", "And here?", "m")
        await service.conversations.finish_turn("t_here", status="done", reply="Here.")
        await take(service, chatgpt(path, [Q1, A1, Q2, B1], "b1"))
        more = [Q1, A1, Q2, B1, ("q4", "b1", "Q4"), ("d4", "q4", "D4")]
        done = await take(service, chatgpt(path, more, "d4"))
        assert done["added"] == {"turns": 1}
        assert await chats(service) == [
            [("Q1", "A1"), ("And here?", "Here.")],
            [("Q2", "after A1"), ("Q4", "D4")],
        ]
        assert (await take(service, path))["added"] == {}


@pytest.mark.parametrize("make", TREES.values(), ids=TREES)
async def test_words_that_were_changed_there_are_told_and_ours_stay(memory, path, make):
    async with memory() as service:
        await take(service, make(path, [Q1, A1], "a1"))
        edited = [Q1, ("a1", "q1", "Another text"), Q2, B1]
        done = await take(service, make(path, edited, "b1"))
        assert (done["different"], done["added"]) == ({"turns": 1}, {"turns": 1})
        assert await chats(service) == [[("Q1", "A1"), ("Q2", "after A1")]]


async def test_an_answer_that_was_cleaned_here_is_not_written_anew(memory, path):
    """What was forgotten does not come back with the same answer."""
    secret = "The vault code is Zx81Omega"
    async with memory() as service:
        row = await service.memories.add(NewMemory(secret))
        export = [Q1, ("a1", "q1", f"You said: {secret}")]
        await take(service, chatgpt(path, export, "a1"))
        await service.memories.forget(ids=[row.id])
        cleaned = await chats(service)
        assert "Zx81" not in str(cleaned)
        done = await take(service, path)
        assert done["different"] == {"turns": 1}
        assert await chats(service) == cleaned


async def test_a_turn_that_was_forgotten_here_stays_so_in_a_newer_export(memory, path):
    async with memory() as service:
        await take(service, chatgpt(path, [Q1, A1, Q2, B1], "b1"))
        end = "2001-09-09T01:46:41Z"
        await service.forgetter.forget(Forget(before=end), prove=False)
        longer = [Q1, A1, Q2, B1, ("q4", "b1", "Q4"), ("d4", "q4", "D4")]
        done = await take(service, chatgpt(path, longer, "d4"))
        assert done["forgotten"] == {"turns": 1}
        assert await chats(service) == [[("Q2", "after A1"), ("Q4", "D4")]]


async def test_a_window_of_one_long_conversation_goes_below_what_came_before(memory, tmp_path):
    def says(*numbers):
        listed = [
            {"role": role, "content": f"{role} {n}", "created_at": f"2025-01-{n:02}T00:00:00Z"}
            for n in numbers
            for role in ("user", "assistant")
        ]
        path = tmp_path / "agent.af"
        path.write_text(json.dumps({"agents": [{"name": "A", "messages": listed}], "blocks": []}))
        return path

    async with memory() as service:
        for numbers in ((1, 2), (2, 3), (7, 8)):
            await take(service, says(*numbers), origin="letta")
        expected = [(f"user {n}", f"assistant {n}") for n in (1, 2, 3, 7, 8)]
        assert await chats(service) == [expected]


def test_a_path_only_ever_grows():
    """Whatever is added to a tree, and whatever is shown: each path begins as it did before."""
    chance = random.Random(4)

    def walk(nodes):
        found = tree.paths(
            nodes, chance.choice([*nodes, "gone"]), lambda n: n["parent"], lambda n: n["children"],
            lambda n: n["role"],
        )  # fmt: skip
        return {path.parted: path.keys for path in found}

    for _ in range(200):
        nodes = {"n0": {"parent": "", "children": [], "role": ""}}
        before = walk(nodes)
        for n in range(1, chance.randrange(2, 15)):
            parent = chance.choice(list(nodes))
            nodes[parent]["children"].append(f"n{n}")
            role = "assistant" if nodes[parent]["role"] == "user" else "user"
            nodes[f"n{n}"] = {"parent": parent, "children": [], "role": role}
            shuffled = dict(chance.sample(list(nodes.items()), len(nodes)))
            now = walk(shuffled)
            assert all(now[fork][: len(keys)] == keys for fork, keys in before.items())
            before = now


def test_the_order_of_turns_is_that_of_the_messages():
    said = [("q1", "user"), ("a1", "assistant"), ("a2", "assistant"), ("q1", "user")]
    found = list(incoming._exchanges([Said(key, role, key) for key, role in said]))
    assert [(one.key, one.reply) for one in found] == [("q1", "a1\n\na2"), ("q1'", "")]


FORKED = [Q1, A1, A2, Q3, C1]
"""The way that is shown is not that of the first children."""


@pytest.fixture
def before_m013(path):
    """What an older version made of FORKED: the way that is shown had the plain id, and turns no answer's."""

    async def come(service):
        await take(service, chatgpt(path, [Q1, A2, Q3, C1], "c1"))
        await take(service, chatgpt(path, [Q1, A1], "a1", chat="c1#a1"))

        def strip(db):
            db.execute("UPDATE turns SET receipt = json_remove(receipt, '$.imported.answer')")

        await service._writer.run(strip)

    return come


async def test_what_an_older_version_imported_does_not_come_in_twice(memory, path, before_m013):
    async with memory() as service:
        await before_m013(service)
        here = await chats(service)
        assert here == [[("Q1", "A1")], [("Q1", "A2"), ("Q3", "after A2")]]
        for _ in range(2):
            await take(service, chatgpt(path, FORKED, "c1"))
            assert await chats(service) == here


@pytest.mark.parametrize("whole", [True, False])
async def test_what_was_forgotten_of_an_older_versions_import_stays_away(
    memory, path, before_m013, whole
):
    async with memory() as service:
        await before_m013(service)
        every = [one.id for one in (await service.conversations.list(limit=9))[0]]
        (chat,) = [one for one in every if len(await service.conversations.turns(one)) == 2]
        if whole:
            await service.conversations.delete(chat)
        else:
            (_, turn) = await service.conversations.turns(chat)
            await service.forgetter.forget(Forget(after=turn.started_at), prove=False)
        done = await take(service, chatgpt(path, FORKED, "c1"))
        assert sum(done["forgotten"].values()) > 0
        assert "after A2" not in str(await chats(service))
