"""Hearing and speaking: how quick, how right, and what talking costs beside its parts alone."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import time
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import psutil
from websockets.sync.client import connect

from assistant.config import load_paths
from assistant.core.sentences import Sentences
from assistant.speech.local import LocalSpeech
from tests.bench import sayings
from tests.bench.nestor import MODEL
from tests.bench.progress import say
from tests.bench.table import Row, ratio
from tests.running import RunningDaemon, events
from tests.speech.words import errors

OVERHEAD_MOST = 1.15
WINDOW_MOST = 0.6
"""Of the time with the stock window."""
WER_MOST = 5.0
_IDLE_S = 10.0
_SPOKEN_S = 0.6
"""What is warmed when the key goes down is ready then, as it is while one speaks."""


def measure(home: Path, runs: int, _series: dict[str, Any]) -> Iterator[Row]:
    """Every row. About 4 minutes for 5 runs."""
    yield from asyncio.run(_hearing(runs))
    daemon = RunningDaemon(home, model=MODEL, env={"NESTOR_LOOKUP": "off"}).up()
    try:
        yield from _talking(daemon, runs)
        yield from _resting(daemon)
    finally:
        daemon.stop()


def child(stt: str = "whisper-base") -> LocalSpeech:
    """The daemon's side of a speech child of its own."""
    return LocalSpeech(load_paths().speech_models, stt=stt, voice="heart")


async def spoken(speech: LocalSpeech, text: str, voice: str = "", speed: float = 1.0) -> np.ndarray:
    """Samples at 16 kHz."""
    sound = b"".join([piece async for piece in speech.speak([text], voice=voice, speed=speed)])
    samples = np.frombuffer(sound, "<i2")
    return np.interp(np.arange(0, len(samples) - 1, 1.5), np.arange(len(samples)), samples).astype(
        np.int16
    )


# --- hearing -------------------------------------------------------------------------------------


async def _hearing(runs: int) -> list[Row]:
    ours = child()
    await ours.warm()
    stock = child(str(load_paths().speech_models / "whisper-base"))  # a folder: the window is 30 s
    await stock.warm()
    try:
        clips = [await spoken(ours, text) for text in sayings.ENGLISH]
        seconds = sum(len(clip) for clip in clips) / 16_000
        short, long = [], []
        for run in range(runs):
            short.append(await _cost(ours, clips) / seconds)
            long.append(await _cost(stock, clips) / seconds)
            say(f"hearing, run {run + 1} of {runs}: {short[-1]:.3f} and {long[-1]:.3f} s per s")
        made = f"{len(clips)} sentences, {seconds:.0f} s"
        rows = [
            Row("hearing, 10 s window", "s per s of speech", short, note=made),
            Row("the same, the stock window of 30 s", "s per s of speech", long),
            ratio("hearing, 10 s window, of the stock one's", short, long, most=WINDOW_MOST),
        ]
        rows += [await _wrong(ours, clips, "10 s window", most=WER_MOST)]
        rows += [await _wrong(stock, clips, "stock window")]
        rows += [await _wrong_by(ours, sayings.ENGLISH, "en", "en-us")]
        rows += [await _wrong_by(ours, sayings.FRENCH, "fr", "fr")]
    finally:
        await ours.close()
        await stock.close()
    return rows


async def _cost(speech: LocalSpeech, clips: Sequence[np.ndarray]) -> float:
    begun = time.perf_counter()
    for clip in clips:
        await speech.transcribe(clip.tobytes(), bare=True, language="en")
    return time.perf_counter() - begun


async def _wrong(speech: LocalSpeech, clips: Sequence[np.ndarray], how: str, **limit: float) -> Row:
    heard = [await speech.transcribe(clip.tobytes(), bare=True, language="en") for clip in clips]
    texts = [one.text for one in heard]
    return _rate(f"words misheard, en, Hibari, {how}", sayings.ENGLISH, texts, "en", **limit)


async def _wrong_by(speech: LocalSpeech, texts: Sequence[str], language: str, voice: str) -> Row:
    heard = []
    for text in texts:
        clip = await spoken(speech, text, voice)
        one = await speech.transcribe(clip.tobytes(), bare=True, language=language)
        heard.append(one.text)
    name = f"words misheard, {language}, espeak-ng"
    return _rate(name, texts, heard, language, note="a robot's voice, hard to hear")


def _rate(name: str, said: Sequence[str], heard: Sequence[str], language: str, **rest: Any) -> Row:
    pairs = [errors(a, b, language) for a, b in zip(said, heard, strict=True)]
    wrong, words = (sum(column) for column in zip(*pairs, strict=True))
    note = f"{wrong} of {words} words"
    note += f"; {rest.pop('note')}" if "note" in rest else ""
    return Row(name, "%", [100 * wrong / words], note=note, **rest)


# --- talking -------------------------------------------------------------------------------------


STEPS = ("hearing", "first token of the model", "first sentence of the model", "first sound")
_TRIES = 3
"""For each pair: the model has to begin with the same sentence both times, or they cannot be compared."""


