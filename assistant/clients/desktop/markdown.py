"""Markdown as spans of text with tags, for a Tk text widget; block by block, so that an answer can stream.

What a model wrote stays text: no HTML is read, no picture is loaded, and a link says where it leads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

LINK = "link:"
"""A tag that begins so has the address behind it."""
_SCHEMES = frozenset({"http", "https", "mailto"})
_TAGS = {"strong_open": "bold", "em_open": "italic", "s_open": "struck"}


class Span(msgspec.Struct, frozen=True):
    """A piece of text and the tags it is drawn with."""

    text: str
    tags: tuple[str, ...] = ()


class Block(msgspec.Struct, frozen=True):
    """A paragraph, a list, a table …, with the line of its source that it begins at."""

    line: int
    spans: tuple[Span, ...]

    @property
    def text(self) -> str:
        """As it is read, without tags."""
        return "".join(span.text for span in self.spans)


def blocks(source: str) -> list[Block]:
    """All top-level blocks of a text."""
    found: list[Block] = []
    tokens: list[Any] = []
    for token in _parser().parse(source):
        tokens.append(token)
        if token.level == 0 and token.nesting <= 0:
            line = tokens[0].map[0] if tokens[0].map else 0
            spans = _merged(_Drawing().draw(tokens))
            if spans:
                found.append(Block(line, spans))
            tokens = []
    return found


class Stream:
    """Markdown that grows. Only the last two blocks are read again: what stands before them is final."""

    def __init__(self) -> None:
        self._rest = ""
        self._done = 0

    def add(self, piece: str) -> tuple[int, list[Block]]:
        """How many blocks stay as they are, and those that follow them now."""
        self._rest += piece
        found = blocks(self._rest)
        kept = self._done
        if len(found) > 2:
            self._rest = "\n".join(self._rest.split("\n")[found[-2].line :])
            self._done += len(found) - 2
        return kept, found


def safe(address: str) -> bool:
    """Whether a click may open it."""
    try:
        return urlsplit(address).scheme.lower() in _SCHEMES
    except ValueError:
        return False


def _parser() -> Any:
    from markdown_it import MarkdownIt

    options = {"html": False, "linkify": False, "typographer": False}
    made = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    made.disable(["reference", "html_block", "html_inline"])
    # A link that it would leave as it was written is shown by its text too; `safe` decides.
    made.__dict__["validateLink"] = lambda address: True
    return made


def _merged(spans: Iterator[Span]) -> tuple[Span, ...]:
    """Neighbours with the same tags as one, without empty ones."""
    found: list[Span] = []
    for span in spans:
        if not span.text:
            continue
        if found and found[-1].tags == span.tags:
            found[-1] = Span(found[-1].text + span.text, span.tags)
        else:
            found.append(span)
    return tuple(found)


class _Drawing:
    """One top-level block."""

    def __init__(self) -> None:
        self._lists: list[int | None] = []
        """The number of the next item; None for a list of bullets."""
        self._quotes = 0
        self._marker = ""

    def draw(self, tokens: Sequence[Any]) -> Iterator[Span]:
        at = 0
        while at < len(tokens):
            token = tokens[at]
            if token.type == "table_open":
                end = next(i for i in range(at, len(tokens)) if tokens[i].type == "table_close")
                yield from self._table(tokens[at:end])
                at = end
            else:
                yield from self._token(token, tokens[at - 1] if at else None)
            at += 1

    def _token(self, token: Any, before: Any) -> Iterator[Span]:
        match token.type:
            case "inline":
                yield from self._line(token, before)
            case "fence" | "code_block":
                yield Span(token.content.rstrip("\n") + "\n", ("code", *self._indent()))
            case "hr":
                yield Span("─" * 24 + "\n", ("faint",))
            case "bullet_list_open":
                self._lists.append(None)
            case "ordered_list_open":
                self._lists.append(int(token.attrGet("start") or 1))
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
            case "list_item_open":
                self._marker = self._item()
            case "blockquote_open":
                self._quotes += 1
            case "blockquote_close":
                self._quotes -= 1

    def _item(self) -> str:
        number = self._lists[-1]
        if number is None:
            return "•  "
        self._lists[-1] = number + 1
        return f"{number}.  "

    def _indent(self) -> tuple[str, ...]:
        tags = (f"indent{min(len(self._lists), 4)}",) if self._lists else ()
        return (*tags, "quote") if self._quotes else tags

    def _line(self, token: Any, before: Any) -> Iterator[Span]:
        heading = before is not None and before.type == "heading_open"
        tags = (*self._indent(), *((f"h{min(int(before.tag[1]), 3)}",) if heading else ()))
        marker, self._marker = self._marker, ""
        yield Span(marker, tags)
        yield from _inline(token.children or (), tags)
        yield Span("\n", tags)

    def _table(self, tokens: Sequence[Any]) -> Iterator[Span]:
        """A table as columns of one width, in a fixed font."""
        rows: list[list[str]] = []
        for token in tokens:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                rows[-1].append("".join(span.text for span in _inline(token.children or (), ())))
        widths = [max(len(row[n]) for row in rows if n < len(row)) for n in range(len(rows[0]))]
        for number, row in enumerate(rows):
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
            yield Span(line.rstrip() + "\n", ("code", "bold") if number == 0 else ("code",))


def _inline(children: Sequence[Any], tags: tuple[str, ...]) -> Iterator[Span]:
    held: list[str] = []
    for child in children:
        match child.type:
            case "text" | "html_inline" | "text_special":
                yield Span(child.content, (*tags, *held))
            case "code_inline":
                yield Span(child.content, (*tags, *held, "mono"))
            case "softbreak" | "hardbreak":
                yield Span("\n" if child.type == "hardbreak" else " ", (*tags, *held))
            case "image":
                yield Span(f"[{child.content or 'picture'}]", (*tags, *held, "faint"))
            case "link_open":
                address = str(child.attrGet("href") or "")
                held.append(LINK + address if safe(address) else "faint")
            case name if name in _TAGS:
                held.append(_TAGS[name])
            case name if name.endswith("_close") and held:
                held.pop()
