"""What travels between the daemon and a child: msgpack values behind a four-byte length.

    daemon → child   Request   start a call
                     Cancel    its caller left
    child → daemon   Ready     imported and listening
                     Beat      still alive, every BEAT_S seconds, with the memory in use
                     Item      one piece of a call's answer
                     End       the call's last frame when it went well
                     Fault     the call's last frame when it did not

A child that reads end-of-file has lost its daemon and exits.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from assistant.config import LIMITS
from assistant.errors import ChildCrashed

BEAT_S = 1.0


class Request(msgspec.Struct, frozen=True, tag="request"):
    """Start a call."""

    call: int
    method: str
    payload: Any


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """The caller left; the call ends as soon as it can."""

    call: int


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The child is listening."""

    pid: int


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """The child is alive."""

    rss_bytes: int
    report: dict[str, Any] = {}
    """What else it says of itself."""


class Item(msgspec.Struct, frozen=True, tag="item"):
    """One piece of an answer."""

    call: int
    payload: Any


class End(msgspec.Struct, frozen=True, tag="end"):
    """The answer is complete."""

    call: int


class Fault(msgspec.Struct, frozen=True, tag="fault"):
    """The call failed; the fields are an AssistantError's."""

    call: int
    code: str
    message: str
    hint: str


Frame = Request | Cancel | Ready | Beat | Item | End | Fault

_HEADER = struct.Struct("<I")
HEADER_BYTES = _HEADER.size
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


def pack(frame: Frame) -> bytes:
    """A frame as bytes. Raises ChildCrashed if it is over the limit: neither side could read it."""
    body = _encoder.encode(frame)
    if len(body) > LIMITS.frame_bytes:
        raise ChildCrashed("A message to a helper process is too large.")
    return _HEADER.pack(len(body)) + body


def body_length(header: bytes) -> int:
    """How many bytes follow. Raises ChildCrashed if that cannot be: the stream is out of step."""
    (length,) = _HEADER.unpack(header)
    if not 0 < length <= LIMITS.frame_bytes:
        raise ChildCrashed("A helper process sent a frame that cannot be.")
    return int(length)


def unpack(body: bytes) -> Frame:
    """The frame in a body. Raises ChildCrashed if it is none of ours."""
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as exc:
        raise ChildCrashed("A helper process sent a frame that cannot be read.") from exc


class Splitter:
    """Cuts what came through a pipe into frames, however it was cut up on the way."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that these bytes complete. Raises ChildCrashed as `unpack`."""
        self._rest += data
        while len(self._rest) >= HEADER_BYTES:
            end = HEADER_BYTES + body_length(bytes(self._rest[:HEADER_BYTES]))
            if len(self._rest) < end:
                return
            body = bytes(self._rest[HEADER_BYTES:end])
            del self._rest[:end]
            yield unpack(body)


def read(stream: BinaryIO) -> Frame | None:
    """The next frame of a blocking stream; None at its end, a half frame included."""
    header = stream.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        return None
    body = stream.read(length := body_length(header))
    return unpack(body) if len(body) == length else None
