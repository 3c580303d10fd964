"""The elements of a JSON array, one after another: a file of any size, in constant memory.

An element that is broken is told apart and the next one is read, which no parser of whole documents
does; exports that were cut off still give what is in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from assistant.config import LIMITS
from assistant.errors import ImportInvalid
from assistant.memory.transfer.fields import parsed

READ_BYTES = 1 << 18
_SPACE = b" \t\r\n"
# A string that ends, a bracket or comma outside strings, or a string that goes on behind what was read.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],]|"', re.DOTALL)


class Broken(msgspec.Struct, frozen=True):
    """An element that cannot be read."""

    why: str


def elements(file: BinaryIO) -> Iterator[Any | Broken]:
    """The elements of the array that is the file, or the file's one other value.

    Raises ImportInvalid if it does not begin like JSON at all.
    """
    head = _skip(file.read(READ_BYTES).removeprefix(b"\xef\xbb\xbf"))
    if head[:1] != b"[":
        yield _whole(head, file)
        return
    yield from _array(head[1:], file)


def lines(file: BinaryIO) -> Iterator[Any | Broken]:
    """The values of JSON Lines."""
    most = LIMITS.import_record_bytes
    while line := file.readline(most + 1):
        if len(line) > most:
            while line and not line.endswith(b"\n"):
                line = file.readline(READ_BYTES)
            yield Broken(f"it is larger than {most:,} bytes")
        elif line.strip():
            yield _value(line)


def _array(buffer: bytes, file: BinaryIO) -> Iterator[Any | Broken]:
    depth, start, at = 0, 0, 0
    too_large = False
    while True:
        for token in _TOKEN.finditer(buffer, at):
            kind = token.group()[:1]
            if kind == b'"':
                if len(token.group()) == 1:
                    break  # goes on behind what was read
            elif kind in b"{[":
                depth += 1
            elif kind == b"," and not depth:
                yield from _element(buffer[start : token.start()], too_large)
                start, too_large = token.end(), False
            elif kind in b"}]":
                if not depth:
                    yield from _element(buffer[start : token.start()], too_large)
                    return
                depth -= 1
            at = token.end()
        else:
            at = max(at, len(buffer))
        if len(buffer) - start > LIMITS.import_record_bytes:
            too_large, start = True, at
        more = file.read(READ_BYTES)
        buffer, at, start = buffer[start:] + more, at - start, 0
        if not more:
            if buffer.strip(_SPACE):
                yield Broken("the file is cut off in it")
            return


def _element(raw: bytes, too_large: bool) -> Iterator[Any | Broken]:
    if too_large:
        yield Broken(f"it is larger than {LIMITS.import_record_bytes:,} bytes")
    elif raw.strip(_SPACE):
        yield _value(raw)


def _value(raw: bytes) -> Any | Broken:
    try:
        return parsed(raw)
    except ValueError:
        return Broken("it is not valid JSON")


def _whole(head: bytes, file: BinaryIO) -> Any:
    most = LIMITS.import_record_bytes
    raw = head + file.read(most + 1 - len(head))
    if len(raw) > most:
        raise ImportInvalid(f"The JSON value is larger than {most:,} bytes.")
    try:
        return parsed(raw)
    except ValueError as exc:
        raise ImportInvalid("The file is not valid JSON, or it is cut off.") from exc


def _skip(raw: bytes) -> bytes:
    return raw.lstrip(_SPACE)
