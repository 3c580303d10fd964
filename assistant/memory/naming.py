"""A question that says who is meant: "my sister" is "my sister Ana" to whoever does not know the user.

The judge reads a question and a note and nothing else; that Ana is my sister stands in another note.
"""

from __future__ import annotations

import re
from collections import defaultdict

from sqlite_utils import Database

from assistant.memory import subjects
from assistant.memory.kin import KIN, POSSESSIVES, roles
from assistant.memory.words import words_in

_MINE = "|".join(sorted(map(re.escape, POSSESSIVES), key=len, reverse=True))


def spelled_out(db: Database, text: str) -> str:
    """The text, with the name behind a role that it names, and the role before a name."""
    words = words_in(text)
    names: defaultdict[str, list[str]] = defaultdict(list)
    for subject in subjects.mentioned(db, text):
        name, shown = _aliases(db, subject)
        role = subjects.role(db, subject)
        if not name or not role:
            continue
        if set(words_in(name)).isdisjoint(words):
            names[role].append(name)
        elif role not in roles(words).values():
            # As it is written, where anything is: "will" is no Will.
            name = name if text != text.lower() else name.lower()
            text = _put(
                text, rf"(?<!\w){re.escape(name)}(?!\w)", before=f"{shown[:1].lower()}{shown[1:]} "
            )
    for role, some in names.items():
        nouns = "|".join(
            sorted((re.escape(one) for one in KIN if KIN[one] == role), key=len, reverse=True)
        )
        text = _put(
            text, rf"(?i:\b(?:{_MINE}) (?:{nouns})\b(?!-))", after=f" {' or '.join(sorted(some))}"
        )
    return text


def _put(text: str, pattern: str, *, before: str = "", after: str = "") -> str:
    return re.sub(pattern, lambda at: f"{before}{at[0]}{after}", text, count=1)


def _aliases(db: Database, subject: str) -> tuple[str, str]:
    """The shortest name, and how a role is told; empty where there is none."""
    sql = "SELECT alias LIKE 'role:%', shown FROM aliases WHERE subject = ? ORDER BY length(shown) DESC"
    found = {bool(is_role): str(shown) for is_role, shown in db.execute(sql, [subject])}
    return found.get(False, ""), found.get(True, "")
