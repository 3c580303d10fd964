"""The speech child: `python -m assistant.speech.service '<json of SpeechSpec>'`.

One lane each for hearing, speaking and listening (a thread that owns its models), so that a long
recording delays neither a reply nor the moment at which somebody begins to speak.

    load        {"what": ["stt"|"tts"|"vad"]}                       → {}
    transcribe  {"audio": bytes, "form": "file"|"pcm", "language", "prompt"}
                                                                    → {"seconds"}, Said with language …
    speak       {"sentences": [...], "voice", "speed", "format"}    → bytes …
    voices                                                          → [names]
    listen      {"stream": id, "pcm": bytes, "end": bool}           → [probabilities]
"""

from __future__ import annotations

import functools
import os
import queue
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from assistant.config import LIMITS
from assistant.errors import Stopped
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

    def load(self) -> None:
        """Read the models."""
        _ = self._recognizer, self._vad

    def transcribe(self, call: Call) -> Iterator[Any]:
        """See above."""
        from assistant.speech import decode, vad

        asked = call.payload
        with _deadline():
            if asked["form"] == "pcm":
                samples = decode.pcm(asked["audio"])
            else:
                samples = decode.decode(asked["audio"], LIMITS.audio_s, _go_on(call))
        yield {"seconds": len(samples) / decode.RATE}
        spoken = vad.stretches(self._vad.whole(samples), len(samples))
        heard = self._recognizer.hear(
            samples, spoken, asked["language"], asked["prompt"], _go_on(call)
        )
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
        folder = shelf.folder(model, Path(self._spec.shelf))
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
        coder = encoder(asked["format"], RATE)
        for sentence in asked["sentences"]:
            _go_on(call)()
            if ready := coder.feed(voice.say(sentence, asked["speed"])):
                yield ready
        if rest := coder.end():
            yield rest

    @functools.cached_property
    def _voices(self) -> Any:
        from assistant.errors import SpeechMissing
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

    def load(self) -> None:
        """Read the model."""
        self._spare = _new_vad()

    def listen(self, call: Call) -> Iterator[list[float]]:
        """See above."""
        from assistant.speech import decode

        name = call.payload["stream"]
        vad = self._streams.pop(name, None) or _new_vad()
        yield vad.feed(decode.pcm(call.payload["pcm"]))
        if not call.payload["end"]:
            self._streams[name] = vad
            while len(self._streams) > STREAMS:
                self._streams.popitem(last=False)


class Lane:
    """A thread that answers calls one after the other."""

    def __init__(self, name: str, handlers: Mapping[str, Any]) -> None:
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._handlers = handlers
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def put(self, call: Call) -> None:
        """Answer it in its turn."""
        self._calls.put(call)

    def _run(self) -> None:
        while True:
            answer(self._calls.get(), self._handlers)


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
        {"load_vad": loading(listening.load), "listen": listening.listen},
    ]
    by_method = {
        method: lane
        for number, handlers in enumerate(lanes)
        for lane in [Lane(f"lane {number}", handlers)]
        for method in handlers
    }
    while (call := inbox.get()) is not None:
        if lane := by_method.get(call.method):
            lane.put(call)
        else:
            answer(call, {})


def _new_vad() -> Any:
    from assistant.speech import catalogue, shelf, vad

    return vad.Vad(shelf.in_place(catalogue.find("silero-vad", "vad"))[0])


def _go_on(call: Call) -> Callable[[], None]:
    def check() -> None:
        if call.cancelled:
            raise Stopped

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
