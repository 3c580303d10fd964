"""The speech child: `python -m assistant.speech.service '<json of SpeechSpec>'`.

One lane each for hearing, speaking and listening (a thread that owns its models), so that a long
recording delays neither a reply nor the moment at which somebody begins to speak.

    load        {"what": ["stt"|"tts"|"vad"]}                       → {}
    transcribe  {"audio": bytes, "form": "file"|"pcm", "language", "prompt"}
                                                                    → {"seconds"}, Said with language …
    speak       {"sentences": [...], "voice", "speed", "format"}    → bytes …
    voices                                                          → [names]
    listen      {"stream": id, "pcm": bytes, "end": bool}           → [probabilities]
    spot        the same and {"word": id}                           → probability
"""

from __future__ import annotations

import functools
import itertools
import os
import queue
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from assistant.config import LIMITS
from assistant.errors import InvalidInput, SpeechMissing, Stopped
from assistant.worker import Call, Inbox, answer, serve

T = TypeVar("T")

STREAMS = 16
"""Live streams that are listened to at once; the one unused longest gives way."""
DECODE_S = 60.0
"""A recording that takes longer to decode has made native code loop; this process ends then."""
LOOPED = 86
"""Its exit code."""


class SpeechSpec(msgspec.Struct, frozen=True):
    """What the child is to use."""

    shelf: str
    """The folder of joined models."""
    stt: str
    """A model of the catalogue, or a folder."""


class Hearing:
    """Speech to text."""

    def __init__(self, spec: SpeechSpec) -> None:
        self._spec = spec
        self.breathe: Callable[[], None] = lambda: None
        """Called now and then while a file is heard: what is more urgent goes before the rest of it."""

    def load(self) -> None:
        """Read the models."""
        _ = self._recognizer, self._vad

    def transcribe(self, call: Call) -> Iterator[Any]:
        """See above."""
        from assistant.speech import decode, vad

        asked, go_on = call.payload, _go_on(call)
        with _deadline():
            if asked["form"] == "pcm":
                samples = decode.pcm(asked["audio"])
            else:
                samples = decode.decode(asked["audio"], LIMITS.audio_s, go_on)
                go_on = _go_on(call, self.breathe)
        yield {"seconds": len(samples) / decode.RATE}
        spoken = vad.stretches(self._vad.whole(samples), len(samples))
        heard = self._recognizer.hear(samples, spoken, asked["language"], asked["prompt"], go_on)
        for language, said in heard:
            yield {"language": language, "said": said}

    @functools.cached_property
    def _vad(self) -> Any:
        return _new_vad()

    @functools.cached_property
    def _recognizer(self) -> Any:
        from assistant.speech import catalogue, shelf, stt

        given = Path(self._spec.stt).expanduser()
        if given.is_absolute():
            return stt.Recognizer(given, window_s=30.0, beam=5, threads=stt.threads())
        model = catalogue.find(self._spec.stt, "stt")
        with ThreadPoolExecutor(1) as beside:  # 145 MB are hashed while the packages are imported
            found = beside.submit(shelf.folder, model, Path(self._spec.shelf))
            stt.imports()
            folder = found.result()
        return stt.Recognizer(
            folder, window_s=model.window_s, beam=model.beam, threads=stt.threads()
        )


class Speaking:
    """Text to speech."""

    def load(self, voice: str) -> None:
        """Read a voice."""
        self._voices.find(voice)

    def voices(self, _call: Call) -> Iterator[list[str]]:
        """See above."""
        yield self._voices.names()

    def speak(self, call: Call) -> Iterator[bytes]:
        """See above."""
        from assistant.speech.encode import encoder
        from assistant.speech.tts import RATE

        asked = call.payload
        voice = self._voices.find(asked["voice"])
        coder, count = encoder(asked["format"], RATE), 0
        for sentence in asked["sentences"]:
            _go_on(call)()
            samples = voice.say(sentence, asked["speed"])
            count += len(samples)
            if len(samples) and (ready := coder.feed(samples)):
                yield ready
        if not count:
            raise InvalidInput("This voice has no sounds for that text.", "Choose another voice.")
        if rest := coder.end():
            yield rest

    @functools.cached_property
    def _voices(self) -> Any:
        from assistant.speech import catalogue, shelf, tts

        try:
            weights = shelf.in_place(catalogue.find("hibari-heart", "tts"))[0]
        except SpeechMissing:
            return tts.Voices(None)
        return tts.Voices(weights)


