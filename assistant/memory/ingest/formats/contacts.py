"""Contacts (vCard, RFC 6350 and the older 2.1 and 3.0): a passage for each card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from assistant.memory.ingest.faults import EMPTY, Unreadable
from assistant.memory.ingest.formats.cards import Card, Line, cards, plain
from assistant.memory.ingest.formats.decode import decode
from assistant.memory.ingest.passages import Block, Place, cleaned

_FIELDS = {
    "NICKNAME": "Nickname", "ORG": "Organisation", "TITLE": "Title", "ROLE": "Role", "TEL": "Phone",
    "EMAIL": "E-mail", "ADR": "Address", "BDAY": "Birthday", "ANNIVERSARY": "Anniversary",
    "URL": "Web", "IMPP": "Chat", "RELATED": "Related", "NOTE": "Note", "CATEGORIES": "Groups",
}  # fmt: skip
_NAMES = ("FN", "N", "ORG", "EMAIL")
"""What a card may be called by, best first."""
_WANTED = frozenset({*_FIELDS, *_NAMES})
_UNSAID = frozenset({"pref", "internet", "voice", "x-internet"})
"""Kinds that tell nothing."""
_VALUES = 20


def blocks(data: bytes) -> Iterator[Block]:
    """A block a card. Raises Unreadable, also after the last where some could not be read whole."""
    found = bad = 0
    for card in cards(cleaned(decode(data)), _WANTED):
        bad += not card.whole
        if block := _block(card):
            found += 1
            yield block
    if bad:
        raise Unreadable(f"{bad} of its cards could not be read whole.")
    if not found:
        raise Unreadable(EMPTY)


def _block(card: Card) -> Block | None:
    """None: nothing is said in it."""
    lines = []
    for name, title in _FIELDS.items():
        values = [line for line in card.lines if line.name == name][:_VALUES]
        lines += [f"{title}: {said}" for line in values if (said := _said(line))]
    name = _name(card)
    if not lines and not name:
        return None
    name = name or "without a name"
    return Block("\n".join([f"Contact: {name}", *lines]), Place(contact=name[:120]), apart=True)


def _name(card: Card) -> str:
    for name in _NAMES:
        for line in card.lines:
            if line.name == name and (value := _value(line)):
                return value
    return ""


def _said(line: Line) -> str:
    """One value in words, with what kind it is: `+33 6 12 (cell)`."""
    text = _value(line)
    kinds = [one for one in line.kinds if one not in _UNSAID]
    return f"{text} ({', '.join(kinds)})" if text and kinds else text


def _value(line: Line) -> str:
    if line.name == "N":
        family, given, *rest = _places(line, 5)
        text = " ".join((rest[1], given, rest[0], family, rest[2])).replace(",", " ")
    elif line.name == "ADR":
        box, more, street, city, region, code, country = _places(line, 7)
        text = _joined((box, more, street, city, f"{region} {code}", country))
    elif line.name == "ORG":
        text = _joined(line.parts())
    else:
        text = plain(line.value)
    return " ".join(text.replace("\n", ", ").split()).strip(" ,")


def _places(line: Line, number: int) -> list[str]:
    return [*line.parts(), *[""] * number][:number]


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(part.strip() for part in parts if part.strip())
