"""Pure: what of a message are its author's own words, and what they show as somebody else's.

Facts are learnt from one's own words alone. Marked as others' are fenced blocks and lines that begin
with `>`, as Markdown and mail have them, quotations of several words, and what follows the line with
which mail programs begin a forwarded or answered message.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n.*?(?:^[ \t]*\1[`~]*[ \t]*$|\Z)", re.M | re.S)
_TRIPLE = re.compile(r"\"\"\".*?(?:\"\"\"|\Z)", re.S)
_TAGS = re.compile(
    r"<(blockquote|pre|code|document|quote|attachment|file)\b[^>]*>.*?(?:</\1\s*>|\Z)",
    re.I | re.S,
)
_LINES = re.compile(r"^[ \t]*>[^\n]*$", re.M)
_MAIL = re.compile(
    r"^[ \t]*(?:-{2,} ?(?:original message|forwarded message|message transféré|message d'origine|"
    r"ursprüngliche nachricht|weitergeleitete nachricht|mensaje original|mensaje reenviado)\b|"
    r"begin forwarded message:|on .{4,100} wrote:\s*$|le .{4,100} a écrit ?:\s*$|"
    r"am .{4,100} schrieb .{0,60}:\s*$).*\Z",
    re.I | re.M | re.S,
)
_INLINE = re.compile(r"`[^`\n]+`|[“«][^“”«»]*\s[^“”«»]*[”»]|\"[^\"\n]*\s[^\"\n]*\"")


def own_words(text: str) -> str:
    """The text without what is marked as others' words; a blank line stands where a block was."""
    text = text.replace("\r\n", "\n")
    for block in (_FENCE, _TRIPLE, _TAGS, _LINES, _MAIL):
        text = block.sub("\n\n", text)
    return _INLINE.sub(" … ", text).strip()
