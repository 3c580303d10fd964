"""Nestor's own file: everything remembered, as JSON Lines under gzip. Also described in the README.

The first line is the header:

    {"nestor": "export", "format": 1, "made_at": "…", "made_by": "0.1.0", "schema": ["m001_memory", …],
     "tables": {"memories": {"columns": ["id", …], "rows": 3}, …}}

Each further line is one row, in an order in which nothing refers to what comes later:

    {"table": "memories", "row": {"id": "m_…", "text": "…", "content_hash": {"base64": "…"}, …},
     "vectors": [{"model": "…", "dim": 384, "vector": "<base64 of float16, little endian>"}]}

Values are those of the database: text, numbers, null; bytes as `{"base64": …}`. A column that names
a row by its place in the database has that row's id in its stead. After every CHECK_ROWS rows, and
at the end, stands the SHA-256 of all row lines so far, line feeds included:

    {"check": {"rows": 10000, "sha256": "…"}}
    {"end": {"rows": 10003, "sha256": "…", "header": "<SHA-256 of the first line>"}}

So two exports of the same memory have the same `end.sha256`, whenever they were made.
A program refuses a file whose `format` it does not know, and tables or columns it does not have.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import msgspec

from assistant.config import LIMITS
from assistant.errors import AssistantError, ImportInvalid, ImportNewer, PasswordNeeded
from assistant.memory.transfer import seal

FORMAT = 1
CHECK_ROWS = 10_000
PIECE_BYTES = 1 << 16
GZIP = b"\x1f\x8b"


class Shape(msgspec.Struct, frozen=True):
    """One table in a header."""

    columns: tuple[str, ...]
    rows: int


class Header(msgspec.Struct, frozen=True):
    """The first line."""

    nestor: str
    format: int
    made_at: str = ""
    made_by: str = ""
    schema: tuple[str, ...] = ()
    tables: dict[str, Shape] = {}


class Vector(msgspec.Struct, frozen=True):
    """A memory's vector."""

    model: str
    dim: int
    vector: bytes


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of one table."""

    table: str
    row: dict[str, Any]
    vectors: tuple[Vector, ...] = ()


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """The hash of all row lines so far; `header` only in the last line."""

    rows: int
    sha256: str
    header: str = ""


class _Line(msgspec.Struct, frozen=True):
    table: str = ""
    row: dict[str, Any] = {}
    vectors: tuple[Vector, ...] = ()
    check: Check | None = None
    end: Check | None = None


_encode = msgspec.json.Encoder().encode
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_header = msgspec.json.Decoder(Header).decode


def written(header: Header, rows: Iterable[Row]) -> Iterator[bytes]:
    """The file's lines, not yet compressed."""
    first = _encode(header) + b"\n"
    yield first
    running = hashlib.sha256()
    count = 0
    for count, row in enumerate(rows, 1):
        line = _encode(row) + b"\n"
        running.update(line)
        yield line
        if not count % CHECK_ROWS:
            yield _encode({"check": Check(count, running.hexdigest())}) + b"\n"
    end = Check(count, running.hexdigest(), hashlib.sha256(first).hexdigest())
    yield _encode({"end": end}) + b"\n"


def packed(lines: Iterable[bytes], password: str = "") -> Iterator[bytes]:
    """The bytes of the file: compressed, and sealed if there is a password."""
    pieces = _gzipped(lines)
    return seal.sealed(pieces, password) if password else pieces


def _gzipped(lines: Iterable[bytes]) -> Iterator[bytes]:
    # Level 1: most of a file is vectors, which no level makes much smaller.
    squeeze = zlib.compressobj(1, zlib.DEFLATED, 31)
    waiting = bytearray()
    for line in lines:
        waiting += squeeze.compress(line)
        if len(waiting) >= PIECE_BYTES:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting) + squeeze.flush()


def is_ours(start: bytes) -> bool:
    """Whether a file that begins so may be one of ours; `read` finds out."""
    if start.startswith(seal.MAGIC):
        return True
    if start.startswith(GZIP):
        try:
            start = zlib.decompressobj(31).decompress(start, 64)
        except zlib.error:
            return False
    return start.startswith(b'{"nestor":"export"')


