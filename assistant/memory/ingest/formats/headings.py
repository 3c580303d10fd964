"""The headings that a reader is under at the moment."""

from __future__ import annotations

SEPARATOR = " \u203a "
MOST_CHARS = 120


class Headings:
    """Fed with headings as they come; `path` is those that hold, outermost first."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def open(self, level: int, text: str) -> None:
        """A heading of this level, 1 the highest, begins."""
        self._open = [one for one in self._open if one[0] < level]
        text = " ".join(text.split())
        if text:
            self._open.append((level, text[:MOST_CHARS]))

    @property
    def path(self) -> str:
        """Joined; the innermost whole where there is not room for all."""
        names = [text for _, text in self._open]
        while len(names) > 1 and len(SEPARATOR.join(names)) > MOST_CHARS:
            del names[0]
        return SEPARATOR.join(names)
