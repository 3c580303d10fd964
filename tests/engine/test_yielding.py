"""Giving a GPU back, against a list of devices that we make up."""

import asyncio

import msgspec
import pytest

from assistant.engine.devices import Device
from assistant.engine.yielding import Yielding


class Desk:
    """A GPU of 8 GB, 5 of them ours."""

    def __init__(self):
        self.free = 2 << 30
        self.busy = False
        self.stopped = 0
        self.yielding = Yielding(self.report, lambda: not self.busy, self.stop, look_s=0.01)

    def report(self):
        gpu = Device("CUDA0", "A GPU", "gpu", self.free, 8 << 30)
        return {"devices": msgspec.to_builtins((gpu,))}

    async def stop(self):
        self.stopped += 1
        return True


@pytest.fixture
async def desk():
    desk = Desk()
    yield desk
    await desk.yielding.close()


async def test_it_gives_way_once_when_hardly_anything_is_free(desk):
    desk.yielding.watch(5 << 30)
    await asyncio.sleep(0.1)
    assert desk.stopped == 0
    desk.free = 64 << 20
    await asyncio.sleep(0.1)
    assert desk.stopped == 1


async def test_never_in_the_middle_of_an_answer(desk):
    desk.busy, desk.free = True, 0
    desk.yielding.watch(5 << 30)
    await asyncio.sleep(0.1)
    assert desk.stopped == 0
    desk.busy = False
    await asyncio.sleep(0.1)
    assert desk.stopped == 1


async def test_a_model_on_the_cpu_is_not_watched(desk):
    desk.free = 0
    desk.yielding.watch(0)
    await asyncio.sleep(0.1)
    assert desk.stopped == 0


async def test_a_new_watch_ends_the_old_one(desk):
    desk.yielding.watch(5 << 30)
    desk.yielding.watch(0)
    desk.free = 0
    await asyncio.sleep(0.1)
    assert desk.stopped == 0
