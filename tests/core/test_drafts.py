"""Warm before asked: what a draft made ready is used if it is right, and costs nothing if it is not."""

import asyncio
from datetime import timedelta

import pytest
from core.parts import ANA, BEN, MOMENT, Log, Memory, ask, assemble, end
from core.test_long_chat import asked, extends, rendered

from assistant.config import LIMITS
from assistant.core import drafts as drafts_module
from assistant.errors import EngineCrashed, InvalidInput, ModelMissing, TextTooLong
from assistant.types import Event

WHERE = "Where does Ana live?"
BOTH = {"Ana": [ANA], "Ben": [BEN]}


class Clock:
    def __init__(self):
        self.now = MOMENT

    def __call__(self):
        self.now += timedelta(minutes=1)
        return self.now


async def settled(parts, conversation_id="c_1", text=""):
    """The answer of `warm` once nothing is left to do."""
    async with asyncio.timeout(5):
        while (shown := parts.drafts.warm(conversation_id, text)).state in ("loading", "warming"):
            await asyncio.sleep(0.005)
    return shown


def ahead(parts):
    return rendered(parts.engine.prefilled[-1].messages, unfinished=True)


async def test_only_the_users_last_words_are_left():
    parts = assemble("In Lyon.", "Yes.", memory=Memory(by_word=BOTH), clock=Clock())
    await ask(parts, "Hello?")
    shown = await settled(parts, text="Where does Ana li")
    assert (shown.state, shown.memories, shown.conversation) == ("ready", ("m_1",), "c_1")
    assert shown.tokens > 0
    assert parts.engine.prefilled[-1].chat == "c_1"
    await ask(parts, WHERE)
    sent = rendered(asked(parts)[-1].messages)
    *before, (draft, special) = ahead(parts)
    assert (draft, special) == ("Where does Ana li", False)
    assert extends(sent, before)
    assert sent[len(before)][0] == WHERE
    # The time line too is the one of the draft, although a minute has passed at each look.
    assert parts.log.rows[list(parts.log.rows)[-1]].context.startswith("[Now: Monday, 23 November")


async def test_other_memories_make_another_block_on_the_same_beginning():
    parts = assemble(memory=Memory(by_word=BOTH), clock=Clock())
    await ask(parts, "Hello?")
    await settled(parts, text="Where does Ana")
    await ask(parts, "Where does Ben sail?")
    sent, read = rendered(asked(parts)[-1].messages), ahead(parts)
    assert "Ben sails" in str(sent)
    assert "Ana lives" not in str(sent)
    same = next(at for at, (a, b) in enumerate(zip(sent, read)) if a != b)
    assert sent[same][0].startswith("[Now: ")


async def test_a_turn_without_memory_takes_no_memories_from_a_draft():
    parts = assemble(memory=Memory(ANA))
    await settled(parts, text=WHERE)
    await ask(parts, WHERE, recall=False)
    assert "Lyon" not in str(asked(parts)[-1].messages)


async def test_a_chat_that_was_opened_is_read_ahead():
    parts = assemble("Fine.")
    await ask(parts, "How are you?")
    shown = await settled(parts)
    assert (shown.state, shown.memories) == ("ready", ())
    await ask(parts, "And now?")
    assert extends(rendered(asked(parts)[-1].messages), ahead(parts))
    assert parts.memory.asked == ["How are you?", "And now?"]


async def test_a_draft_before_there_is_a_chat_is_for_the_first_turn_of_the_next():
    log = Log(None, "c_1", "c_2")
    parts = assemble(memory=Memory(ANA), log=log, clock=Clock())
    await ask(parts, "Hello?", "c_2")
    await settled(parts, "", "Where does")
    assert parts.engine.prefilled[-1].chat == ""
    first = ahead(parts)
    await ask(parts, "And then?", "c_2")  # not its first turn
    await ask(parts, WHERE, "c_1")
    assert extends(rendered(asked(parts)[-1].messages), first[:-1])
    assert parts.drafts.take("") is None


async def test_the_latest_draft_wins_and_nothing_piles_up():
    parts = assemble(memory=Memory(ANA, pause=0.01))
    parts.engine.prefill_pause = 0.05
    for n in range(40):
        parts.drafts.warm("c_1", "Where does Ana live now"[: n % 23 + 1] + str(n))
        await asyncio.sleep(0.003)
    working = [task for task in asyncio.all_tasks() if "_work" in repr(task.get_coro())]
    assert len(working) <= 3
    shown = await settled(parts, text=parts.drafts._drafts["c_1"].text)
    assert shown.state == "ready"
    assert [request.messages[-1].parts[-1].text for request in parts.engine.prefilled][-1].endswith(
        "39"
    )
    assert len(parts.engine.prefilled) < 10


