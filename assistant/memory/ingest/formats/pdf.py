"""PDF, through PDFium: the text of each page."""

from __future__ import annotations

from collections.abc import Iterator

import pypdfium2 as pdfium

from assistant.memory.ingest.faults import DAMAGED, EMPTY, PROTECTED, Unreadable
from assistant.memory.ingest.passages import Block, Place, cleaned

_HYPHEN = "\x02"
"""What PDFium writes for a hyphen that only the end of a line made."""
_NO_CHARACTER = "\ufffe"


def blocks(data: bytes) -> Iterator[Block]:
    """A block a page that has text. Raises Unreadable."""
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as exc:
        raise Unreadable(PROTECTED if "password" in str(exc).lower() else DAMAGED) from exc
    found = False
    try:
        for number in range(len(document)):
            if text := _page(document, number):
                found = True
                yield Block(text, Place(page=number + 1))
    finally:
        document.close()
    if not found:
        raise Unreadable(f"{EMPTY} It may be a scan.")


def _page(document: pdfium.PdfDocument, number: int) -> str:
    """The page's text; empty where the page itself is damaged: the others may be whole."""
    try:
        page = document[number]
        text = page.get_textpage()
        said = text.get_text_range()
    except pdfium.PdfiumError:
        return ""
    text.close()
    page.close()
    said = cleaned(said).replace(_HYPHEN + "\n", "").replace(_HYPHEN, "").replace(_NO_CHARACTER, "")
    return said.strip()
