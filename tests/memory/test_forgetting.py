"""Forgetting takes what is meant and no more, and all of it, whatever else fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from assistant.errors import EmbedderError, StoreError
from assistant.memory import database, keys, torn, writer
from assistant.types import Event, Forget, NewMemory, Recalled

PLUMBERS = [
    "Call the plumber about the boiler",
    "Our plumber lives in Ghent",
    "I once met a plumber who sang",
    "Buy bread",
    "The bus was late",
]


def listener(told):
    async def listen(gone, _touched):
        told.extend(gone)

    return listen


async def test_without_vectors_a_query_forgets_nothing(memory):
    async with memory("gguf:none") as service:
        await service.memories.add_many([NewMemory(text) for text in PLUMBERS])
        with pytest.raises(EmbedderError) as caught:
            await service.memories.forget(query="the plumber's phone number")
        assert "id" in caught.value.hint
        assert (await service.memories.count()).count == 5


@pytest.mark.parametrize("query", ["buy bread", " Buy \n BREAD "])
async def test_a_whole_text_is_enough_without_vectors(memory, query):
    async with memory("gguf:none") as service:
        added = await service.memories.add_many([NewMemory(text) for text in PLUMBERS])
        assert await service.memories.forget(query=query) == [added[3].id]


async def test_one_shared_rare_word_is_no_evidence(memory, settled):
    async with memory("e5") as service:
        await service.memories.add_many([NewMemory(text) for text in PLUMBERS])
        await settled(service)
        assert await service.memories.forget(query="the plumber's phone number") == []
        gone = await service.memories.forget(query="the plumber in Ghent")
        assert len(gone) == 1
        assert (await service.memories.count()).count == 4


async def test_a_reader_delays_the_emptying_of_the_log_but_no_write(paths, memory, monkeypatch):
    monkeypatch.setattr(writer, "CHECKPOINT_AGAIN_S", 0.05)
    log = paths.database.with_name("memory.db-wal")
    async with memory() as service:
        added = await service.memories.add(NewMemory("secret"))
        reader = database.connect(paths.database, keys.find_key(paths, "file"), readonly=True)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM memories").fetchone()
        await service.memories.delete(added.id)
        assert not await service._writer.checkpoint()
        assert log.stat().st_size > 0
        await service.memories.add(NewMemory("not held up"))
        patience = await service._writer.run(
            lambda db: db.execute("PRAGMA busy_timeout").fetchone()[0]
        )
        assert patience == 5000
        reader.close()
        async with asyncio.timeout(20):
            while log.stat().st_size:
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("what", ["memory", "conversation"])
async def test_copies_and_cached_questions_go_too(paths, memory, settled, what):
    async with memory() as service:
        row = await service.memories.add(NewMemory("hello"))
        chat = await service.conversations.create("x", "")
        await settled(service)
        await service.memories.recall("hello", k=1, patience_s=10)
        assert service._embedder._questions
        copy = paths.database.with_name("memory.db.before-x")
        copy.write_bytes(b"copy")
        if what == "memory":
            await service.memories.delete(row.id)
        else:
            await service.conversations.delete(chat.id)
        assert not service._embedder._questions
        assert not copy.exists()


async def test_a_copy_that_cannot_be_deleted_is_tried_again_at_the_next_start(
    paths, memory, monkeypatch
):
    told = []
    copy = paths.database.with_name("memory.db.before-x")
    async with memory() as service:
        row = await service.memories.add(NewMemory("hello"))
        service.memories.on_forgotten = listener(told)
        copy.write_bytes(b"copy")
        with monkeypatch.context() as patch:

            def held(*_, **__):
                raise PermissionError

            patch.setattr(Path, "unlink", held)
            assert await service.memories.delete(row.id) == 1
        assert told == [row.id]
        assert copy.exists()
    async with memory():
        assert not copy.exists()


async def test_caches_go_even_if_the_log_cannot_be_emptied(memory, monkeypatch):
    async with memory() as service:
        row = await service.memories.add(NewMemory("hello"))
        await service.memories.recall("hello", k=1, patience_s=10)

        async def broken():
            raise StoreError

        told = []
        service.memories.on_forgotten = listener(told)
        with monkeypatch.context() as patch:
            patch.setattr(service._writer, "checkpoint", broken)
            with pytest.raises(StoreError):
                await service.memories.delete(row.id)
        assert told == [row.id]
        assert not service._embedder._questions


async def test_who_forgets_waits_until_caches_have_followed(memory):
    async with memory() as service:
        row = await service.memories.add(NewMemory("The vault code is Zx81"))
        chats = service.conversations
        chat, other = await chats.create("x", ""), await chats.create("y", "")
        item = Recalled(row.id, row.text, 1.0, "note", row.said_at)
        for turn_id, where, recalled in (
            ("t_0", chat, []), ("t_1", chat, [item]), ("t_2", chat, []), ("t_3", other, [])
        ):  # fmt: skip
            await chats.start_turn(where.id, turn_id, "What is it?", "m")
            context = row.text if recalled else ""
            await chats.finish_turn(
                turn_id, status="done", reply="ok", context=context, recalled=recalled
            )
        order = []

        async def listen(gone, touched):
            await asyncio.sleep(0.02)
            order.append((list(gone), set(touched.turns), set(touched.conversations)))

        service.memories.on_forgotten = listen
        await service.memories.delete(row.id)
        assert order == [([row.id], {"t_1", "t_2"}, {chat.id})]


async def test_a_cache_that_cannot_follow_is_no_success(memory):
    async with memory() as service:
        row = await service.memories.add(NewMemory("hello"))

        async def broken(_gone, _touched):
            raise StoreError

        service.memories.on_forgotten = broken
        with pytest.raises(StoreError):
            await service.memories.forget(ids=[row.id])
        assert (await service.memories.count()).count == 0


# --- turns of a time -----------------------------------------------------------------------------

TOLD = "My oncologist Dr Varga confirmed the lymphoma"
MARCH = Forget(after="2026-03-01T00:00:00Z", before="2026-03-02T00:00:00Z")


@pytest.fixture
def chat(memory):
    """Makes a chat: a title, and (day, asked, answered) of each turn."""

    async def make(service, title, *turns):
        made = await service.conversations.create(title, "")
        for n, (day, asked, answered) in enumerate(turns):
            turn = f"t_{made.id}_{n}"
            await service.conversations.start_turn(made.id, turn, asked)
            events = [Event(k, "token", {"text": f"{w} "}) for k, w in enumerate(answered.split())]
            await service.conversations.finish_turn(
                turn, status="done", reply=answered, events=events
            )
            sql = "UPDATE turns SET started_at = ? WHERE id = ?"
            at = f"2026-{day}T10:00:00.000000Z"
            await service._writer.run(lambda db, at=at, turn=turn: db.execute(sql, [at, turn]))  # noqa: B023
        return made.id

    return make


async def titles(service):
    return {one.id: one.title for one in (await service.conversations.list())[0]}


@pytest.mark.parametrize(
    ("title", "left"),
    [
        (TOLD, "thanks for listening"),
        (TOLD[:27] + "…", "thanks for listening"),
        ("My oncologist Dr Varga", "thanks for listening"),
        ("My doctor", "My doctor"),
        ("My", "My"),
        ("", ""),
    ],
)
async def test_a_title_made_from_a_forgotten_question_goes_with_it(memory, chat, title, left):
    async with memory() as service:
        kept = await chat(
            service, title, ("03-01", TOLD, "Oh."), ("04-01", "thanks for listening", "")
        )
        await chat(service, "", ("03-01", "alone", "in its chat"))
        done = await service.forgetter.forget(MARCH)
        assert len(done.turns) == 2
        assert await titles(service) == {kept: left}
        assert done.proof.copies == 0
        assert done.proof.searched_for > 0


@pytest.mark.parametrize(
    ("said", "answered", "left"),
    [
        (TOLD, "As you told me, Dr Varga confirmed the lymphoma.", "As you told me, [forgotten]."),
        (TOLD, "So: MY ONCOLOGIST, Dr. Varga, confirmed the\nlymphoma!", "So: [forgotten]!"),
        ("The safe code is 48151623", "(the safe code is 48151623)", "([forgotten])"),
        (
            "Vault code 48151623",
            "Is vault code 48151623 still right?",
            "Is [forgotten] still right?",
        ),
    ],
)
async def test_a_later_answer_that_quotes_what_was_forgotten_is_cleaned(
    paths, memory, chat, said, answered, left
):
    async with memory() as service:
        kept = await chat(service, "x", ("03-01", said, "Oh."), ("04-01", "thanks", answered))
        before = await chat(service, "y", ("04-01", "hello", answered))
        done = await service.forgetter.forget(MARCH)
        assert done.counts["turns_redacted"] == 1
        (turn,) = await service.conversations.turns(kept)
        assert turn.reply == left
        events = await service.conversations.turn_events(turn.id)
        assert "".join(one.data["text"] for one in events).strip() == left
        # Another chat cannot have it from there; the proof names it.
        (turn,) = await service.conversations.turns(before)
        assert turn.reply == answered


@pytest.mark.parametrize(
    ("said", "answered"),
    [
        ("How are you?", "Fine, and how are you?"),
        ("What can you do for me?", "Tell me what can you do for me to help."),
        (TOLD, "The lymphoma is a word, and Dr Varga too."),
        ("ok", "ok then"),
    ],
)
async def test_an_answer_that_only_shares_words_stays(memory, chat, said, answered):
    async with memory() as service:
        kept = await chat(service, "x", ("03-01", said, "Oh."), ("04-01", "thanks", answered))
        earlier = await chat(service, "y", ("02-01", "a", f"{said} {said}"), ("03-01", said, "Oh."))
        await service.forgetter.forget(MARCH)
        assert [one.reply for one in await service.conversations.turns(kept)] == [answered]
        assert [one.reply for one in await service.conversations.turns(earlier)] == [
            f"{said} {said}"
        ]


async def test_the_proof_names_what_later_turns_say_of_a_forgotten_one(memory, chat):
    async with memory() as service:
        await chat(
            service, "x", ("03-01", TOLD, "I am sorry about that."),
            ("04-01", "And now?", "Ask Varga about the treatment of a lymphoma."),
        )  # fmt: skip
        done = await service.forgetter.forget(MARCH)
        found = {(one.place, one.what): one.count for one in done.proof.places}
        assert found == {("turns.reply", "word"): 1, ("turns.events", "word"): 1}


async def test_the_proof_finds_a_forgotten_question_elsewhere_but_no_common_answer(
    paths, memory, chat
):
    common = "Is there anything else that I can help you with today?"
    async with memory() as service:
        await chat(service, "x", ("03-01", TOLD, common), ("04-01", "And now?", common))
        await chat(service, "y", ("04-01", f"Draft: {TOLD}.", "Done."))
        (paths.state / "x.log").write_text(f"asked: {TOLD}")
        done = await service.forgetter.forget(MARCH)
        found = {(one.place, one.what) for one in done.proof.places}
        assert {("turns.text", "text"), ("state/x.log", "text")} <= found
        assert not any("reply" in place for place, _ in found)


async def test_an_answer_that_was_forgotten_is_looked_for(paths, memory, chat):
    secret = "The treasure lies under the third birch behind the mill."
    async with memory() as service:
        await chat(service, "x", ("03-01", "Where?", secret), ("04-01", "And now?", "Nothing."))
        (paths.state / "x.log").write_text(f"answered: {secret}")
        done = await service.forgetter.forget(MARCH)
        assert [(one.place, one.what) for one in done.proof.places] == [
            ("state/x.log", "text")
        ] * len(done.proof.places)
        assert done.proof.copies > 0


async def test_everything_looks_for_turns_too(paths, memory, chat):
    async with memory() as service:
        await chat(service, "x", ("03-01", TOLD, "The birch behind the mill is old."))
        (paths.state / "x.log").write_text(f"asked: {TOLD}")
        asked = await service.forgetter.dry_run(Forget(everything=True))
        done = await service.forgetter.forget(Forget(everything=True, confirm=asked.confirm))
        assert {one.place for one in done.proof.places} == {"state/x.log"}
        assert done.proof.searched_for > 3


async def test_of_many_turns_some_are_looked_for_and_it_is_said(memory, chat, monkeypatch):
    monkeypatch.setattr(torn, "SAMPLED", 4)
    async with memory() as service:
        turns = [("03-01", f"question {n} about thing{n * 977}", "Yes.") for n in range(9)]
        await chat(service, "x", *turns, ("04-01", "And now?", "Nothing."))
        done = await service.forgetter.forget(MARCH)
        assert (done.proof.sample_of, done.proof.copies) == (9, 0)


@pytest.mark.parametrize(
    ("title", "text", "made"),
    [
        ("a b", "a\n b", True), ("a b…", "a b c", True), ("What is the", "What is the use?", True),
        ("a b", "a b c", False), ("", "a", False), ("What is the use?", "What", False), ("…", "a", True),
    ],
)  # fmt: skip
def test_which_titles_are_made_from_a_text(title, text, made):
    assert bool(title and torn.made_from(title, text)) == made


@pytest.mark.parametrize(
    ("said", "answer", "left"),
    [
        (
            "我的银行密码是四七一一请记住",
            "你说过我的银行密码是四七一一请记住。好的",
            "你说过[forgotten]。好的",
        ),
        (
            "銀行の暗証番号は四七一一です",
            "「銀行の暗証番号は四七一一です」ですね",
            "「[forgotten]」ですね",
        ),
    ],
)
def test_quotations_go_in_scripts_without_spaces_too(said, answer, left):
    runs = torn.Runs()
    runs.add(said)
    assert runs.clean(answer) == left