async def test_the_same_draft_again_costs_nothing():
    parts = assemble(memory=Memory(ANA))
    await settled(parts, text=WHERE)
    for _ in range(5):
        assert parts.drafts.warm("c_1", WHERE).state == "ready"
    assert len(parts.engine.prefilled) == len(parts.memory.asked) == 1


async def test_only_so_many_drafts_are_kept():
    ids = [f"c_{n}" for n in range(LIMITS.drafts + 5)]
    parts = assemble(memory=Memory(ANA), log=Log(None, *ids))
    for one in ids:
        await settled(parts, one, WHERE)
    kept = [one for one in ids if parts.drafts.take(one) is not None]
    assert kept == ids[5:]


async def test_a_draft_is_dropped_after_its_time(monkeypatch):
    short = type(LIMITS)(draft_s=0)
    monkeypatch.setattr(drafts_module, "LIMITS", short)
    parts = assemble(memory=Memory(ANA))
    parts.drafts.warm("c_1", WHERE)
    await asyncio.sleep(0.02)
    assert parts.drafts.take("c_1") is None


async def test_a_turn_waits_for_no_draft():
    memory = Memory(ANA, pause=30)
    parts = assemble("In Lyon.", memory=memory)
    assert parts.drafts.warm("c_1", WHERE).state == "warming"
    await asyncio.sleep(0)
    memory.pause = 0
    await ask(parts, WHERE)
    assert parts.engine.prefilled == type(parts.engine.prefilled)()
    parts.engine.prefill_pause = 30
    parts.drafts.warm("c_1", "And Ben?")
    await asyncio.sleep(0.01)
    await ask(parts, "And Ben?")
    await asyncio.sleep(0)
    assert parts.engine.prefills_cancelled == 1


async def test_no_warm_takes_a_place_in_the_queue():
    parts = assemble(memory=Memory(ANA), queue_length=1)
    parts.engine.prefill_pause = 30
    parts.drafts.warm("c_1", WHERE)
    await asyncio.sleep(0.01)
    assert parts.engine.queue_length == 0
    await ask(parts, WHERE)
    await parts.drafts.close()


async def test_a_draft_for_the_next_question_waits_for_the_answer():
    parts = assemble("word " * 20, word_pause_s=0.01, memory=Memory(ANA))
    run = await parts.turns.start("c_1", "Hello?")
    assert parts.drafts.warm("c_1", WHERE).state == "warming"
    await asyncio.sleep(0.05)
    assert not parts.engine.prefilled
    await end(run)
    shown = await settled(parts, text=WHERE)
    assert shown.state == "ready"
    assert "word word" in str(parts.engine.prefilled[-1].messages)


@pytest.mark.parametrize("error", [EngineCrashed(), RuntimeError("secret words")])
async def test_a_warm_fails_without_a_word(error, caplog):
    parts = assemble("Fine.", memory=Memory(ANA))
    parts.engine.prefill_error = error
    shown = await settled(parts, text="a secret draft")
    assert shown.state == "failed"
    assert shown.problem["code"] == getattr(error, "code", "internal")
    assert "secret" not in caplog.text + str(shown)
    parts.engine.prefill_error = None
    assert (await settled(parts, text="a secret draft")).state == "ready"
    assert (await settled(parts, "c_none", "x")).problem["code"] == "conversation_not_found"
    assert "secret" not in caplog.text


@pytest.mark.parametrize("state", ["missing", "failed"])
async def test_without_a_model_nothing_is_tried(state):
    parts = assemble(memory=Memory(ANA))
    parts.engine.state = state
    assert parts.drafts.warm("c_1", WHERE).state == state
    await asyncio.sleep(0.01)
    assert parts.memory.asked == []
    assert parts.drafts.take("c_1") is None


async def test_the_model_is_loaded_once_for_all_drafts():
    parts = assemble(memory=Memory(ANA))
    loads = []

    async def slow():
        loads.append(1)
        await asyncio.sleep(0.05)

    parts.engine.warm = slow
    parts.engine.state = "loading"
    for n in range(10):
        assert parts.drafts.warm("c_1", f"draft {n}").state == "loading"
        await asyncio.sleep(0.002)
    parts.engine.state = "ready"
    await settled(parts, text="draft 9")
    assert len(loads) == 1


