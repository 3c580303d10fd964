"""What a disk holds after a power cut: everything synced, and of the rest whatever it liked.

Pure: from the recording that disk.c wrote to the files as they would be found. A write that was not
synced is kept, lost, or torn at a multiple of 512 or of 4,096 bytes, each for itself. Names follow a
journal: of those that were made, changed or removed since the folder was synced, the first few hold.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

_HEAD = struct.Struct("<IIQQ")
SECTORS = (512, 4096)


class Call(IntEnum):
    """As disk.c numbers them."""

    READ = 1
    WRITE = 2
    SYNC = 3
    TRUNCATE = 4
    CREATE = 5
    REMOVE = 6
    RENAME = 7
    LINK = 8


class Op(NamedTuple):
    """One call, in the order in which they were made."""

    op: int
    path: str
    offset: int
    data: bytes
    """What was written; the new name of a renaming or a link."""


def read(log: bytes) -> list[Op]:
    """The recording; half a last record, of a process that was killed, counts as not done."""
    ops, at = [], 0
    while at + _HEAD.size <= len(log):
        op, path_bytes, offset, length = _HEAD.unpack_from(log, at)
        at += _HEAD.size
        data_bytes = length if op in (Call.WRITE, Call.RENAME, Call.LINK) else 0
        if at + path_bytes + data_bytes > len(log):
            break
        path = log[at : at + path_bytes].decode()
        at += path_bytes
        ops.append(Op(op, path, offset, log[at : at + data_bytes]))
        at += data_bytes
    return ops


class _Node:
    """A file, whatever its name: what is safe, and what was done to it since."""

    def __init__(self) -> None:
        self.safe = bytearray()
        self.pending: list[Op] = []

    def sync(self) -> None:
        for op in self.pending:
            _apply(self.safe, op)
        self.pending = []

    def found(self, chance: random.Random) -> bytes:
        content = bytearray(self.safe)
        for op in self.pending:
            for part in _survivors(op, chance):
                _apply(content, part)
        return bytes(content)


_Names = dict[str, _Node]


class Disk:
    """Follows a recording; `found` is what a cut at this moment would leave."""

    def __init__(self) -> None:
        self._names: _Names = {}
        self._safe: _Names = {}
        self._changes: list[tuple[str, Callable[[_Names], None]]] = []

    def do(self, op: Op) -> None:
        """The next call."""
        match op.op:
            case Call.CREATE:
                node = _Node()
                self._change(op.path, lambda names: names.__setitem__(op.path, node))
            case Call.REMOVE:
                self._change(op.path, lambda names: names.pop(op.path, None))
            case Call.RENAME | Call.LINK:
                node, to = self._names[op.path], op.data.decode()

                def name(names: _Names) -> None:
                    if op.op == Call.RENAME:
                        names.pop(op.path, None)
                    names[to] = node

                self._change(op.path, name)
            case Call.SYNC if op.path in self._names:
                self._names[op.path].sync()
            case Call.SYNC:
                self._sync_folder(op.path)
            case _:
                self._names[op.path].pending.append(op)

    def found(self, chance: random.Random) -> dict[str, bytes]:
        """Path → content, for every name that is found again."""
        names = dict(self._safe)
        for _, change in self._changes[: chance.randint(0, len(self._changes))]:
            change(names)
        return {path: node.found(chance) for path, node in names.items()}

    def _change(self, path: str, change: Callable[[_Names], None]) -> None:
        change(self._names)
        self._changes.append((path, change))

    def _sync_folder(self, folder: str) -> None:
        left = []
        for path, change in self._changes:
            if str(Path(path).parent) == folder.rstrip("/"):
                change(self._safe)
            else:
                left.append((path, change))
        self._changes = left


def cuts(
    ops: Sequence[Op], count: int, chance: random.Random
) -> Iterator[tuple[int, dict[str, bytes]]]:
    """`count` cuts at random moments of the recording, in order: ops done, and what is found."""
    moments = sorted(chance.randint(1, len(ops)) for _ in range(count))
    disk, done = Disk(), 0
    for moment in moments:
        for op in ops[done:moment]:
            disk.do(op)
        done = moment
        yield moment, disk.found(chance)


def _survivors(op: Op, chance: random.Random) -> list[Op]:
    fate = chance.random()
    if fate < 0.35:
        return []
    if fate < 0.65 or op.op == Call.TRUNCATE:
        return [op]
    sector = chance.choice(SECTORS)
    first = op.offset // sector
    last = (op.offset + len(op.data) - 1) // sector
    parts = []
    for number in range(first, last + 1):
        begin = max(0, number * sector - op.offset)
        end = min(len(op.data), (number + 1) * sector - op.offset)
        if chance.random() < 0.5:
            parts.append(Op(Call.WRITE, op.path, op.offset + begin, op.data[begin:end]))
    return parts


def _apply(content: bytearray, op: Op) -> None:
    if op.op == Call.TRUNCATE:
        del content[op.offset :]
        content.extend(bytes(op.offset - len(content)))
        return
    content.extend(bytes(max(0, op.offset - len(content))))
    content[op.offset : op.offset + len(op.data)] = op.data