class Reader:
    """One pass over a file. Raises ImportInvalid, ImportNewer or PasswordWrong where it stands."""

    def __init__(self, file: BinaryIO, password: str = "") -> None:
        self._lines = _lines(file, password)
        self._first = next(self._lines, b"")
        self.header = _header(self._first)
        self.sha256 = ""
        """Of all row lines, once they were read."""

    def __iter__(self) -> Iterator[Row]:
        """The rows; the hashes are compared on the way."""
        running = hashlib.sha256()
        count = checked = 0
        for number, raw in enumerate(self._lines, 2):
            line = _parse(raw, number)
            if line.table:
                count += 1
                running.update(raw)
                yield Row(line.table, line.row, line.vectors)
            elif line.check or line.end:
                self._compare(line.check or line.end, count, checked, running.hexdigest())
                checked = count
                if line.end:
                    return self._finish(line.end, running.hexdigest())
            else:
                raise ImportInvalid(f"Line {number:,} of the file is not of an export.")
        raise ImportInvalid(f"The file is cut off after {count:,} rows.")

    def _compare(self, told: Check | None, count: int, checked: int, found: str) -> None:
        if told is None or told.rows != count or told.sha256 != found:
            raise ImportInvalid(
                f"The file is damaged: rows {checked + 1:,} to {count:,} are not as they were written."
            )

    def _finish(self, end: Check, found: str) -> None:
        if end.header != hashlib.sha256(self._first).hexdigest():
            raise ImportInvalid("The file is damaged: its first line is not as it was written.")
        if next(self._lines, b""):
            raise ImportInvalid("The file goes on after its end.")
        self.sha256 = found


def value(found: Any) -> Any:
    """A value of a row as the database takes it. Raises ImportInvalid."""
    match found:
        case None | str() | int() | float():
            return found
        case {"base64": str(text)} if len(found) == 1:
            try:
                return msgspec.convert(text, bytes)
            except msgspec.ValidationError as exc:
                raise ImportInvalid("A row has bytes that are not base64.") from exc
    raise ImportInvalid("A row has a value that no database holds.")


def told(stored: Any) -> Any:
    """A value of the database as a row has it."""
    return {"base64": stored} if isinstance(stored, bytes) else stored


def values(row: Mapping[str, Any]) -> dict[str, Any]:
    """As `value`, for a whole row."""
    return {name: value(found) for name, found in row.items()}


def _header(first: bytes) -> Header:
    try:
        header = _decode_header(first)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ImportInvalid("This is no export of Nestor's: its first line is no header.") from exc
    if header.nestor != "export":
        raise ImportInvalid("This is no export of Nestor's.")
    if header.format > FORMAT:
        raise ImportNewer(f"This file has format {header.format}; this Nestor reads {FORMAT}.")
    return header


def _parse(raw: bytes, number: int) -> _Line:
    try:
        return _decode_line(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ImportInvalid(f"The file is damaged at line {number:,}.") from exc


def _lines(file: BinaryIO, password: str) -> Iterator[bytes]:
    start = file.read(len(seal.MAGIC))
    file.seek(0)
    content: io.BufferedIOBase | BinaryIO = file
    if start.startswith(seal.MAGIC):
        if not password:
            raise PasswordNeeded
        content = io.BufferedReader(seal.Unsealed(file, password), PIECE_BYTES)
        start = content.peek(2)[:2]
    if start.startswith(GZIP):
        content = gzip.GzipFile(fileobj=content, mode="rb")
    most = LIMITS.export_line_bytes
    while True:
        try:
            line = content.readline(most + 1)
        except (OSError, EOFError, zlib.error) as exc:
            if isinstance(exc, AssistantError):
                raise
            raise ImportInvalid(
                f"The file is damaged or cut off near byte {file.tell():,}."
            ) from exc
        if not line:
            return
        if len(line) > most:
            raise ImportInvalid(f"A line of the file is longer than {most:,} bytes.")
        yield line
