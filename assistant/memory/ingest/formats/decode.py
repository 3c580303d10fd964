"""Bytes to text: byte order mark, UTF-8, else what the bytes look like."""

from __future__ import annotations

import codecs
import contextlib
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
_LATIN = frozenset({"iso8859-1", "iso8859-9", "iso8859-15", "cp1252"})
_WINDOWS = {n: char for n in range(128, 160) if (char := bytes([n]).decode(WESTERN, "ignore"))}
"""What programs of Windows mean by control characters, whatever charset they name: €, “ and their like."""
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949",
          "big5": "big5hkscs"}  # fmt: skip
"""Charsets that are named where more than they have is used."""
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)


def decode(data: bytes, declared: str = "") -> str:
    """The text of a file. Raises Unreadable where it is no text."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    nul, wide = b"\0" in data[:SAMPLE_BYTES], _is_wide(declared)
    # What says it has two bytes a character may have one, and only those of two have a NUL.
    if nul == wide and (text := _as_declared(data, declared)) is not None:
        return text
    if nul:
        raise Unreadable("It is not a text file.")
    try:
        return data.decode()
    except UnicodeDecodeError:
        if wide and (text := _as_declared(data, declared)) is not None:
            return text
        if _codec(declared) == "ascii" and sum(byte > 127 for byte in data) < len(data) / 4:
            return meant(data.decode("latin-1"))
        return data.decode(_looks_like(data), "replace")


def declared_in(data: bytes) -> str:
    """The charset that an HTML or XML file names in its first kilobytes; empty: none."""
    found = _DECLARED.search(data[:4096])
    return found.group(1).decode("ascii", "replace") if found else ""


def meant(text: str) -> str:
    """With what is meant by control characters that nobody writes."""
    return text if text.isascii() else text.translate(_WINDOWS)


def _codec(name: str) -> str:
    """What Python calls this charset; empty: it has none."""
    try:
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""


def _is_wide(name: str) -> bool:
    return _codec(name).startswith(("utf-16", "utf-32"))


def _as_declared(data: bytes, name: str) -> str | None:
    codec = _codec(name)
    if codec in _LATIN:
        return meant(data.decode("latin-1" if codec == WESTERN else codec))
    for tried in (codec, _WIDER.get(codec)):
        if tried:
            with contextlib.suppress(LookupError, ValueError):
                return data.decode(tried)
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
