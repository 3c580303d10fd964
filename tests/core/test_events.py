"""Events of a turn: numbered, replayable, one end."""

import asyncio

from assistant.core.events import EventLog


async def collect(log, after=0):
    return [event async for event in log.follow(after)]


async def test_readers_early_and_late_see_the_same():
    log = EventLog()
    early = asyncio.create_task(collect(log))
    await asyncio.sleep(0)
    for word in ("a", "b"):
        log.append("token", {"text": word})
        await asyncio.sleep(0)
    middle = asyncio.create_task(collect(log, after=1))
    log.append("done", {})
    assert await early == await collect(log) == list(log.events)
    assert [event.id for event in log.events] == [1, 2, 3]
    assert [event.id for event in await middle] == [2, 3]


async def test_nothing_follows_the_last_event():
    log = EventLog()
    log.append("failed", {})
    log.append("token", {"text": "late"})
    assert [event.event for event in log.events] == ["failed"]


async def test_a_reader_beyond_the_end_gets_nothing_and_ends():
    log = EventLog()
    log.append("done", {})
    assert await collect(log, after=99) == []
