"""What lies on the user's desk: the conversation that is open, and what is typed and not asked yet.

In memory alone, never on disk or in the log: every page keeps what is typed in it anyway. Devices
hear that it changed, and by whom, so that each knows its own echo.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import msgspec

from assistant.config import LIMITS
from assistant.core.checks import check_text
from assistant.core.feed import Feed
from assistant.core.run import Run
from assistant.types import now

NEW = "new"
"""Stands for the conversation that the first question will begin."""


class Typed(msgspec.Struct, frozen=True):
    """A draft. `client` is the page it was typed in."""

    conversation: str
    text: str = ""
    client: str = ""
    at: str = ""


class Opened(msgspec.Struct, frozen=True):
    """Which conversation a page opened last; None: it has none open."""

    conversation: str | None = None
    client: str = ""
    at: str = ""


class Desk:
    """One for all devices."""

    def __init__(self, feed: Feed, clock: Callable[[], str] = now) -> None:
        self._feed = feed
        self._clock = clock
        self._typed: OrderedDict[str, Typed] = OrderedDict()
        self._opened = Opened()

    @property
    def opened(self) -> Opened:
        """The latest."""
        return self._opened

    def open(self, conversation_id: str | None, client: str) -> Opened:
        """Note which conversation this page has open."""
        self._opened = Opened(conversation_id, client, self._clock())
        self._feed.tell("open", {"conversation": conversation_id, "by": client})
        return self._opened

    def typed(self, conversation_id: str) -> Typed:
        """Its draft; an empty one if there is none."""
        return self._typed.get(conversation_id) or Typed(conversation_id)

    def type(self, conversation_id: str, text: str, client: str) -> Typed:
        """Keep this as its draft; an empty text drops it. Raises TextTooLong or InvalidInput."""
        if text.strip():
            check_text(text, LIMITS.turn_chars)
        draft = Typed(conversation_id, text, client, self._clock())
        self._typed.pop(conversation_id, None)
        if text:
            self._typed[conversation_id] = draft
        while len(self._typed) > LIMITS.typed:
            self._typed.popitem(last=False)
        self._feed.tell("draft", {"conversation": conversation_id, "by": client})
        return draft

    def turn(self, run: Run) -> None:
        """A question was asked: its draft is one no more."""
        if not run.log.finished and run.conversation.id in self._typed:
            self.type(run.conversation.id, "", "")

    def clear(self) -> None:
        """Everything is forgotten: what is typed too."""
        self._typed.clear()
        self.open(None, "")

    def gone(self, conversation_id: str) -> None:
        """A conversation was deleted."""
        self._typed.pop(conversation_id, None)
        if self._opened.conversation == conversation_id:
            self.open(None, "")
