"""HTML: what a reader sees of it, under its headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree, html

from assistant.memory.ingest.faults import DAMAGED, Unreadable
from assistant.memory.ingest.formats.decode import declared_in, decode, meant
from assistant.memory.ingest.formats.headings import Headings
from assistant.memory.ingest.passages import Block, Place, cleaned

_UNSEEN = frozenset({"script", "style", "noscript", "template", "head", "svg", "math", "iframe",
                     "object", "select", "button"})  # fmt: skip
_INLINE = frozenset({"a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del",
                     "dfn", "em", "font", "i", "img", "ins", "kbd", "label", "mark", "q", "s", "samp",
                     "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
                     "input"})  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}


def blocks(data: bytes) -> Iterator[Block]:
    """A block a paragraph, list item, table row or preformatted text. Raises Unreadable."""
    yield from text_blocks(decode(data, declared_in(data)))


def text_blocks(text: str) -> Iterator[Block]:
    """As `blocks`, of HTML that is text already."""
    parser = html.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        root = html.document_fromstring(cleaned(text).encode() or b" ", parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as exc:
        raise Unreadable(DAMAGED) from exc
    yield from _Page(root).blocks()


class _Page:
    """One walk through a document, without recursion: depth costs no stack."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._headings = Headings()
        self._held: list[str] = []
        self._kept = 0
        """Preformatted elements we are in."""
        self._unseen = 0

    def blocks(self) -> Iterator[Block]:
        for event, element in etree.iterwalk(self._root, events=("start", "end")):
            if not isinstance(element.tag, str):
                continue
            step = self._open if event == "start" else self._close
            yield from step(element)
        yield from self._flush()

    def _open(self, element: Any) -> Iterator[Block]:
        tag = element.tag
        if tag in _UNSEEN:
            self._unseen += 1
        elif tag == "br":
            self._held.append("\n")
        elif tag in ("td", "th"):
            self._held.append(" | " if "".join(self._held).strip() else "")
        elif tag not in _INLINE:
            yield from self._flush()
            self._kept += tag == "pre"
            if tag == "li":
                self._held.append("- ")
        self._say(element.text)

    def _close(self, element: Any) -> Iterator[Block]:
        tag = element.tag
        if tag in _UNSEEN:
            self._unseen -= 1
        elif tag in _HEADINGS:
            self._headings.open(_HEADINGS[tag], "".join(self._held))
            yield from self._flush()
        elif tag not in _INLINE and tag not in ("td", "th", "br"):
            yield from self._flush()
            self._kept -= tag == "pre"
        self._say(element.tail)

    def _say(self, text: str | None) -> None:
        if text and not self._unseen:
            text = meant(text)
            self._held.append(text if self._kept else re.sub(r"\s+", " ", text))

    def _flush(self) -> Iterator[Block]:
        text, self._held = "".join(self._held), []
        text = text.strip("\n") if self._kept else _tidy(text)
        if text.strip(" -|\n"):
            yield Block(text, Place(heading=self._headings.path))


def _tidy(text: str) -> str:
    lines = (re.sub(r"[ \t\xa0]+", " ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
