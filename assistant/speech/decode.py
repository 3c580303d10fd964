"""A recording in any usual format as mono samples.

Runs in the child: hostile bytes cost it, not the daemon.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import AudioInvalid, AudioTooLong

RATE = 16_000
"""Samples a second of all that is heard."""

Samples = NDArray[np.int16]

# Containers that carry sound. The rest of what FFmpeg knows are playlists, devices and protocols:
# a file could make it read other files of this machine.
FORMATS = ("wav", "flac", "mp3", "ogg", "mov", "matroska,webm", "aac")
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"RIFF", "wav"),
    (0, b"RF64", "wav"),
    (0, b"fLaC", "flac"),
    (0, b"OggS", "ogg"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (4, b"ftyp", "mov"),
    (0, b"ID3", "mp3"),
)


def decode(data: bytes, most_s: float, go_on: Callable[[], None] = lambda: None) -> Samples:
    """The whole recording at 16 kHz, mixed to mono; a file that is cut gives what is there.

    `go_on` may raise to stop it. Raises AudioInvalid, and AudioTooLong above `most_s` seconds.
    """
    import av

    blocks: list[Samples] = []
    count, most = 0, int(most_s * RATE)
    try:
        for block in _blocks(av, data, _format(data)):
            go_on()
            count += len(block)
            if count > most:
                raise AudioTooLong(f"The recording has more than {most_s:.0f} seconds.")
            blocks.append(block)
    except (av.error.FFmpegError, ValueError, EOFError) as exc:
        if not blocks:
            raise AudioInvalid from exc
    if not blocks:
        raise AudioInvalid("The recording holds no sound.")
    return np.concatenate(blocks)


def pcm(data: bytes) -> Samples:
    """Bare 16-bit little-endian samples; an odd byte at the end is left out."""
    return np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.int16)


def floats(samples: Samples) -> NDArray[np.float32]:
    """As models want them, from -1 to 1."""
    return samples.astype(np.float32) / np.float32(32768.0)


def _blocks(av: Any, data: bytes, name: str) -> Iterator[Samples]:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(io.BytesIO(data), format=name, metadata_errors="ignore") as container:
        if not container.streams.audio:
            raise AudioInvalid("The file holds no sound.")
        stream = container.streams.audio[0]
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                continue  # one damaged packet in the middle of a recording
            for frame in frames:
                for part in resampler.resample(frame):
                    yield part.to_ndarray().reshape(-1)
        for part in resampler.resample(None):
            yield part.to_ndarray().reshape(-1)


def _format(data: bytes) -> str:
    for offset, magic, name in _MAGIC:
        if data[offset : offset + len(magic)] == magic:
            return name
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:
        return "aac" if data[1] & 0xF6 == 0xF0 else "mp3"
    raise AudioInvalid
