"""Word documents (Office Open XML): paragraphs and tables under their headings, as they read now.

That is with tracked insertions and without deletions, and whatever content controls, text boxes and
tables in tables hold; footnotes come last.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Set
from typing import Any

import docx
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml
from docx.text.paragraph import Paragraph
from lxml import etree

from assistant.config import LIMITS
from assistant.memory.ingest.faults import DAMAGED, PROTECTED, TOO_BIG, Unreadable
from assistant.memory.ingest.formats.headings import Headings
from assistant.memory.ingest.passages import Block, Place

_ENTRIES = 10_000
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""What an encrypted document is wrapped in."""
_HEADING = re.compile(r"(?:heading|überschrift|titre|título|titolo|kop)\s*(\d)", re.IGNORECASE)


_PARAGRAPH, _TABLE, _ROW, _CELL = qn("w:p"), qn("w:tbl"), qn("w:tr"), qn("w:tc")
_BOX, _CONTROL, _TEXT, _FORMULA = qn("w:txbxContent"), qn("w:sdt"), qn("w:t"), qn("m:t")
_EITHER = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
_SPACES = {qn("w:tab"): "\t", qn("w:ptab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n",
           qn("w:noBreakHyphen"): "-"}  # fmt: skip
_SAID = frozenset({_TEXT, _FORMULA, *_SPACES})
_PARTS = frozenset({_PARAGRAPH, _TABLE})
_UNSEEN = frozenset(
    map(qn, ("w:del", "w:moveFrom", "w:pPr", "w:rPr", "w:sdtPr", "w:tblPr", "w:rt"))
)
"""What is gone, is about the look, or is how a word is spoken; a box is read after its paragraph."""
_OFF = ("0", "false", "off")
_NOTES = ("/footnotes", "/endnotes")


def blocks(data: bytes) -> Iterator[Block]:
    """A block a paragraph or table row. Raises Unreadable."""
    _check_archive(data)
    try:
        document = docx.Document(io.BytesIO(data))
        body = document.element.body
    except (KeyError, ValueError, zipfile.BadZipFile, etree.XMLSyntaxError) as exc:
        raise Unreadable(DAMAGED) from exc
    yield from _Reading(document).blocks(body)
    for relation in document.part.rels.values():
        if relation.reltype.endswith(_NOTES) and not relation.is_external:
            yield from _Reading(document).blocks(parse_xml(relation.target_part.blob))


def _check_archive(data: bytes) -> None:
    """Raise Unreadable unless it unpacks to what a document may."""
    if data.startswith(_OLE):
        raise Unreadable(PROTECTED)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as exc:
        raise Unreadable(DAMAGED) from exc
    # zipfile reads no more of an entry than its header says, so the sum holds.
    if len(entries) > _ENTRIES or sum(e.file_size for e in entries) > LIMITS.source_unpacked_bytes:
        raise Unreadable(TOO_BIG)


class _Reading:
    """One way through the text of a part."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._headings = Headings()

    def blocks(self, within: Any) -> Iterator[Block]:
        """Of the paragraphs and tables in an element."""
        for part in _nearest(within, _PARTS):
            yield from self._table(part) if part.tag == _TABLE else self._paragraph(part)

    def _paragraph(self, paragraph: Any) -> Iterator[Block]:
        if text := _text(paragraph).strip():
            if level := _level(Paragraph(paragraph, self._document)):
                self._headings.open(level, text)
            yield Block(text, Place(heading=self._headings.path))
        for box in _nearest(paragraph, {_BOX}):
            yield from self.blocks(box)

    def _table(self, table: Any) -> Iterator[Block]:
        above: dict[int, str] = {}
        """By column, for cells that go over several rows."""
        for row in _nearest(table, {_ROW}):
            if row.find(f"{qn('w:trPr')}/{qn('w:del')}") is not None:
                continue
            at = _number(row, "w:trPr", "w:gridBefore", 0)
            cells = list(_nearest(row, {_CELL}))
            said = []
            for cell in cells:
                above[at] = above.get(at, "") if _goes_on(cell) else _cell(cell)
                said += [above[at]] if above[at] else []
                at += _number(cell, "w:tcPr", "w:gridSpan", 1)
            if said:
                yield Block(" | ".join(said), Place(heading=self._headings.path))
            for cell in cells:
                yield from self._inner(cell)

    def _inner(self, cell: Any) -> Iterator[Block]:
        """Tables and boxes in it."""
        for part in _nearest(cell, _PARTS):
            if part.tag == _TABLE:
                yield from self._table(part)
            else:
                for box in _nearest(part, {_BOX}):
                    yield from self.blocks(box)


def _nearest(element: Any, wanted: Set[str]) -> Iterator[Any]:
    """Elements of these names in it, in order, through what only wraps them; not those within each other."""
    todo = _inside(element)[::-1]
    while todo:
        one = todo.pop()
        if one.tag in wanted:
            yield one
        elif one.tag not in _UNSEEN and one.tag != _BOX and not _is_prompt(one):
            todo += _inside(one)[::-1]


def _inside(element: Any) -> list[Any]:
    """Its children; of several ways to show the same, the first."""
    return list(element[:1] if element.tag == _EITHER else element)


def _is_prompt(element: Any) -> bool:
    """Whether it is a field that nobody filled in, or a table of contents."""
    about = element.find(qn("w:sdtPr")) if element.tag == _CONTROL else None
    if about is None:
        return False
    gallery = about.find(f"{qn('w:docPartObj')}/{qn('w:docPartGallery')}")
    contents = gallery is not None and gallery.get(qn("w:val")) == "Table of Contents"
    prompt = about.find(qn("w:showingPlcHdr"))
    return contents or (prompt is not None and prompt.get(qn("w:val"), "1") not in _OFF)


def _text(paragraph: Any) -> str:
    said = []
    for one in _nearest(paragraph, _SAID):
        page = one.get(qn("w:type")) in ("page", "column")
        said.append(("" if page else _SPACES.get(one.tag)) or one.text or "")
    return "".join(said)


def _cell(cell: Any) -> str:
    paragraphs = (one for one in _nearest(cell, _PARTS) if one.tag == _PARAGRAPH)
    return " ".join(" ".join(map(_text, paragraphs)).split())


def _goes_on(cell: Any) -> bool:
    """Whether it is the lower part of the cell above."""
    merge = cell.find(f"{qn('w:tcPr')}/{qn('w:vMerge')}")
    return merge is not None and merge.get(qn("w:val"), "continue") == "continue"


def _number(element: Any, about: str, name: str, default: int) -> int:
    found = element.find(f"{qn(about)}/{qn(name)}")
    value = found.get(qn("w:val"), "") if found is not None else ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 5 else default


def _level(paragraph: Any) -> int:
    """Of a heading, 1 the highest; 0: it is none."""
    try:
        style = paragraph.style
        names = f"{style.style_id or ''} {style.name or ''}"
    except (
        OSError,
        KeyError,
        AttributeError,
    ):  # no styles of its own; the library's are out of reach
        return 0
    if names.lower().startswith("title "):
        return 1
    found = _HEADING.search(names)
    return int(found.group(1)) if found else 0
