"""Contacts (vCard, RFC 6350 and the older 2.1 and 3.0): a passage for each card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import vobject

from assistant.memory.ingest.faults import DAMAGED, EMPTY, Unreadable
from assistant.memory.ingest.formats.decode import decode
from assistant.memory.ingest.passages import Block, Place, cleaned

_FIELDS = {
    "nickname": "Nickname", "org": "Organisation", "title": "Title", "role": "Role", "tel": "Phone",
    "email": "E-mail", "adr": "Address", "bday": "Birthday", "anniversary": "Anniversary",
    "url": "Web", "impp": "Chat", "related": "Related", "note": "Note", "categories": "Groups",
}  # fmt: skip
_VALUES = 20


def blocks(data: bytes) -> Iterator[Block]:
    """A block a card. Raises Unreadable."""
    found = False
    cards = vobject.readComponents(cleaned(decode(data)), ignoreUnreadable=True, transform=True)
    while True:
        try:
            card = next(cards, None)
        except Exception as exc:
            # The library fails in many ways on junk; what came before it stands.
            if found:
                return
            raise Unreadable(DAMAGED) from exc
        if card is None:
            break
        if card.name == "VCARD":
            found = True
            yield _block(card)
    if not found:
        raise Unreadable(EMPTY)


def _block(card: Any) -> Block:
    name = _name(card)
    lines = [f"Contact: {name}"]
    for field, title in _FIELDS.items():
        values = card.contents.get(field, [])[:_VALUES]
        lines += [f"{title}: {said}" for value in values if (said := _said(value))]
    return Block("\n".join(lines), Place(contact=name[:120]), apart=True)


def _name(card: Any) -> str:
    for field in ("fn", "n", "org", "email"):
        for value in card.contents.get(field, []):
            if said := _said(value):
                return said
    return "without a name"


def _said(entry: Any) -> str:
    """One value in words, with what kind it is: `+33 6 12 (cell)`."""
    value = entry.value
    if isinstance(value, list):
        value = ", ".join(str(part) for part in value if part)
    text = " ".join(str(value).replace("\n", ", ").split()).strip(" ,")
    kinds = [str(one).lower() for one in getattr(entry, "params", {}).get("TYPE", [])]
    kinds = [one for one in kinds if one not in ("pref", "internet", "voice", "x-internet")]
    return f"{text} ({', '.join(kinds)})" if text and kinds else text
