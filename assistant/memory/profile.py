"""The profile: what is known of the user in a few lines, built by code from the facts that hold now.

It opens every chat. Sensitive facts are not in it: those come up when they are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from sqlite_utils import Database

TOKENS = 500
"""At most, by estimate: three bytes a token, rather too many."""
LINE_CHARS = 200
_ROWS = 200


def build(db: Database) -> list[tuple[str, str]]:
    """Ids and lines, the most important first, within the budget."""
    sql = """
        SELECT id, text FROM memories
        WHERE valid_to IS NULL AND kind IN ('fact', 'preference') AND trust = 'user'
            AND sensitivity = 'normal' AND scope = '' AND thread IS NULL AND length(text) <= ?
        ORDER BY importance DESC, strength DESC, seq DESC LIMIT ?
    """
    room, lines = TOKENS * 3, []
    for memory_id, text in db.execute(sql, [LINE_CHARS, _ROWS]):
        line = " ".join(text.split())
        room -= len(line.encode()) + 3
        if room < 0:
            break
        lines.append((str(memory_id), line))
    return lines


def unpin(db: Database, memory_ids: Collection[str]) -> frozenset[str]:
    """Take the lines of these memories out of every chat's profile; the chats that had one."""
    if not memory_ids:
        return frozenset()
    touched = set()
    found = db.execute("SELECT id, pinned FROM conversations WHERE length(pinned) > 2").fetchall()
    for conversation_id, pinned in found:
        lines = json.loads(pinned)
        kept = [one for one in lines if one[0] not in memory_ids]
        if len(kept) < len(lines):
            sql = "UPDATE conversations SET pinned = ? WHERE id = ?"
            db.execute(sql, [json.dumps(kept), conversation_id])
            touched.add(str(conversation_id))
    return frozenset(touched)
