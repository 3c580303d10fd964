"""The text to work on: what is selected in the active window, or all of the field that has the focus."""

from __future__ import annotations

import time
from typing import Any

from assistant.clients.desktop import paste, selection
from assistant.clients.desktop.selection import Selection
from assistant.config import LIMITS
from assistant.errors import EmptyText, TextTooLong

SELECTED_S = 0.6
"""For a program to select all, and say so."""
HELD_S = 1.0
"""For the hotkey to be let go: until then the server gives all keys to whoever listens for it."""
_LOOK_S = 0.03


def read(display_name: str | None = None) -> Selection:
    """It, with its window. Where nothing is selected the field is told to select all (Ctrl+A).

    A field that hides its text has no selection that could be read, so there is nothing to work on.
    Raises EmptyText, TextTooLong; Refused and NoDisplay as selection.py does.
    """
    display = selection.connect(display_name)
    try:
        found = selection.selected(display)
        if not found.text.strip() and found.window.app not in paste.TERMINALS:
            found = _all(display, found)
    finally:
        display.close()
    if not found.text.strip():
        raise EmptyText(
            "No text is selected.", "Select the text to work on, then press the key again."
        )
    if len(found.text) > LIMITS.write_chars:
        raise TextTooLong(
            f"The text is longer than {LIMITS.write_chars:,} characters.", "Select a part of it."
        )
    return found


def _all(display: Any, before: Selection) -> Selection:
    end = time.monotonic() + HELD_S
    while any(display.query_keymap()) and time.monotonic() < end:
        time.sleep(_LOOK_S)
    paste.press(display, ("Control_L", "a"))
    end = time.monotonic() + SELECTED_S
    found = before
    while not found.text.strip() and time.monotonic() < end:
        time.sleep(_LOOK_S)
        found = selection.selected(display)
    return found
