"""The system's sound devices, through PortAudio. The one place that loads it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from assistant.errors import AssistantError, MicrophoneMissing, SpeakerMissing

LATENCY_S = 0.06
"""Of the loudspeaker's buffer: what is stopped is silent after this, and a busy machine does not stutter."""
_SERVERS = ("pipewire", "pulse")
"""ALSA's names for a sound server. Through it other programs keep their sound, and rates are converted."""

_lock = threading.Lock()
_streams: set[Any] = set()


def microphone(
    rate: int, block: int, hear: Callable[[bytes], None], lost: Callable[[], None]
) -> Any:
    """A running stream of 16-bit samples, one channel. `hear` and `lost` are called from its thread.

    Raises MicrophoneMissing.
    """

    def called(data: Any, *_: object) -> None:
        hear(bytes(data))

    return _opened("RawInputStream", MicrophoneMissing, rate, block, called, lost)


def microphone_name() -> str:
    """The one that would be heard. Raises MicrophoneMissing."""
    library = _library(MicrophoneMissing)
    with _lock:
        try:
            return str(library.query_devices(kind="input")["name"])
        except (library.PortAudioError, ValueError) as exc:
            raise MicrophoneMissing from exc


def speaker(rate: int, fill: Callable[[memoryview], None], lost: Callable[[], None]) -> Any:
    """The same outwards: `fill` writes what is to be heard next. Raises SpeakerMissing."""

    def called(data: Any, *_: object) -> None:
        fill(memoryview(data).cast("B"))

    return _opened("RawOutputStream", SpeakerMissing, rate, 0, called, lost)


def close(stream: Any) -> None:
    """End it at once. Never raises."""
    with _lock:
        _streams.discard(stream)
        stream.close(ignore_errors=True)


def _opened(
    kind: str,
    missing: type[AssistantError],
    rate: int,
    block: int,
    called: Callable[..., None],
    lost: Callable[[], None],
) -> Any:
    with _lock:
        library = _library(missing)
        for again in (False, True):
            try:
                if again:
                    _look_again(library)
                stream = getattr(library, kind)(
                    samplerate=rate,
                    blocksize=block,
                    channels=1,
                    dtype="int16",
                    latency="low" if block else LATENCY_S,
                    device=_device(library),
                    callback=called,
                    finished_callback=lost,
                )
                stream.start()
            except (library.PortAudioError, ValueError) as exc:
                if again:
                    raise missing from exc
            else:
                _streams.add(stream)
                return stream
        raise missing


def _look_again(library: Any) -> None:
    """PortAudio looks for devices once; what was plugged in since is found by starting it anew."""
    for stream in [one for one in _streams if not one.active]:
        _streams.discard(stream)
        stream.close(ignore_errors=True)
    if not _streams:
        library._terminate()
        library._initialize()


def _device(library: Any) -> Any:
    """The sound server where there is one; None: what the system has as its default."""
    if not sys.platform.startswith("linux"):
        return None
    names = [one["name"] for one in library.query_devices()]
    return next((one for one in _SERVERS if one in names), None)


def _library(missing: type[AssistantError]) -> Any:
    try:
        import sounddevice
    except ImportError as exc:
        raise missing(
            "The package sounddevice is not installed.", "Install Nestor's extra `voice`."
        ) from exc
    except OSError as exc:
        raise missing(
            "PortAudio is not installed.", "Install it: `sudo apt-get install libportaudio2`."
        ) from exc
    return sounddevice
