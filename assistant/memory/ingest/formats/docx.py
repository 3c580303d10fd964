"""Word documents (Office Open XML): paragraphs and tables under their headings."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import docx
from docx.table import Table
from lxml import etree

from assistant.config import LIMITS
from assistant.memory.ingest.faults import DAMAGED, PROTECTED, TOO_BIG, Unreadable
from assistant.memory.ingest.formats.headings import Headings
from assistant.memory.ingest.passages import Block, Place

_ENTRIES = 10_000
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""What an encrypted document is wrapped in."""
_HEADING = re.compile(r"(?:heading|überschrift|titre|título|titolo|kop)\s*(\d)", re.IGNORECASE)


def blocks(data: bytes) -> Iterator[Block]:
    """A block a paragraph or table row. Raises Unreadable."""
    _check_archive(data)
    try:
        document = docx.Document(io.BytesIO(data))
        parts = document.iter_inner_content()
    except (KeyError, ValueError, zipfile.BadZipFile, etree.XMLSyntaxError) as exc:
        raise Unreadable(DAMAGED) from exc
    headings = Headings()
    for part in parts:
        if isinstance(part, Table):
            yield from _table(part, headings)
        elif text := part.text.strip():
            if level := _level(part):
                headings.open(level, text)
            yield Block(text, Place(heading=headings.path))


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


def _table(table: Table, headings: Headings) -> Iterator[Block]:
    for row in table.rows:
        cells: list[str] = []
        for cell in row.cells:  # a merged cell is listed once for each of its places
            text = " ".join(cell.text.split())
            if text and (not cells or cells[-1] != text):
                cells.append(text)
        if cells:
            yield Block(" | ".join(cells), Place(heading=headings.path))
