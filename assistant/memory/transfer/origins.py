"""Which importers there are, and which of them reads a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from assistant.errors import ImportInvalid
from assistant.memory.transfer import (
    anythingllm,
    chatgpt,
    claude,
    khoj,
    letta,
    mem0,
    obsidian,
    openclaw,
    openwebui,
)
from assistant.memory.transfer.archive import Archive
from assistant.memory.transfer.records import Record


class Importer(Protocol):
    """A module that reads one program's files."""

    LABEL: str
    """The program's name, for people."""

    def reads(self, archive: Archive) -> bool:
        """Whether it knows this file by its contents."""

    def read(self, archive: Archive) -> Iterator[Record]:
        """All that is in it."""


# Asked in this order: what is told by rare marks comes first, any folder of notes last.
IMPORTERS: dict[str, Importer] = {
    "chatgpt": chatgpt,
    "claude": claude,
    "khoj": khoj,
    "letta": letta,
    "openwebui": openwebui,
    "anythingllm": anythingllm,
    "mem0": mem0,
    "openclaw": openclaw,
    "obsidian": obsidian,
}


def importer(archive: Archive, origin: str) -> tuple[str, Importer]:
    """The importer of this origin; for `auto`, the first that knows the file.

    Raises ImportInvalid if none does, or if the named one does not.
    """
    asked = IMPORTERS if origin == "auto" else {origin: IMPORTERS[origin]}
    for name, one in asked.items():
        if one.reads(archive):
            return name, one
    known = ", ".join(one.LABEL for one in IMPORTERS.values())
    raise ImportInvalid(
        "This file is of no program that Nestor knows." if origin == "auto"
        else f"This is not a file of {IMPORTERS[origin].LABEL}.",
        f"Nestor reads its own exports, and those of: {known}.",
    )  # fmt: skip
