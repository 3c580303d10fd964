"""Plain text: paragraphs with their lines."""

from __future__ import annotations

from collections.abc import Iterator

from assistant.memory.ingest.formats.decode import decode
from assistant.memory.ingest.passages import Block, Place, cleaned, paragraphs


def blocks(data: bytes) -> Iterator[Block]:
    """A block a paragraph. Raises Unreadable."""
    for text, lines in paragraphs(cleaned(decode(data))):
        yield Block(text, Place(lines=lines))
