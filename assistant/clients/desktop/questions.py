"""What was asked before, for the arrow keys. In memory alone: the daemon has it, encrypted."""

from __future__ import annotations

from collections.abc import Iterable

MOST = 200


class Questions:
    """Latest last. What is being typed is the place after the latest."""

    def __init__(self) -> None:
        self._asked: list[str] = []
        self._at = 0
        self._typed = ""

    def load(self, earlier: Iterable[str]) -> None:
        """What was asked in earlier sessions, oldest first; goes before what was asked in this one."""
        known = set(self._asked)
        old = [text for text in dict.fromkeys(earlier) if text not in known]
        away = len(self._asked) - self._at
        self._asked = (old + self._asked)[-MOST:]
        self._at = max(0, len(self._asked) - away)

    def asked(self, text: str) -> None:
        """This was asked now."""
        self._asked = [*(one for one in self._asked if one != text), text][-MOST:]
        self.rewind()

    def rewind(self) -> None:
        """Back to what is being typed."""
        self._at, self._typed = len(self._asked), ""

    def older(self, shown: str) -> str | None:
        """The one before what is shown; None if there is none."""
        if self._at == len(self._asked):
            self._typed = shown
        if self._at == 0:
            return None
        self._at -= 1
        return self._asked[self._at]

    def newer(self) -> str | None:
        """The one after it, in the end what was being typed; None if that is shown."""
        if self._at >= len(self._asked):
            return None
        self._at += 1
        return self._typed if self._at == len(self._asked) else self._asked[self._at]
