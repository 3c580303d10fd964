"""Bytes to text: byte order mark, UTF-8, else what the bytes look like."""

from __future__ import annotations

import codecs
import re

import charset_normalizer

from assistant.memory.ingest.faults import Unreadable

SAMPLE_BYTES = 64 << 10
WESTERN, COMMON = "cp1252", 0.2
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)


def decode(data: bytes, declared: str = "") -> str:
    """The text of a file. Raises Unreadable where it is no text."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if b"\0" in data[:SAMPLE_BYTES]:
        raise Unreadable("It is not a text file.")
    if declared and (text := _as_declared(data, declared)) is not None:
        return text
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode(_looks_like(data), "replace")


def declared_in(data: bytes) -> str:
    """The charset that an HTML or XML file names in its first kilobytes; empty: none."""
    found = _DECLARED.search(data[:4096])
    return found.group(1).decode("ascii", "replace") if found else ""


def _as_declared(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except (LookupError, UnicodeError, ValueError):
        return None


def _looks_like(data: bytes) -> str:
    # Around the first byte that is not ASCII: a plain beginning says nothing.
    at = next((i for i, byte in enumerate(data) if byte > 127), 0)
    sample = data[max(0, at - SAMPLE_BYTES // 4) : at + SAMPLE_BYTES]
    found = list(charset_normalizer.from_bytes(sample, threshold=0.3))
    if not found:
        return WESTERN
    sense = [one.coherence - one.chaos for one in found]
    western = [
        s for s, one in zip(sense, found, strict=True) if WESTERN in one.could_be_from_charset
    ]
    # A short text fits many: then the commonest, unless another makes clearly more sense.
    if western and max(western) + COMMON >= max(sense):
        return WESTERN
    return found[0].encoding
