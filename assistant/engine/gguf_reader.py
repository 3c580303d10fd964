"""Read the header of a GGUF file, believing no number in it before it was checked.

Layout (ggml, `docs/gguf.md`): magic, version, counts, metadata pairs, tensor infos, padding to
the alignment, tensor data. Everything up to the data is read here, nothing after it.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from assistant.engine import gguf_types as kinds
from assistant.engine.gguf_bytes import MAX_STRING, Cursor
from assistant.errors import ModelInvalid

MAX_PAIRS = 1 << 16
MAX_TENSORS = 1 << 17
MAX_ARRAY = 1 << 22
"""Items; the largest known vocabularies have 300,000 tokens and 600,000 merges."""
MAX_KEY = (1 << 16) - 1
MAX_NAME = 63
"""Bytes of a tensor's name: 64 in ggml with the closing zero."""
INT64_MAX = (1 << 63) - 1

_KEY = re.compile(rb"[A-Za-z0-9_.\-]+")


class Array(NamedTuple):
    """A metadata array: where it lies, its items unread."""

    kind: int
    length: int
    offset: int


Value = int | float | bool | bytes | Array


class Tensor(NamedTuple):
    """One tensor info, checked on its own: dimensions, type and size are sound."""

    name: str
    elements: int
    shape: tuple[int, ...]
    kind: kinds.TensorType
    offset: int
    """From the start of the data."""
    size: int
    """Bytes."""