async def test_a_model_that_will_not_load_is_the_problem():
    parts = assemble(memory=Memory(ANA))

    async def broken():
        raise ModelMissing

    parts.engine.warm = broken
    assert (await settled(parts, text=WHERE)).state == "missing"


@pytest.mark.parametrize(
    ("text", "error"), [("x" * (LIMITS.turn_chars + 1), TextTooLong), ("a\0b", InvalidInput)]
)
async def test_a_draft_that_could_not_be_asked_is_refused(text, error):
    with pytest.raises(error):
        assemble().drafts.warm("c_1", text)


# --- forgetting ------------------------------------------------------------------------------


class Touched:
    def __init__(self, turns=(), conversations=()):
        self.turns, self.conversations = frozenset(turns), frozenset(conversations)


async def test_what_is_forgotten_leaves_drafts_and_engine():
    parts = assemble(memory=Memory(ANA))
    await settled(parts, text=WHERE)
    await parts.forgetting.memories(["m_1"], Touched(["t_9"], ["c_9"]))
    assert parts.drafts.take("c_1") is None
    assert parts.engine.forgotten == [{"m_1", "t_9", "c_9"}]
    parts.memory.found.clear()
    await ask(parts, WHERE)
    assert "Lyon" not in str(asked(parts)[-1].messages)


async def test_a_memory_forgotten_while_a_draft_recalls_it_is_not_used():
    parts = assemble(memory=Memory(ANA, pause=0.05))
    parts.drafts.warm("c_1", WHERE)
    await asyncio.sleep(0.01)
    await parts.forgetting.memories(["m_1"], Touched())
    await asyncio.sleep(0.1)
    assert not parts.engine.prefilled


async def test_an_answer_whose_history_was_redacted_ends_before_the_engine_forgets():
    parts = assemble("In Lyon.", "It is Lyon " * 100, memory=Memory(ANA))
    await ask(parts, WHERE)
    (first,) = parts.log.rows
    parts.memory.found.clear()
    parts.engine.word_pause_s = 0.01
    run = await parts.turns.start("c_1", "Say that again?")
    await asyncio.sleep(0.05)
    await parts.forgetting.memories(["m_1"], Touched([first], ["c_1"]))
    assert run.task.done()
    assert parts.engine.queue_length == 0
    assert (await end(run))[-1].event == "failed"
    assert "Lyon" not in str(parts.log.ends[run.id])
    assert parts.engine.forgotten == [{"m_1", first, "c_1"}]


async def test_what_was_redacted_while_it_was_read_is_read_again():
    parts = assemble("In Lyon.", "Fine.", memory=Memory(ANA))
    await ask(parts, WHERE)
    (first,) = parts.log.rows
    parts.memory.found.clear()
    plain = parts.log.history

    async def slow(conversation_id):
        found = await plain(conversation_id)
        if not parts.engine.forgotten:
            old = parts.log.rows[first]
            parts.log.rows[first] = type(old)(
                **{name: getattr(old, name) for name in old.__struct_fields__}
                | {"reply": "[forgotten]", "context": "[forgotten]\n"}
            )
            await parts.forgetting.memories(["m_1"], Touched([first], ["c_1"]))
        return found

    parts.log.history = slow
    await ask(parts, "And now?")
    assert "Lyon" not in str(asked(parts)[-1].messages)
    assert "[forgotten]" in str(asked(parts)[-1].messages)


async def test_a_deleted_conversation_is_forgotten_with_its_turns():
    parts = assemble("Fine.", memory=Memory(ANA))
    await ask(parts, "Hello?")
    (turn,) = parts.log.rows
    await settled(parts, text=WHERE)
    await parts.forgetting.conversation("c_1", [turn])
    assert parts.drafts.take("c_1") is None
    assert parts.engine.forgotten == [{"c_1", turn}]
    parts.log.ends[turn] = {"events": [Event(1, "failed", {})]}
    assert [e.event async for e in await parts.turns.events(turn)] == ["failed"]


async def test_after_close_nothing_is_made_ready():
    parts = assemble(memory=Memory(ANA))
    parts.engine.prefill_pause = 30
    parts.drafts.warm("c_1", WHERE)
    await asyncio.sleep(0.01)
    await parts.drafts.close()
    assert parts.engine.prefills_cancelled == 1
    assert parts.drafts.warm("c_1", WHERE).state == "ready"
    assert parts.drafts.take("c_1") is None
