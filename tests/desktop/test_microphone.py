"""What comes through from a microphone of ours, and what does not even wake the program."""

import asyncio

import pytest

from assistant.clients.desktop import microphone, sound
from assistant.clients.desktop.microphone import BEAT_S, RATE, Microphone
from assistant.clients.desktop.speaker import Speaker
from assistant.errors import MicrophoneMissing

BLOCK = 1_600


class Device:
    """Gives what it is told to; counts how often the event loop was woken."""

    active = True

    def __init__(self, monkeypatch):
        self.hear, self.woken = None, 0
        monkeypatch.setattr(sound, "microphone", self.opened)
        monkeypatch.setattr(sound, "close", lambda stream: None)

    def opened(self, rate, block, hear, lost):
        self.hear = hear
        return self

    async def give(self, *pieces):
        loop = asyncio.get_running_loop()
        call = loop.call_soon_threadsafe

        def counted(*arguments):
            self.woken += 1
            return call(*arguments)

        loop.call_soon_threadsafe = counted
        try:
            for piece in pieces:
                self.hear(piece)
        finally:
            del loop.call_soon_threadsafe
        await asyncio.sleep(0)


async def taken(heard, count):
    return [await anext(heard) for _ in range(count)]


async def test_what_the_sieve_holds_back_wakes_nobody_and_the_rest_comes_in_order(monkeypatch):
    held = []

    def sieve(piece):
        held.append(piece)
        return [] if piece[:1] == b"q" else [*held[-2:]]

    device, ears = Device(monkeypatch), Microphone(BLOCK, sieve)
    await ears.start()
    quiet, loud = b"q" * 2 * BLOCK, b"l" * 2 * BLOCK
    beats = round(BEAT_S * RATE / BLOCK)
    await device.give(*[quiet] * (beats - 1))
    assert device.woken == 0
    heard = ears.pieces()
    first = asyncio.ensure_future(anext(heard))
    await asyncio.sleep(0)
    await device.give(loud)
    assert await first == quiet
    assert await taken(heard, 1) == [loud]
    assert device.woken == 2
    await heard.aclose()
    ears.stop()


async def test_a_device_that_gives_what_is_held_back_is_there_and_one_that_gives_nothing_is_not(
    monkeypatch,
):
    device, ears = Device(monkeypatch), Microphone(BLOCK, lambda piece: [])
    await ears.start()
    beats = round(BEAT_S * RATE / BLOCK)
    heard = ears.pieces()
    waiting = asyncio.ensure_future(anext(heard))
    await asyncio.sleep(0)
    await device.give(*[bytes(2 * BLOCK)] * 3 * beats)
    assert device.woken == 3, "twice a second"
    await asyncio.sleep(0)
    assert not waiting.done(), "nothing is handed on of it"
    ears.enough()
    with pytest.raises(StopAsyncIteration):
        await waiting
    monkeypatch.setattr(microphone, "SILENT_S", 0.01)
    with pytest.raises(MicrophoneMissing):
        await anext(ears.pieces())


async def test_the_voice_sounds_from_the_first_samples_that_the_device_takes_to_the_last(
    monkeypatch,
):
    speaker = Speaker()
    monkeypatch.setattr(sound, "speaker", lambda rate, fill, lost: Device(monkeypatch))
    await speaker.play(bytes(400))
    assert speaker.playing
    assert not speaker.sounding, "not one was taken"
    speaker._fill(memoryview(bytearray(100)))
    assert speaker.sounding
    speaker._fill(memoryview(bytearray(300)))
    assert not speaker.sounding
    await speaker.play(bytes(400))
    speaker._fill(memoryview(bytearray(100)))
    monkeypatch.setattr("assistant.clients.desktop.speaker._TAKEN_S", 0.0)
    assert not speaker.sounding, "the device is gone"
