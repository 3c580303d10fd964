"""Part of step m013: conversations that had come in before it get their source, by what their turns say.

As imports were when the step was made; it uses no table or rule that came later.
"""

from __future__ import annotations

import json

from sqlite_utils import Database

from assistant.types import stable_id

STEP = "m013_imports"
"""Files made before this migration name no import."""

_LABELS = {
    "chatgpt": "ChatGPT",
    "claude": "Claude",
    "khoj": "Khoj",
    "letta": "Letta",
    "openwebui": "Open WebUI",
    "anythingllm": "AnythingLLM",
    "mem0": "mem0",
    "openclaw": "OpenClaw",
    "obsidian": "Obsidian",
}
"""Whose files there were, by the name that is in a source's id."""


def name_all(db: Database) -> None:
    """Do it for every import there is."""
    found = db.execute("SELECT id, path FROM sources WHERE kind = 'import'").fetchall()
    known = {one: (_label(one, title or ""), _shortened(title or "")) for one, title in found}
    sources = {told: one for one, told in known.items() if told[0]}
    for (label, _), source in sources.items():
        sql = "UPDATE sources SET options = json_object('program', ?) WHERE id = ?"
        db.execute(sql, [label, source])
    if sources:
        _name_turns(db, sources)


def _name_turns(db: Database, sources: dict[tuple[str, str], str]) -> None:
    sql = (
        "SELECT seq, conversation_id, receipt FROM turns "
        "WHERE source_id IS NULL AND receipt LIKE '%\"imported\"%'"
    )
    for seq, conversation, receipt in db.execute(sql).fetchall():
        raw = json.loads(receipt)
        told = raw.get("imported") if isinstance(raw, dict) else None
        if not isinstance(told, dict):
            continue
        source = sources.get((str(told.get("from")), str(told.get("file"))))
        if source is not None:
            db.execute("UPDATE turns SET source_id = ? WHERE seq = ?", [source, seq])
            sql = "UPDATE conversations SET source_id = ? WHERE id = ? AND source_id IS NULL"
            db.execute(sql, [source, conversation])


def _label(source: str, title: str) -> str:
    named = (label for one, label in _LABELS.items() if stable_id("s", one, title) == source)
    return next(named, "")


def _shortened(title: str) -> str:
    """As titles stand in a receipt."""
    line = " ".join(title.split())
    return line if len(line) <= 200 else line[:199] + "…"
