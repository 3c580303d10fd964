"""What changed reaches every reader, once, in order; who missed something is told so."""

import asyncio

import pytest

from assistant.config import LIMITS
from assistant.core.feed import Feed


async def take(stream, count):
    async with asyncio.timeout(2):
        return [await anext(stream) for _ in range(count)]


async def test_a_first_reader_is_told_to_read_everything_and_then_what_changes():
    feed = Feed()
    feed.tell("memories", {})
    stream = feed.follow(None)
    (sync,) = await take(stream, 1)
    feed.tell("conversation", {"id": "c_1"})
    (event,) = await take(stream, 1)
    assert (sync.event, event.event, event.data) == ("sync", "conversation", {"id": "c_1"})
    assert event.id == sync.id + 1


async def test_who_comes_back_hears_what_it_missed_and_nothing_twice():
    feed = Feed()
    stream = feed.follow(None)
    (sync,) = await take(stream, 1)
    for n in range(5):
        feed.tell("conversation", {"id": str(n)})
    seen = await take(stream, 2)
    await stream.aclose()
    again = await take(feed.follow(seen[-1].id), 3)
    assert [e.data["id"] for e in (*seen, *again)] == ["0", "1", "2", "3", "4"]
    assert sync.id < seen[0].id


@pytest.mark.parametrize("after", [0, 1, 10**15])
async def test_a_number_of_another_run_means_read_everything(after):
    feed = Feed()
    feed.tell("memories", {})
    assert (await take(feed.follow(after), 1))[0].event == "sync"


async def test_who_missed_more_than_is_kept_is_told():
    feed = Feed()
    stream = feed.follow(None)
    (sync,) = await take(stream, 1)
    for n in range(LIMITS.feed_events + 1):
        feed.tell("conversation", {"id": str(n)})
    (event,) = await take(stream, 1)
    assert event.event == "sync"
    assert event.id == sync.id + LIMITS.feed_events + 1


async def test_a_slow_reader_is_told_too_and_loses_nothing_afterwards():
    feed = Feed()
    stream = feed.follow(None)
    await take(stream, 1)
    feed.tell("memories", {})
    feed.tell("memories", {})
    await take(stream, 1)  # it stands between the two
    for _ in range(LIMITS.feed_events + 5):
        feed.tell("memories", {})
    (event,) = await take(stream, 1)
    assert event.event == "sync"
    feed.tell("open", {})
    assert (await take(stream, 1))[0].event == "open"


async def test_what_is_for_one_device_reaches_no_other():
    feed = Feed()
    mine, other = feed.follow(None, "d_phone"), feed.follow(None, "d_laptop")
    await take(mine, 1)
    await take(other, 1)
    feed.tell("parcel", {"id": "p_1"}, to="d_phone")
    feed.tell("memories", {})
    assert [e.event for e in await take(mine, 2)] == ["parcel", "memories"]
    assert [e.event for e in await take(other, 1)] == ["memories"]


async def test_close_ends_every_stream():
    feed = Feed()
    stream = feed.follow(None)
    await take(stream, 1)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    feed.close()
    with pytest.raises(StopAsyncIteration):
        await waiting
