"""What importers give: conversations, notes, and what they left out and why. All frozen, all checked."""

from __future__ import annotations

from typing import Literal

import msgspec

from assistant.types import Trust

Speaker = Literal["user", "assistant"]


class Said(msgspec.Struct, frozen=True):
    """One message of a conversation."""

    id: str
    """The other program's, or its place in the conversation: the same in every export."""
    role: Speaker
    text: str
    at: str | None = None
    """As `types.timestamp` writes it; None where the file does not say."""
    model: str = ""


class Chat(msgspec.Struct, frozen=True):
    """A conversation, its messages in order."""

    id: str
    """The same in every export."""
    title: str
    place: str
    """Where in the file, in words for the user."""
    messages: tuple[Said, ...]
    created_at: str | None = None
    updated_at: str | None = None
    linear: bool = False
    """Its program keeps one way only: what is new in it belongs below what came in before."""


class Note(msgspec.Struct, frozen=True):
    """A text to remember. It comes in as a note, never as a fact: that takes the user's yes."""

    id: str
    """The same in every export."""
    text: str
    place: str
    trust: Trust
    """`model` for what another assistant wrote down, `file` for what the user did."""
    said_at: str | None = None
    thread: str = ""
    """Notes of one thread are neighbours of each other."""


class Skipped(msgspec.Struct, frozen=True):
    """Something that is not imported."""

    what: str
    place: str
    why: str


Record = Chat | Note | Skipped
