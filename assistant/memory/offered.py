"""What waits for a yes and no longer holds: the user has said something else since.

Without this, a yes to "Ana lives in Nice" would undo "Ana lives in Bergen" that was said after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from sqlite_utils import Database

from assistant.memory import subjects
from assistant.memory.attributes import OPPOSITE, attribute
from assistant.memory.claims import Claim, Who
from assistant.memory.places import may_be_in
from assistant.memory.values import PLACES

_LAST = "~"
"""After the id of every turn; ids rise with time."""


def withdraw(db: Database, said: Sequence[Claim], moment: str, *, turn_id: str = "") -> list[Claim]:
    """Drop the suggestions, made until `moment` and before this turn, that these contradict; their claims."""
    gone: list[Claim] = []
    for claim in said:
        for suggestion_id, waiting in _of(db, claim.attribute, moment, turn_id):
            if contradicts(claim, waiting) and _one(db, claim.who, waiting.who):
                db.execute("DELETE FROM suggestions WHERE id = ?", [suggestion_id])
                gone.append(waiting)
    return gone


def contradicts(new: Claim, old: Claim) -> bool:
    """Pure: whether the old one cannot hold any more, if both are about one subject."""
    if new.attribute != old.attribute:
        opposite = OPPOSITE.get(new.attribute) == old.attribute and new.key == old.key
        return opposite and not new.negated and not old.negated
    if new.negated or old.negated:
        return new.negated != old.negated and new.key == old.key
    if not attribute(new.attribute).single or new.key == old.key:
        return False
    return not (new.attribute in PLACES and new.state and may_be_in(old.key, new.key))


def _of(db: Database, name: str, moment: str, turn_id: str) -> Iterator[tuple[str, Claim]]:
    names = [one for one in (name, OPPOSITE.get(name)) if one]
    has = " OR ".join("instr(claim, ?)" for _ in names)
    marks = [f'"attribute":{msgspec.json.encode(one).decode()}' for one in names]
    sql = f"SELECT id, claim FROM suggestions WHERE created_at <= ? AND turn_id < ? AND ({has})"  # noqa: S608
    for suggestion_id, claim in db.execute(sql, [moment, turn_id or _LAST, *marks]).fetchall():
        yield suggestion_id, msgspec.json.decode(claim, type=Claim)


def _one(db: Database, new: Who, old: Who) -> bool:
    """Whether both are the same person, by name, by role, or by what is known of them."""
    if new.me or old.me:
        return new.me and old.me
    told = ({alias for alias, _ in subjects.aliases_of(who)} for who in (new, old))
    if set.intersection(*told):
        return True
    known = subjects.find(db, new)
    return known is not None and known == subjects.find(db, old)
