"""Voice at a desk, through virtual devices: from key to loudspeaker, and what waiting for the word costs."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from assistant.clients.desktop.talk import TAIL_S, HoldToTalk
from assistant.clients.desktop.wake import WakeWatch
from assistant.config import load_paths
from tests.bench import sayings
from tests.bench.progress import say
from tests.bench.table import Row
from tests.bench.voice import _pcm
from tests.desktop.room import Room
from tests.running import RunningDaemon

CUE_MOST_MS = 50.0
IDLE_MOST = 1.0
_IDLE_S = 20.0
_PIECES_MS = (20, 40)
"""Of sound, as the sound server passes it on: 20 ms in the virtual room, for quick answers; a server that
only we listen to may take longer ones (PipeWire's default.clock.max-quantum is 2,048 frames, some 43 ms)."""
_LOUD = 200


def measure(home: Path, runs: int, _series: dict[str, Any]) -> Iterator[Row]:
    """Every row."""
    home.mkdir(parents=True)
    room = Room(home / "room")
    os.environ.update(room.env)
    daemon = RunningDaemon(home / "home", model="starter", env={"NESTOR_WAKE_WORD": "hey_jarvis"})
    daemon.up()
    room.open()
    try:
        clip = np.frombuffer(_pcm(daemon, sayings.QUESTIONS[0]), "<i2")
        yield from asyncio.run(_talking(daemon, room, clip, runs))
        room.deafen()  # it costs this process more than the client
        for pieces in _PIECES_MS:
            room.pace(pieces)
            yield from asyncio.run(_waiting(daemon, pieces))
    finally:
        room.close()
        daemon.stop()


class _Seen:
    """When each event was shown first."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    def __call__(self, name: str, _data: dict[str, Any]) -> None:
        self.at.setdefault(name, time.perf_counter())

    async def until(self, name: str) -> float:
        async with asyncio.timeout(120):
            while name not in self.at:
                await asyncio.sleep(0.001)
        return self.at[name]


async def _talking(daemon: RunningDaemon, room: Room, clip: np.ndarray, runs: int) -> list[Row]:
    seen = _Seen()
    talk = HoldToTalk(load_paths({"NESTOR_HOME": str(daemon.home)}), seen)
    cue, heard, sound = [], [], []
    for run in range(runs + 1):
        seen.at.clear()
        room.heard()
        begun = time.perf_counter()
        await talk.start()
        shown = await seen.until("listening")
        await asyncio.to_thread(room.say, clip)
        up = time.perf_counter()
        await talk.stop()
        transcript = await seen.until("heard")
        while not room.loud():
            await asyncio.sleep(0.002)
        first = time.perf_counter()
        await talk.cancel()
        await asyncio.sleep(1)
        if run:  # the first warms everything
            cue.append(1000 * (shown - begun))
            heard.append(1000 * (transcript - up))
            sound.append(1000 * (first - up))
            say(f"desk, run {run} of {runs}: {heard[-1]:.0f} ms, {sound[-1]:.0f} ms")
    await talk.close()
    note = f"{1000 * TAIL_S:.0f} ms of it listen on, for those who let go as they speak"
    return [
        Row("key down to the cue", "ms", cue, most=CUE_MOST_MS),
        Row("key up to transcript, at the desk", "ms", heard, note=note),
        Row("key up to first sound in the room", "ms", sound, note="virtual devices, 60 ms of buffer"),
    ]  # fmt: skip


async def _waiting(daemon: RunningDaemon, pieces: int) -> list[Row]:
    seen = _Seen()
    watch = WakeWatch(load_paths({"NESTOR_HOME": str(daemon.home)}), seen)
    await watch.start()
    await seen.until("waiting")
    assert daemon.api is not None
    children = daemon.api.get("/api/v1/status").json()["children"]
    child = next(one["pid"] for one in children if one["name"] == "speech")
    pids = {"the client": os.getpid(), "the daemon": daemon.process.pid, "the child": child}
    await asyncio.sleep(3)
    processes = {name: psutil.Process(pid) for name, pid in pids.items()}
    before = {name: _cpu(one) for name, one in processes.items()}
    begun = time.perf_counter()
    await asyncio.sleep(_IDLE_S)
    seconds = time.perf_counter() - begun
    used = {name: 100 * (_cpu(one) - before[name]) / seconds for name, one in processes.items()}
    unit = "% of a core"
    name = f"waiting for the word, sound in pieces of {pieces} ms"
    rows = [Row(f"{name}, {whose}", unit, [each]) for whose, each in used.items()]
    most = IDLE_MOST if pieces == min(_PIECES_MS) else None
    rows.append(
        Row(f"{name}, all three", unit, [sum(used.values())], most=most, note="a quiet room")
    )
    memory = processes["the client"].memory_info().rss / 1e6
    rows.append(Row("the client, this benchmark with it", "MB", [memory]))
    await watch.stop()
    return rows


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