class Listening:
    """Who speaks now, in streams of live audio."""

    def __init__(self) -> None:
        self._streams: OrderedDict[str, Any] = OrderedDict()
        self._words: dict[str, Path] = {}

    def load(self) -> None:
        """Read the model."""
        self._spare = _new_vad()

    def listen(self, call: Call) -> Iterator[list[float]]:
        """See above."""
        from assistant.speech import decode

        vad = self._take(call, _new_vad)
        yield vad.feed(decode.pcm(call.payload["pcm"]))

    def spot(self, call: Call) -> Iterator[float]:
        """See above."""
        from assistant.speech import decode

        word = call.payload["word"]
        spotter = self._take(call, lambda: self._spotter(word))
        yield spotter.feed(decode.pcm(call.payload["pcm"]))

    def _take(self, call: Call, new: Callable[[], Any]) -> Any:
        """What follows this stream; kept for its next piece unless this is its last."""
        name = call.payload["stream"]
        follows = self._streams.pop(name, None) or new()
        if not call.payload["end"]:
            self._streams[name] = follows
            while len(self._streams) > STREAMS:
                self._streams.popitem(last=False)
        return follows

    def _spotter(self, word: str) -> Any:
        from assistant.speech import catalogue, shelf, wake

        if word not in self._words:
            self._words[word] = shelf.in_place(catalogue.find(word, "wake"))[0]
        return wake.Spotter(self._words[word])


class Lane:
    """A thread that answers calls one after the other, urgent ones first."""

    def __init__(self, name: str, handlers: Mapping[str, Any]) -> None:
        self._calls: queue.PriorityQueue[tuple[int, int, Call]] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._handlers = handlers
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def put(self, call: Call, *, urgent: bool = False) -> None:
        """Answer it in its turn."""
        self._calls.put((0 if urgent else 1, next(self._numbers), call))

    def breathe(self) -> None:
        """Answer what is urgent, in the middle of a call that is not. For the lane's own thread."""
        while True:
            try:
                rank, number, call = self._calls.get_nowait()
            except queue.Empty:
                return None
            if rank:
                return self._calls.put((rank, number, call))
            answer(call, self._handlers)

    def _run(self) -> None:
        while True:
            answer(self._calls.get()[2], self._handlers)


def run(spec: SpeechSpec, inbox: Inbox) -> None:
    """Hand each call to its lane."""
    hearing, speaking, listening = Hearing(spec), Speaking(), Listening()

    def loading(load: Callable[..., None]) -> Callable[[Call], Iterator[Any]]:
        def handler(call: Call) -> Iterator[Any]:
            load(*call.payload)
            yield True

        return handler

    lanes = [
        {"load_stt": loading(hearing.load), "transcribe": hearing.transcribe},
        {
            "load_tts": loading(speaking.load),
            "speak": speaking.speak,
            "voices": speaking.voices,
        },
        {"load_vad": loading(listening.load), "listen": listening.listen, "spot": listening.spot},
    ]
    made = [Lane(f"lane {number}", handlers) for number, handlers in enumerate(lanes)]
    hearing.breathe = made[0].breathe
    by_method = {method: lane for lane, of in zip(made, lanes, strict=True) for method in of}
    while (call := inbox.get()) is not None:
        if lane := by_method.get(call.method):
            # Bare samples come from somebody who talks and waits for an answer.
            spoken = call.method == "transcribe" and call.payload["form"] == "pcm"
            lane.put(call, urgent=spoken)
        else:
            answer(call, {})


def _new_vad() -> Any:
    from assistant.speech import catalogue, shelf, vad

    return vad.Vad(shelf.in_place(catalogue.find("silero-vad", "vad"))[0])


def _go_on(call: Call, breathe: Callable[[], None] = lambda: None) -> Callable[[], None]:
    def check() -> None:
        if call.cancelled:
            raise Stopped
        breathe()

    return check


class _deadline:  # noqa: N801 - reads as a word of `with`
    """Native code that loops cannot be stopped, but the process it is in can."""

    def __enter__(self) -> None:
        self._timer = threading.Timer(DECODE_S, os._exit, (LOOPED,))
        self._timer.daemon = True
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def main() -> None:
    """Serve until the daemon goes."""
    spec = msgspec.json.decode(sys.argv[1], type=SpeechSpec)
    serve(lambda inbox: run(spec, inbox))


if __name__ == "__main__":
    main()