class Header(Cursor):
    """Everything before the tensor data, structurally checked. Raises ModelInvalid."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        super().__init__(file, size)
        self.version, tensors, pairs = self._counts()
        self.metadata = self._metadata(pairs)
        self.alignment = self._alignment()
        self.tensors = [self._tensor() for _ in range(tensors)]
        self.data_start = _padded(self._at, self.alignment)
        self._check_layout()

    def _counts(self) -> tuple[int, int, int]:
        if self.size < 24:
            raise ModelInvalid("The file is too short to be a GGUF file.")
        magic = self._take(4, "magic")
        if magic != b"GGUF":
            raise ModelInvalid("The file is not a GGUF file: it does not begin with GGUF.")
        version = int(self._number("I", "version"))
        if version in (1 << 24, 2 << 24, 3 << 24):
            raise ModelInvalid("The file is a big-endian GGUF, which cannot be read here.")
        if version not in (2, 3):
            raise ModelInvalid(f"GGUF version {version} cannot be read, only 2 and 3.")
        tensors = int(self._number("Q", "tensor count"))
        pairs = int(self._number("Q", "metadata count"))
        # The shortest tensor info has 33 bytes, the shortest pair 14.
        if not 0 < tensors <= MAX_TENSORS or tensors * 33 > self.size:
            raise ModelInvalid(f"The tensor count ({tensors}) cannot be right.")
        if not 0 < pairs <= MAX_PAIRS or pairs * 14 > self.size:
            raise ModelInvalid(f"The metadata count ({pairs}) cannot be right.")
        return version, tensors, pairs

    # --- metadata ----------------------------------------------------------------------------

    def _metadata(self, pairs: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for index in range(pairs):
            length = self._length(f"metadata key {index}", MAX_KEY)
            raw = self._take(length, f"metadata key {index}")
            if not _KEY.fullmatch(raw):
                raise ModelInvalid(f"Metadata key {index} has characters a key cannot have.")
            key = raw.decode("ascii")
            if key in found:
                raise ModelInvalid(f"The metadata key {key[:80]} is there twice.")
            found[key] = self._value(int(self._number("I", key)), key[:80])
        return found

    def _value(self, kind: int, key: str) -> Value:
        if kind == kinds.STRING:
            return self._take(self._length(key, MAX_STRING), key)
        if kind == kinds.ARRAY:
            return self._array(key)
        if kind == kinds.BOOL:
            byte = self._take(1, key)[0]
            if byte > 1:
                raise ModelInvalid(f"The metadata value {key} is neither true nor false.")
            return bool(byte)
        if kind not in kinds.SCALARS:
            raise ModelInvalid(f"The metadata value {key} has an unknown type ({kind}).")
        value = self._number(kinds.SCALARS[kind], key)
        if isinstance(value, float) and math.isnan(value):
            raise ModelInvalid(f"The metadata value {key} is not a number.")
        return value

    def _array(self, key: str) -> Array:
        kind = int(self._number("I", key))
        count = int(self._number("Q", key))
        if kind == kinds.ARRAY:
            raise ModelInvalid(f"The metadata array {key} is nested.")
        if kind != kinds.STRING and kind not in kinds.SCALARS:
            raise ModelInvalid(f"The metadata array {key} has an unknown type ({kind}).")
        item = 8 if kind == kinds.STRING else struct.calcsize("<" + kinds.SCALARS[kind])
        if count > MAX_ARRAY or count * item > self.size - self._at:
            raise ModelInvalid(f"The metadata array {key} is too long ({count}) for the file.")
        start = self._at
        if kind == kinds.STRING:
            self._at = self._strings_end(count, key)
        elif kind == kinds.BOOL:
            if self._take(count, key).translate(None, b"\0\1"):
                raise ModelInvalid(f"The metadata array {key} has values neither true nor false.")
        else:
            self._skip(count * item, key)
        return Array(kind, count, start)

    def strings(self, array: Array) -> Iterator[bytes]:
        """The items of an array of strings."""
        at = array.offset
        for _ in range(array.length):
            length = struct.unpack_from("<Q", self._data, at)[0]
            yield bytes(self._data[at + 8 : at + 8 + length])
            at += 8 + length

    def numbers(self, array: Array) -> tuple[int | float, ...]:
        """The items of an array of numbers."""
        return struct.unpack_from(
            f"<{array.length}{kinds.SCALARS[array.kind]}", self._data, array.offset
        )

    def _alignment(self) -> int:
        value = self.metadata.get("general.alignment", 32)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= 1 << 20:
            raise ModelInvalid("The alignment cannot be right.")
        if value & (value - 1):
            raise ModelInvalid(f"The alignment ({value}) is not a power of two.")
        return value

    # --- tensors -----------------------------------------------------------------------------

    def _tensor(self) -> Tensor:
        raw = self._take(self._length("a tensor's name", MAX_NAME), "a tensor's name")
        if not _KEY.fullmatch(raw):
            raise ModelInvalid("A tensor's name has characters a name cannot have.")
        name = raw.decode("ascii")
        dimensions = int(self._number("I", name))
        if not 1 <= dimensions <= 4:
            raise ModelInvalid(f"The tensor {name} has {dimensions} dimensions, not 1 to 4.")
        shape = tuple(int(self._number("Q", name)) for _ in range(dimensions))
        elements = math.prod(shape)
        if not all(0 < length <= INT64_MAX for length in shape) or elements > INT64_MAX:
            raise ModelInvalid(f"The tensor {name} has dimensions that cannot be right.")
        number = int(self._number("I", name))
        kind = kinds.TENSOR_TYPES.get(number)
        if kind is None:
            raise ModelInvalid(f"The tensor {name} has an unknown type ({number}).")
        if shape[0] % kind.block:
            raise ModelInvalid(f"The rows of tensor {name} are no whole {kind.name} blocks.")
        size = elements // kind.block * kind.size
        if size > self.size:
            raise ModelInvalid(f"The tensor {name} is larger than the file.")
        return Tensor(name, elements, shape, kind, int(self._number("Q", name)), size)

    def _check_layout(self) -> None:
        """Tensors follow each other without gap or overlap, and the file ends where they do."""
        expected, end, seen = 0, 0, set[str]()
        for tensor in self.tensors:
            if tensor.name in seen:
                raise ModelInvalid(f"The tensor {tensor.name} is there twice.")
            seen.add(tensor.name)
            if tensor.offset % self.alignment:
                raise ModelInvalid(f"The tensor {tensor.name} is not aligned.")
            if tensor.offset != expected:
                raise ModelInvalid(
                    f"The tensor {tensor.name} is at {tensor.offset}, but {expected} is next."
                )
            end = expected + tensor.size
            expected = _padded(end, self.alignment)
        missing = self.data_start + end - self.size
        if missing > 0:
            raise ModelInvalid(f"The file is cut off: the last {missing} bytes are missing.")
        extra = self.size - self.data_start - expected
        if extra > 0:
            raise ModelInvalid(f"The file has {extra} bytes after its last tensor.")


def _padded(length: int, alignment: int) -> int:
    return -(-length // alignment) * alignment
