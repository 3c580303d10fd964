"""A text as it streams, cut into sentences to be spoken, and rid of its markup. Pure."""

from __future__ import annotations

import re

# ruff: noqa: RUF001 - the marks of other scripts end sentences too

LONGEST = 300
"""Characters of one sentence; a longer one is cut at a comma, else at a space."""
EARLY = 24
"""Characters from which the very first piece may end at a comma: the voice begins sooner."""

_END = re.compile(r"[.!?…]+(?:[\"'”’)\]]|\s?»)*\s+(?=[^\s»])|[。！？]+[」』”]*|\n+|:\s*\n")
_CLAUSE = re.compile(r"[,;:–—]\s+(?=\S)|[，；：]")
_ABBREVIATED = frozenset({"mr", "mrs", "ms", "dr", "prof", "st", "no", "vs", "etc", "approx", "e.g",
                          "i.e", "u.s", "a.m", "p.m", "mme", "mlle", "z.b", "d.h", "bzw", "ca",
                          "nr"})  # fmt: skip
_FENCE = re.compile(r"^\s*(```|~~~)")
_MARKS = (
    (re.compile(r"!?\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"https?://([^\s/)]+)\S*"), r"\1"),
    (re.compile(r"^\s*(#{1,6}|>|[-*+•])\s+", re.M), ""),
    (re.compile(r"^\s*\|?[\s:|-]{3,}\|?\s*$", re.M), ""),
    (re.compile(r"\s*\|\s*"), ", "),
    (re.compile(r"(?<!\w)[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}(?!\w)|`+|~~"), ""),
    (re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d]"), ""),
    (re.compile(r"[ \t\r\n]+"), " "),
)


class Sentences:
    """Feed it what comes; it gives back what can be spoken."""

    def __init__(self, *, early: bool = False) -> None:
        self._held = ""
        self._early = early
        self._fenced = False

    def feed(self, text: str) -> list[str]:
        """The sentences that this text completes."""
        self._held += text
        found = []
        while (end := self._end()) > 0:
            piece, self._held = self._held[:end], self._held[end:]
            found += self._spoken(piece)
        return found

    def rest(self) -> list[str]:
        """What is left when nothing more comes."""
        piece, self._held = self._held, ""
        return [part for line in piece.splitlines() for part in self._spoken(line + "\n")]

    def _spoken(self, piece: str) -> list[str]:
        if _FENCE.match(piece):
            self._fenced = not self._fenced
            return []
        said = plain(piece)
        if self._fenced or not any(char.isalnum() for char in said):
            return []
        self._early = False
        return [said]

    def _end(self) -> int:
        """How much of what is held is a whole sentence; 0: none yet."""
        if self._fenced or _FENCE.match(self._held):
            return self._held.find("\n") + 1
        whole = (
            one.end() for one in _END.finditer(self._held) if not _abbreviates(self._held, one)
        )
        end = next(whole, 0)
        if self._early and (clause := _CLAUSE.search(self._held, EARLY)):
            return min(end or clause.end(), clause.end())
        if end:
            return end
        if len(self._held) <= LONGEST:
            return 0
        cuts = [match.end() for match in _CLAUSE.finditer(self._held, 0, LONGEST)]
        return cuts[-1] if cuts else self._held.rfind(" ", 1, LONGEST) + 1 or LONGEST


def sentences(text: str) -> list[str]:
    """A whole text as sentences to be spoken."""
    cutter = Sentences()
    return cutter.feed(text) + cutter.rest()


def plain(text: str) -> str:
    """The words of a piece of Markdown."""
    for pattern, instead in _MARKS:
        text = pattern.sub(instead, text)
    return text.strip(" ,")


def _abbreviates(text: str, found: re.Match[str]) -> bool:
    """Whether a full stop belongs to the word before it, or stands in the middle of a sentence."""
    if not found[0].startswith("."):
        return False
    word = text[: found.start()].rpartition(" ")[2].strip("(\"'“‘").rpartition("\n")[2]
    following = text[found.end() : found.end() + 1]
    initial = len(word) == 1 and word.isupper()
    numbered = word.isdigit() and not text[: found.start()].strip(" 0123456789\n")
    return initial or numbered or word.lower() in _ABBREVIATED or following.islower()
