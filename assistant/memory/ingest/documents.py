"""What travels between the daemon and the reading process."""

from __future__ import annotations

import msgspec

from assistant.memory.ingest.passages import Passage

READER = 2
"""Raised when a format's reader gets better: files read by an older one are read again."""


class Document(msgspec.Struct, frozen=True):
    """A file, or one message of a mailbox."""

    format: str
    data: bytes


class Part(msgspec.Struct, frozen=True):
    """Some of a document's passages; the last part says so, and what was wrong if something was."""

    passages: tuple[Passage, ...] = ()
    last: bool = False
    problem: str = ""
