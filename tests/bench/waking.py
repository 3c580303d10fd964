"""The wake word: how often it is heard when said, and taken for what it is not. What listening costs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from assistant.core.wake import Hit, WakeWord, Word
from assistant.speech.local import LocalSpeech
from tests.bench import sayings
from tests.bench.progress import say
from tests.bench.table import Row
from tests.bench.voice import child, spoken
from tests.speech.sounds import RATE, clicks, noise, pink, silence

SPEEDS = (0.8, 0.9, 1.0, 1.1, 1.25)
NOISE_DB = (None, 20, 10)
"""Below the voice."""
CHUNK = RATE // 10
NEGATIVE_S = 3600
RECALL_LEAST = 80.0
FALSE_MOST = 1.0
_LIVE_S = 15.0


def measure(_home: Path, _runs: int, _series: dict[str, Any]) -> Iterator[Row]:
    """Every row; an hour of sound in about 2 minutes. One run: the sounds are the same each time."""
    yield from asyncio.run(_measure())


async def _measure() -> list[Row]:
    speech = child()
    try:
        await speech.warm()
        return [*await _recall(speech), *await _negatives(speech), await _live(speech)]
    finally:
        await speech.close()


async def _recall(speech: LocalSpeech) -> list[Row]:
    said = spotted = accepted = 0
    for text in sayings.WAKING:
        for speed in SPEEDS:
            clip = await spoken(speech, text, speed=speed)
            for below in NOISE_DB:
                hits = await _follow(speech, _in_a_room(clip, below))
                said += 1
                spotted += bool(hits)
                accepted += any(hit.accepted for hit in hits)
    say(f"wake word: {said} said, {spotted} spotted, {accepted} accepted")
    note = f"{accepted} of {said}: one voice, {len(SPEEDS)} speeds, quiet to 10 dB of noise"
    return [
        Row("wake word, heard by the spotter", "%", [100 * spotted / said]),
        Row("wake word, heard by both stages", "%", [100 * accepted / said], least=RECALL_LEAST, note=note),
    ]  # fmt: skip


async def _negatives(speech: LocalSpeech) -> list[Row]:
    sentences = [await spoken(speech, text) for text in (*sayings.ENGLISH, *sayings.NEARLY)]
    sentences += [await spoken(speech, text, "fr") for text in sayings.FRENCH]
    random, parts, seconds = np.random.default_rng(5), [], 0.0
    rooms = (lambda s: pink(s, 0.05), silence, lambda s: noise(s, 0.02), clicks)
    while seconds < NEGATIVE_S:
        clip = sentences[random.integers(len(sentences))]
        rate = random.uniform(0.85, 1.2)
        clip = np.interp(np.arange(0, len(clip) - 1, rate), np.arange(len(clip)), clip)
        room = rooms[random.integers(len(rooms))](random.uniform(0.5, 4))
        parts += [(clip * random.uniform(0.2, 1)).astype(np.int16), room]
        seconds += (len(clip) + len(room)) / RATE
    hits = await _follow(speech, np.concatenate(parts), chunk=CHUNK * 5)
    accepted = [hit for hit in hits if hit.accepted]
    say(f"wake word: {seconds:.0f} s without it, {len(hits)} spotted, {len(accepted)} accepted")
    hours = seconds / 3600
    return [
        Row("wake word, false alarms of the spotter", "an hour", [len(hits) / hours]),
        Row("wake word, false alarms of both stages", "an hour", [len(accepted) / hours], most=FALSE_MOST),
    ]  # fmt: skip


async def _live(speech: LocalSpeech) -> Row:
    """As it runs all day: a tenth of a second of sound each tenth of a second."""
    process = psutil.Process(speech.status().pid)
    wake, room = WakeWord(speech), pink(_LIVE_S, 0.01)
    loop = asyncio.get_running_loop()
    before, begun = _cpu(process), loop.time()
    for number, at in enumerate(range(0, len(room), CHUNK)):
        await asyncio.sleep(max(0.0, begun + number * 0.1 - loop.time()))
        await wake.feed(room[at : at + CHUNK].tobytes())
    used = _cpu(process) - before
    await wake.close()
    return Row(
        "wake word, listening", "% of a core", [100 * used / (loop.time() - begun)], most=1.0
    )


async def _follow(speech: LocalSpeech, sound: np.ndarray, chunk: int = CHUNK) -> Sequence[Hit]:
    wake = WakeWord(speech, Word())
    found = [
        await wake.feed(sound[at : at + chunk].tobytes()) for at in range(0, len(sound), chunk)
    ]
    await wake.close()
    return [hit for hit in found if hit]


def _in_a_room(clip: np.ndarray, below_db: int | None) -> np.ndarray:
    whole = np.concatenate([silence(1.5), clip, silence(1.5)]).astype(int)
    level = np.sqrt(np.mean(clip.astype(float) ** 2)) / 32768
    room = pink(len(whole) / RATE, level / 10 ** ((below_db or 55) / 20))
    return np.clip(whole[: len(room)] + room[: len(whole)], -32768, 32767).astype(np.int16)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
