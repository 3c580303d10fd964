"""Source code: a block for each definition at the left margin, with what is written above it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.memory.ingest.formats.decode import decode
from assistant.memory.ingest.passages import Block, Place, cleaned, paragraphs

# One pattern for many languages: what opens a definition at the left margin, and its name.
_DEFINITION = re.compile(
    r"^(?:(?:export|default|public|private|protected|internal|static|final|abstract|async|pub(?:\([^)]*\))?|"
    r"unsafe|extern|inline|const|sealed|data|open|override|virtual|partial|local)\s+)*"
    r"(?:def|class|function\*?|fn|func|fun|struct|enum|union|trait|impl|interface|type|module|namespace|"
    r"protocol|object|record|sub|procedure|macro_rules!|CREATE\s+(?:TABLE|VIEW|FUNCTION|TRIGGER|INDEX))\b"
    r"\s*(?:<[^>]*>\s*)?(?:\([^)]*\)\s*)?(\w+(?:(?:\.|::)\w+)*)?",
    re.IGNORECASE,
)
_ABOVE = re.compile(r"^\s*(?:@|#|//|/\*|\*|--|;|\"\"\"|\[)")
"""A comment, a decorator or an attribute: it belongs to what follows."""
_LONG_LINE = 5_000
"""Source that people write has no such lines; minified files are all one."""


def blocks(data: bytes) -> Iterator[Block]:
    """Paragraphs of each definition, with its name as heading. Raises Unreadable."""
    lines = cleaned(decode(data)).split("\n")
    lines = [line if len(line) <= _LONG_LINE else line[:_LONG_LINE] for line in lines]
    starts = _starts(lines)
    for (first, name), (after, _) in zip(starts, [*starts[1:], (len(lines), "")], strict=True):
        for text, span in paragraphs("\n".join(lines[first:after]), first + 1):
            yield Block(text, Place(heading=name, lines=span))


def _starts(lines: list[str]) -> list[tuple[int, str]]:
    """Where each definition begins, from 0, and its name; what is before the first has none."""
    starts = [(0, "")]
    for at, line in enumerate(lines):
        if not line[:1].isalpha() or not (found := _DEFINITION.match(line[:400])):
            continue
        first = at
        while first > starts[-1][0] and _ABOVE.match(lines[first - 1]):
            first -= 1
        starts.append((first, found.group(1) or found.group(0).split()[-1]))
    return starts
