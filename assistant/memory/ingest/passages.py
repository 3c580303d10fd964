"""What a format's reader yields, what is remembered of it, and how its place is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from assistant.config import LIMITS


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where in a file a passage stands. What a format does not have is left out."""

    page: int = 0
    """From 1."""
    heading: str = ""
    """The headings it stands under, outermost first."""
    lines: tuple[int, int] | None = None
    """First and last line, from 1."""
    message: str = ""
    """Message-ID of an e-mail."""
    subject: str = ""
    sender: str = ""
    event: str = ""
    """When an event begins or a task is due, ISO 8601 as the calendar has it."""
    uid: str = ""
    contact: str = ""

    def words(self) -> str:
        """For people: `page 3`, `“Porto”, lines 10-24`."""
        parts = []
        if self.page:
            parts.append(f"page {self.page}")
        if self.heading:
            parts.append(f"“{_short(self.heading)}”")
        if self.lines:
            first, last = self.lines
            parts.append(f"line {first}" if first == last else f"lines {first}-{last}")
        if self.subject or self.sender:
            parts.append(f"mail “{_short(self.subject)}” from {_short(self.sender)}")
        if self.event:
            parts.append(f"event of {self.event}")
        if self.contact:
            parts.append(f"contact {_short(self.contact)}")
        return ", ".join(parts)


class Block(msgspec.Struct, frozen=True):
    """A paragraph, a page, a function, a message: text that its format holds together."""

    text: str
    place: Place = Place()
    said_at: str = ""
    """When it was said or takes place, ISO 8601; empty: when the file was changed."""
    apart: bool = False
    """Never shares a passage with its neighbours: an event, a contact."""


class Passage(msgspec.Struct, frozen=True):
    """A piece of a file's text, as it is remembered."""

    text: str
    place: Place
    said_at: str = ""


def label(name: str, place: Place) -> str:
    """`Trip/porto.md, “Food”, lines 10-24`, within the limit for a source's name."""
    where = place.words()
    tail = f", {where}" if where else ""
    tail = tail[: LIMITS.title_chars // 2]
    room = LIMITS.title_chars - len(tail)
    if len(name) > room:
        name = "…" + name[len(name) - room + 1 :]
    return _plain(name + tail)


def data(place: Place) -> dict[str, Any]:
    """As sent and stored."""
    built: dict[str, Any] = msgspec.to_builtins(place)
    return built


def cleaned(text: str) -> str:
    """Text that can be stored: no NUL, no lone surrogate, every line end a line feed."""
    if "\0" in text:
        text = text.replace("\0", "")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii():
        text = text.encode("utf-8", "ignore").decode()
    return text


def paragraphs(text: str, first: int = 1) -> Iterator[tuple[str, tuple[int, int]]]:
    """Runs of lines without an empty one, each with its lines' numbers; `first` is the first's."""
    held: list[str] = []
    number = first
    for number, line in enumerate(text.split("\n"), first):
        if line.strip():
            held.append(line)
        elif held:
            yield "\n".join(held), (number - len(held), number - 1)
            held = []
    if held:
        yield "\n".join(held), (number - len(held) + 1, number)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _plain(text: str) -> str:
    return " ".join(text.split())
