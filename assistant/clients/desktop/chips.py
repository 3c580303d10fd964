"""What was selected, or copied, when the quick-ask window opened: offered to be attached, if the user allows.

Another program's text: it is quoted in the question, line by line, and nothing is learnt from that turn.
Never read from password managers, while the screen is locked, or what a password manager copied.
"""

from __future__ import annotations

import contextlib
from typing import Any, Literal

import msgspec

from assistant.clients.desktop import selection
from assistant.errors import AssistantError, Refused

Kind = Literal["selection", "clipboard"]
Allowed = Literal["off", "selection", "clipboard", "both"]
MOST_CHARS = 20_000
"""Of a text that is offered; a question has room for 32,000 (LIMITS.turn_chars)."""
_HIDDEN = "x-kde-passwordManagerHint"
"""The form that password managers add to what they copy."""
_DOTS = frozenset("*•●∙⬤◦·")


class Chip(msgspec.Struct, frozen=True):
    """A text that can be attached."""

    kind: Kind
    text: str
    app: str = ""

    @property
    def label(self) -> str:
        """As it is shown: whose it is and how it begins."""
        first = " ".join(self.text.split())
        short = first if len(first) <= 48 else f"{first[:47]}…"
        return f"{'Selected' if self.kind == 'selection' else 'Copied'}: {short}"


def with_question(question: str, chip: Chip | None) -> str:
    """The question to be asked: the attached text stands below it, quoted."""
    if chip is None:
        return question
    what = "The text that is selected" if chip.kind == "selection" else "The text that was copied"
    whose = f" in {chip.app}" if chip.app and chip.kind == "selection" else ""
    lines = "\n".join(f"> {line}" for line in chip.text.splitlines())
    return f"{question}\n\n{what}{whose}:\n\n{lines}"


def read(allowed: Allowed, window: int, display_name: str | None = None) -> list[Chip]:
    """What can be offered now; `window` is the one underneath. May take a second; never raises."""
    if allowed == "off":
        return []
    found = []
    with contextlib.suppress(AssistantError):
        display = selection.connect(display_name)
        try:
            found = [chip for chip in _read(display, allowed, window) if chip.text.strip()]
        finally:
            display.close()
    return found


def _read(display: Any, allowed: Allowed, window: int) -> list[Chip]:
    """Raises Refused where nothing is read."""
    found = []
    here = selection.window(display, window) if window else None
    if here is not None:
        selection.check(display, here)
    elif selection.locked(display):
        raise Refused
    if allowed in ("selection", "both") and here is not None:
        owner = display.get_selection_owner(display.get_atom("PRIMARY"))
        if owner and selection._same_program(display, owner.id, here.id):
            text = _text(display, "PRIMARY")
            if not set(text.strip()) <= _DOTS:
                found.append(Chip("selection", text, here.app))
    if allowed in ("clipboard", "both"):
        text = "" if _hidden(display) else _text(display, "CLIPBOARD")
        if not any(chip.text == text for chip in found):
            found.append(Chip("clipboard", text))
    return found


def _text(display: Any, name: str) -> str:
    raw = selection.read(display, name, "UTF8_STRING") or b""
    return raw.decode("utf-8", "replace")[:MOST_CHARS]


def _hidden(display: Any) -> bool:
    raw = selection.read(display, "CLIPBOARD", "TARGETS") or b""
    atoms = [int.from_bytes(raw[at : at + 4], "little") for at in range(0, len(raw), 4)]
    return any(display.get_atom_name(atom) == _HIDDEN for atom in atoms if atom)
