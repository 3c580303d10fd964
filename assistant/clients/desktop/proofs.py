"""Which hotkeys were really heard, down and up, and when: kept across sessions, for `nestor hotkey list`."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import msgspec

from assistant.config import Paths, write_private


class Proof(msgspec.Struct, frozen=True):
    """A real press and release. A proof is of these keys and this backend alone."""

    keys: str
    backend: str
    at: str
    """UTC, ISO 8601."""


class Proofs:
    """By action. A file that cannot be read is none; one that cannot be written changes nothing."""

    def __init__(self, paths: Paths) -> None:
        self._path: Path = paths.state / "hotkeys.json"
        self._lock = threading.Lock()

    def read(self) -> dict[str, Proof]:
        """All there are."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Proof])
        return {}

    def of(self, action: str, keys: str) -> Proof | None:
        """The latest for this action with these keys."""
        found = self.read().get(action)
        return found if found is not None and found.keys == keys else None

    def add(self, action: str, proof: Proof) -> None:
        """This was heard now."""
        with self._lock, contextlib.suppress(OSError):
            write_private(self._path, msgspec.json.encode(self.read() | {action: proof}))