def _talking(daemon: RunningDaemon, runs: int) -> Iterator[Row]:
    clips = [_pcm(daemon, text) for text in sayings.QUESTIONS]
    for clip in clips[:2]:
        _talk(daemon, clip)
        _alone(daemon, clip)
    together: list[_Times] = []
    apart: list[_Times] = []
    for run in range(runs * 2 * _TRIES):
        one, parts = _talk(daemon, clips[run % len(clips)]), _alone(daemon, clips[run % len(clips)])
        if one.sentence == parts.sentence and len(together) < runs * 2:
            together.append(one)
            apart.append(parts)
            say(
                f"talking, {len(together)} of {runs * 2}: {one.steps} together, {parts.steps} alone"
            )
    yield Row("key up to transcript", "ms", [1000 * one.steps[0] for one in together])
    for n, step in enumerate(STEPS):
        yield Row(f"{step}, together", "ms", [1000 * one.steps[n] for one in together])
        yield Row(f"{step}, alone", "ms", [1000 * one.steps[n] for one in apart])
    whole = [sum(one.steps) for one in together]
    yield Row("key up to first audio of the reply", "ms", [1000 * seconds for seconds in whole])
    yield ratio(
        "first audio of the reply, of the sum of its parts alone",
        whole,
        [sum(one.steps) for one in apart],
        most=OVERHEAD_MOST,
    )


class _Times(msgspec.Struct):
    """Seconds of each of STEPS, one after the other, and the sentence that was spoken first."""

    steps: list[float] = []
    sentence: str = ""


def _talk(daemon: RunningDaemon, clip: bytes) -> _Times:
    """From the key's release, as the client sees it."""
    address = f"ws://127.0.0.1:{daemon.port}/api/v1/talk"
    headers = {"Authorization": f"Bearer {daemon.token}"}
    seen: dict[str, float] = {}
    sentence = ""
    chat = daemon.conversation()
    with connect(address, additional_headers=headers) as socket:
        socket.send(json.dumps({"type": "start", "conversation": chat}))
        for at in range(0, len(clip), 3200):
            socket.send(clip[at : at + 3200])
        time.sleep(_SPOKEN_S)
        begun = time.perf_counter()
        socket.send(json.dumps({"type": "end"}))
        while "audio" not in seen:
            message = socket.recv(timeout=120)
            moment = time.perf_counter() - begun
            if isinstance(message, bytes):
                seen["audio"] = moment
                continue
            told = json.loads(message)
            seen.setdefault(told["event"], moment)
            if told["event"] == "speaking":
                sentence = sentence or told["data"]["text"]
        socket.send(json.dumps({"type": "cancel"}))
    _forget(daemon, chat)
    moments = [0.0, *(seen[name] for name in ("heard", "token", "speaking", "audio"))]
    return _Times([b - a for a, b in itertools.pairwise(moments)], sentence)


def _alone(daemon: RunningDaemon, clip: bytes) -> _Times:
    """The same steps one by one, nothing else going on."""
    api = daemon.api
    assert api is not None
    begun = time.perf_counter()
    answer = api.post("/v1/audio/transcriptions", files={"file": ("a.wav", _wav(clip))})
    steps = [time.perf_counter() - begun]
    chat = daemon.conversation()
    api.post("/api/v1/warm", json={"conversation": chat})
    time.sleep(_SPOKEN_S)
    cutter, turn, found = Sentences(early=True), "", []
    begun = time.perf_counter()
    path = f"/api/v1/conversations/{chat}/turns"
    with api.stream("POST", path, json={"text": answer.json()["text"]}) as stream:
        for _, name, data in events(stream.iter_lines()):
            turn = data.get("turn", turn)
            if name == "token":
                first = time.perf_counter() - begun
                steps = steps if len(steps) > 1 else [*steps, first]
                found = cutter.feed(data["text"])
            if found or name == "done":
                break
    found = found or cutter.rest()
    steps.append(time.perf_counter() - begun - steps[1])
    api.delete(f"/api/v1/turns/{turn}")
    begun = time.perf_counter()
    body = {"input": found[0], "response_format": "pcm"}
    with api.stream("POST", "/v1/audio/speech", json=body) as sound:
        next(sound.iter_raw())
    _forget(daemon, chat)
    return _Times([*steps, time.perf_counter() - begun], found[0])


def _forget(daemon: RunningDaemon, chat: str) -> None:
    """Else the model need not read the same question again, for chats share what they begin with."""
    assert daemon.api is not None
    while daemon.api.delete(f"/api/v1/conversations/{chat}").status_code == 409:
        time.sleep(0.05)


def _pcm(daemon: RunningDaemon, text: str) -> bytes:
    assert daemon.api is not None
    made: httpx.Response = daemon.api.post(
        "/v1/audio/speech", json={"input": text, "response_format": "pcm"}
    )
    samples = np.frombuffer(made.content, "<i2")
    at = np.arange(0, len(samples) - 1, 1.5)
    return np.interp(at, np.arange(len(samples)), samples).astype("<i2").tobytes()


def _wav(samples: bytes) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples)
    return out.getvalue()


# --- resting -------------------------------------------------------------------------------------


def _resting(daemon: RunningDaemon) -> Iterator[Row]:
    assert daemon.api is not None
    children = daemon.api.get("/api/v1/status").json()["children"]
    process = psutil.Process(next(c["pid"] for c in children if c["name"] == "speech"))
    yield Row("speech child, all loaded", "MB", [process.memory_info().rss / 1e6])
    before, begun = sum(process.cpu_times()[:2]), time.perf_counter()
    time.sleep(_IDLE_S)
    used = sum(process.cpu_times()[:2]) - before
    yield Row("speech child, idle", "% of a core", [100 * used / (time.perf_counter() - begun)])
