"""Turns against the fake model and a log in memory: every way a turn can end."""

import asyncio

import pytest
from core.parts import ANA, Log, Memory, assemble, collect, end

from assistant.errors import (
    ContextOverflow,
    ConversationNotFound,
    EngineBusy,
    EngineCrashed,
    Stopped,
    StoreError,
    TurnRunning,
)
from assistant.types import Event


def make(*replies, **rest):
    parts = assemble(*replies, **rest)
    return parts.turns, parts.engine, parts.log


async def test_done():
    turns, engine, log = make("It is Lyon.", memory=Memory(ANA))
    run = await turns.start("c_1", "Where is Ana?")
    events = await end(run)
    assert [e.event for e in events] == [
        "started", "recalled", "token", "token", "token", "receipt", "done",
    ]  # fmt: skip
    assert "Ana lives in Lyon" in engine.prompts[0][-1].text
    assert (await turns.cancel(run.id)).status == "done"
    assert log.title == "Where is Ana?"
    assert engine.queue_length == 0
    assert list(log.ends[run.id]["events"]) == events


async def test_refusals_come_before_anything_is_logged():
    turns, _engine, log = make("slow " * 50, word_pause_s=0.05, queue_length=1)
    with pytest.raises(ConversationNotFound):
        await turns.start("c_2", "hello")
    run = await turns.start("c_1", "hello")
    with pytest.raises(TurnRunning):
        await turns.start("c_1", "again")
    assert list(log.rows) == [run.id]
    await turns.close()
    with pytest.raises(Stopped):
        await turns.start("c_1", "late")
    assert list(log.rows) == [run.id]


async def test_a_full_queue_leaves_no_trace():
    turns, _engine, log = make(queue_length=0)
    with pytest.raises(EngineBusy):
        await turns.start("c_1", "hello")
    assert not log.rows
    assert not turns.running("c_1")


@pytest.mark.parametrize("pause", [0, 0.001, 0.03])
async def test_cancel_at_any_moment(pause):
    turns, engine, _log = make(
        "word " * 100, word_pause_s=0.01, memory=Memory(pause=0.02 if pause else 0)
    )
    run = await turns.start("c_1", "hello")
    if pause:
        await asyncio.sleep(pause)
    answers = await asyncio.gather(turns.cancel(run.id), turns.cancel(run.id))
    assert [turn.status for turn in answers] == ["cancelled", "cancelled"]
    events = await end(run)
    assert (events[-1].event, events[-1].data["error"]["code"]) == ("failed", "stopped")
    assert engine.queue_length == 0
    assert not turns.running("c_1")
    assert (await end(await turns.start("c_1", "again")))[-1].event in ("done", "failed")


async def test_close_right_after_start_ends_the_turn():
    turns, engine, _ = make("word " * 100, word_pause_s=0.01)
    starting = asyncio.create_task(turns.start("c_1", "hello"))
    await asyncio.sleep(0)
    await turns.close()
    run = await starting
    assert (await end(run))[-1].data["error"]["message"] == "Nestor is stopping."
    assert engine.queue_length == 0


@pytest.mark.parametrize("error", [EngineCrashed(), RuntimeError("a secret in a traceback")])
async def test_failures_are_told_and_their_details_are_not(error, caplog):
    turns, _engine, log = make(error)
    events = await end(await turns.start("c_1", "hello"))
    code = events[-1].data["error"]["code"]
    assert code == getattr(error, "code", "internal")
    assert "secret" not in caplog.text + str(events)
    assert next(iter(log.rows.values())).status == "failed"


@pytest.mark.parametrize("broken", [StoreError(), OSError("disk")])
async def test_a_log_that_cannot_be_written_is_a_failed_turn_and_not_a_hang(broken):
    turns, engine, _ = make("fine", log=Log(broken))
    events = await end(await turns.start("c_1", "hello"))
    assert events[-1].event == "failed"
    assert not turns.running("c_1")
    assert engine.queue_length == 0


async def test_an_answer_that_was_cut_off_is_counted():
    """Else a chat of stopped answers outgrows the context and never answers again."""
    turns, _, _log = make("word " * 400, word_pause_s=0.001)
    run = await turns.start("c_1", "hello")
    await asyncio.sleep(0.2)
    turn = await turns.cancel(run.id)
    assert turn.tokens >= len(turn.reply.split())
    assert len(turn.reply.split()) > 20


async def test_a_prompt_that_turns_out_too_long_is_tried_without_its_history():
    turns, engine, _log = make("one", ContextOverflow(), "two")
    await end(await turns.start("c_1", "first"))
    events = await end(await turns.start("c_1", "second"))
    assert events[-1].event == "done"
    receipt = next(event.data for event in events if event.event == "receipt")
    assert len(receipt["dropped"]) == 1
    assert [len(seen) for seen in engine.prompts] == [2, 4, 2]


async def test_a_prompt_that_is_too_long_by_itself_fails():
    turns, _, _ = make(ContextOverflow())
    events = await end(await turns.start("c_1", "long"))
    assert events[-1].data["error"]["code"] == "context_overflow"


async def test_forgetting_a_memory_stops_the_answer_it_went_into():
    turns, _, log = make("Ana lives in Lyon " * 50, word_pause_s=0.01, memory=Memory(ANA))
    run = await turns.start("c_1", "Where is Ana?")
    await asyncio.sleep(0.1)
    turns.forget(["m_other"])
    turns.forget(["m_1"])
    assert (await end(run))[-1].event == "failed"
    assert "Lyon" not in str(log.ends[run.id])
    assert "Lyon" not in str(await collect(await turns.events(run.id)))


async def test_what_is_forgotten_while_it_is_looked_for_is_not_used():
    turns, engine, log = make("fine", memory=Memory(ANA, pause=0.05))
    run = await turns.start("c_1", "Where is Ana?")
    await asyncio.sleep(0)
    turns.forget(["m_1"])
    assert (await end(run))[-1].event == "done"
    assert "Lyon" not in engine.prompts[0][-1].text + str(log.ends)


async def test_who_comes_back_after_a_crash_gets_an_end():
    turns, _, log = make()
    log.ends["t_1"] = {"events": [Event(1, "failed", {"error": Stopped().body()})]}
    for after in (0, 1, 25):
        events = await collect(await turns.events("t_1", after))
        assert [e.event for e in events] == ["failed"]
        assert events[0].id > after
