"""Markdown (CommonMark and tables): blocks under their headings, in the words of the source."""

from __future__ import annotations

from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from assistant.memory.ingest.formats.decode import decode
from assistant.memory.ingest.formats.headings import Headings
from assistant.memory.ingest.passages import Block, Place, cleaned

# Blocks alone are wanted: what stands inside a paragraph is quoted as it is.
_parser = MarkdownIt("commonmark").enable("table")
_parser.core.ruler.disable(["inline"])


def blocks(data: bytes) -> Iterator[Block]:
    """A block a paragraph, list, table or fence. Raises Unreadable."""
    text = cleaned(decode(data))
    lines = text.split("\n")
    headings = Headings()
    tokens = _parser.parse(text)
    for at, token in enumerate(tokens):
        if token.level or token.map is None or token.nesting < 0:
            continue
        first, last = _span(token, lines)
        if token.type == "heading_open":
            headings.open(int(token.tag[1]), tokens[at + 1].content)
        yield Block(
            "\n".join(lines[first:last]), Place(heading=headings.path, lines=(first + 1, last))
        )


def _span(token: Token, lines: list[str]) -> tuple[int, int]:
    """Its lines, from 0, without the empty ones at its end."""
    first, last = token.map or [0, 0]
    while last > first + 1 and not lines[last - 1].strip():
        last -= 1
    return first, last
