"""A form with a file (multipart/form-data, RFC 7578), read in memory: a recording never touches a disk.

Starlette's own parser puts files over a megabyte into a temporary file.
"""

from __future__ import annotations

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from assistant.errors import InvalidInput, UnsupportedMedia

KIND = b"multipart/form-data"
MOST_PARTS = 32
HEADER_BYTES = 4_096
"""Of one part."""


class Form(msgspec.Struct, frozen=True):
    """Its fields as text, lists where a name comes more than once; its files as bytes."""

    fields: dict[str, list[str]]
    files: dict[str, bytes]


def parse(content_type: str, body: bytes) -> Form:
    """Raises UnsupportedMedia, and InvalidInput where it is no form or has too many parts."""
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != KIND or not 0 < len(boundary) <= 70:
        raise UnsupportedMedia("The body is not a form.", "Send multipart/form-data.")
    reader = _Reader()
    try:
        parser = MultipartParser(boundary, reader.callbacks())  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except (FormParserError, UnicodeDecodeError) as exc:
        raise InvalidInput(
            "The form cannot be read.", "Send it whole, as its boundary says."
        ) from exc
    if not reader.ended:
        raise InvalidInput("The form is cut off.", "Send it whole.")
    return Form(reader.fields, reader.files)


class _Reader:
    def __init__(self) -> None:
        self.fields: dict[str, list[str]] = {}
        self.files: dict[str, bytes] = {}
        self.ended = False
        self._parts = 0
        self._data: list[bytes] = []
        self._header, self._value, self._size = b"", b"", 0
        self._disposition = b""

    def callbacks(self) -> dict[str, object]:
        names = ("part_begin", "part_data", "part_end", "header_field", "header_value",
                 "header_end", "end")  # fmt: skip
        return {f"on_{name}": getattr(self, name) for name in names}

    def part_begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise InvalidInput(f"The form has more than {MOST_PARTS} parts.")
        self._data, self._size, self._disposition = [], 0, b""

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += self._bounded(data[start:end])

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += self._bounded(data[start:end])

    def header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def part_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def part_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode()
        if not name:
            raise InvalidInput("A part of the form has no name.")
        value = b"".join(self._data)
        if b"filename" in options:
            if name in self.files:
                raise InvalidInput(f"`{name[:40]}`: one file is read, not more.")
            self.files[name] = value
        else:
            self.fields.setdefault(name, []).append(value.decode())

    def end(self) -> None:
        self.ended = True

    def _bounded(self, piece: bytes) -> bytes:
        self._size += len(piece)
        if self._size > HEADER_BYTES:
            raise InvalidInput("A part of the form has too large headers.")
        return piece
