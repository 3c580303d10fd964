"""The reading process: bytes of a file in, passages out. Run as `python -m assistant.memory.ingest.reading`.

What it reads may be hostile. It has no network (worker/sandbox), opens no file, and is killed when it
takes too long; whatever happens to it costs one file.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from assistant.config import LIMITS
from assistant.memory.ingest import chunk, confinement, rehearsal
from assistant.memory.ingest.documents import Document, Part
from assistant.memory.ingest.faults import CUT, DAMAGED, EMPTY, TOO_BIG, TOO_DEEP, Unreadable
from assistant.memory.ingest.passages import Block, Passage
from assistant.worker import Call, serial, serve

PART_PASSAGES = 200
"""Passages in one piece of an answer."""
FORMATS = ("text", "markdown", "html", "pdf", "docx", "mail", "calendar", "contacts", "code")

Reader = Callable[[bytes], Iterable[Block]]


def read(call: Call, readers: dict[str, Reader]) -> Iterator[Part]:
    """`[Document, …]` to parts, in order; every document has exactly one that is `last`."""
    for raw in call.payload:
        document = msgspec.convert(raw, Document)
        if call.cancelled:
            return
        yield from _parts(document, readers)


def _parts(document: Document, readers: dict[str, Reader]) -> Iterator[Part]:
    held: list[Passage] = []
    some, chars, problem = False, 0, ""
    try:
        for passage in chunk.passages(readers[document.format](document.data)):
            chars += len(passage.text)
            if chars > LIMITS.source_text_chars:
                problem = CUT
                break
            held.append(passage)
            if len(held) == PART_PASSAGES:
                yield Part(tuple(held))
                held, some = [], True
        if not held and not some:
            problem = EMPTY
    except Unreadable as exc:
        problem = exc.reason
    except MemoryError:
        problem = TOO_BIG
    except RecursionError:
        problem = TOO_DEEP
    except Exception as exc:  # noqa: BLE001 - parsers fail in many ways on junk; the text stays inside
        print(f"{document.format}: {type(exc).__name__}", file=sys.stderr, flush=True)  # noqa: T201
        problem = DAMAGED
    yield Part(tuple(held), last=True, problem=problem)


def load() -> dict[str, Reader]:
    """The reader of each format, all of its libraries loaded."""
    folder = "assistant.memory.ingest.formats"
    return {name: importlib.import_module(f"{folder}.{name}").blocks for name in FORMATS}


def rehearse(readers: dict[str, Reader]) -> None:
    """Let each reader load what it loads on its first file; later no file can be opened."""
    for name, data in rehearsal.samples().items():
        for _ in readers[name](data):
            pass


def main() -> None:
    """Serve until the daemon goes."""
    readers: dict[str, Reader] = {}

    def run(inbox: Any) -> None:
        readers.update(load())
        confinement.preload()
        rehearse(readers)
        confinement.confine()
        serial({"read": lambda call: read(call, readers)})(inbox)

    serve(run)


if __name__ == "__main__":
    main()
