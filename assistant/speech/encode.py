"""Samples as a file that can be played while it is still being made."""

from __future__ import annotations

import io
import struct
from typing import Protocol

from assistant.errors import SpeechMissing, UnsupportedParameter
from assistant.speech.decode import Samples

UNKNOWN = 0xFFFFFFFF
"""Length of a WAV whose end is not known yet; players read until the data ends."""

# format → (container, codec, options of the container)
_CODECS: dict[str, tuple[str, str, dict[str, str]]] = {
    "mp3": ("mp3", "libmp3lame", {"write_xing": "0", "id3v2_version": "0"}),
    "opus": ("ogg", "libopus", {"page_duration": "100000"}),
    "aac": ("adts", "aac", {}),
    "flac": ("flac", "flac", {}),
}


class Encoder(Protocol):
    """Takes samples, gives bytes."""

    def feed(self, samples: Samples) -> bytes:
        """The bytes that are ready; may be none."""

    def end(self) -> bytes:
        """The last ones."""


def encoder(name: str, rate: int) -> Encoder:
    """`wav`, `pcm`, `mp3`, `opus`, `aac` or `flac`. Raises UnsupportedParameter."""
    if name in ("pcm", "wav"):
        return Plain(rate, header=name == "wav")
    if name not in _CODECS:
        raise UnsupportedParameter("response_format is mp3, opus, aac, flac, wav or pcm.")
    return Coded(name, rate)


class Plain:
    """16-bit little-endian samples, with a WAV header in front or without."""

    def __init__(self, rate: int, *, header: bool) -> None:
        self._head = wav_header(rate, UNKNOWN) if header else b""

    def feed(self, samples: Samples) -> bytes:
        """See Encoder."""
        head, self._head = self._head, b""
        return head + samples.astype("<i2").tobytes()

    def end(self) -> bytes:
        """See Encoder."""
        head, self._head = self._head, b""
        return head


class Coded:
    """By FFmpeg's encoders."""

    def __init__(self, name: str, rate: int) -> None:
        try:
            import av
        except ImportError as exc:
            raise SpeechMissing("The package av is not installed.") from exc
        container, codec, options = _CODECS[name]
        self._av, self._rate, self._time = av, rate, 0
        self._out = _Pipe()
        self._container = av.open(
            self._out,
            mode="w",
            format=container,
            container_options=options | {"flush_packets": "1"},
        )
        self._stream = self._container.add_stream(codec, rate=rate, layout="mono")

    def feed(self, samples: Samples) -> bytes:
        """See Encoder."""
        if not len(samples):
            return self._out.take()
        frame = self._av.AudioFrame.from_ndarray(
            samples.reshape(1, -1), format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts = self._rate, self._time
        self._time += len(samples)
        for packet in self._stream.encode(frame):
            self._container.mux(packet)
        return self._out.take()

    def end(self) -> bytes:
        """See Encoder."""
        if self._time:
            for packet in self._stream.encode(None):
                self._container.mux(packet)
        self._container.close()
        return self._out.take()


class _Pipe(io.RawIOBase):
    """Where a container writes. It cannot go back, so nothing that left has to change."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._held += data
        return len(data)

    def take(self) -> bytes:
        held, self._held = bytes(self._held), bytearray()
        return held


def wav_header(rate: int, data_bytes: int) -> bytes:
    """Of mono 16-bit samples (RIFF, WAVE_FORMAT_PCM)."""
    riff = UNKNOWN if data_bytes == UNKNOWN else data_bytes + 36
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    return (
        b"RIFF" + struct.pack("<I", riff) + b"WAVE" + form + b"data" + struct.pack("<I", data_bytes)
    )
