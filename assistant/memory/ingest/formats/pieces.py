"""Pure: a damaged calendar to pieces that can be read by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

_EDGE = re.compile(r"(BEGIN|END):([\w-]+)[ \t]*", re.IGNORECASE)
_ZONE = "VTIMEZONE"
_ZONE_ID = re.compile(r"^TZID(?:;[^:\n]*)?:(.+)$", re.IGNORECASE | re.MULTILINE)


def pieces(text: str, names: Set[str]) -> Iterator[tuple[str, bool]]:
    """A calendar for each part of these names, with the time zones it uses; False: its end is missing."""
    zones: dict[str, str] = {}
    parts: list[tuple[str, bool]] = []
    for name, part, whole in _parts(text, names | {_ZONE}):
        if name != _ZONE:
            parts.append((part, whole))
        elif whole and (found := _ZONE_ID.search(part)):
            zones.setdefault(found[1].strip(), part)
    for part, whole in parts:
        used = "".join(zone for name, zone in zones.items() if name in part)
        yield f"BEGIN:VCALENDAR\nVERSION:2.0\n{used}{part}END:VCALENDAR\n", whole


def _parts(text: str, names: Set[str]) -> Iterator[tuple[str, str, bool]]:
    """Name and text of each, closed where it is not; the last line of a text that is cut off is left out."""
    held: list[str] = []
    open_: list[str] = []
    for line in text.split("\n"):
        edge = _EDGE.fullmatch(line)
        kind, name = (edge[1].upper(), edge[2].upper()) if edge else ("", "")
        if (kind == "BEGIN" and name in names) or (open_ and kind == "END" and name == "VCALENDAR"):
            if open_:
                yield open_[0], _closed(held, open_), False
            held, open_ = ([line], [name]) if kind == "BEGIN" else ([], [])
        elif open_ and kind == "END" and name in open_:
            at = open_.index(name)
            held += [*(f"END:{one}" for one in reversed(open_[at + 1 :])), line]
            del open_[at:]
            if not open_:
                yield name, "\n".join(held) + "\n", True
                held = []
        elif open_ and kind != "END":
            held.append(line)
            open_ += [name] if kind else []
    if open_:
        held.pop()
        yield open_[0], _closed(held, open_), False


def _closed(held: list[str], open_: list[str]) -> str:
    return "\n".join([*held, *(f"END:{name}" for name in reversed(open_))]) + "\n"
