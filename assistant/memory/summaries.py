"""The SQL of summaries: what a model wrote to stand for a conversation's older turns.

Older summaries of a conversation stay: when a turn that only the newest covers is redacted, the one
before it holds again. A trigger deletes a summary in the transaction that changes what it covers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlite_utils import Database

from assistant.types import Turn


class Summary(msgspec.Struct, frozen=True):
    """A summary as stored."""

    upto: str
    """The last turn it stands for; it stands for all before it too."""
    text: str
    tokens: int
    model: str
    created_at: str


def newest(db: Database, conversation_id: str) -> Summary | None:
    """The summary that stands for most turns."""
    row = db.execute(
        "SELECT turns.id, summaries.text, summaries.tokens, summaries.model, summaries.created_at "
        "FROM summaries JOIN turns ON turns.seq = summaries.upto "
        "WHERE summaries.conversation_id = ? ORDER BY summaries.upto DESC LIMIT 1",
        [conversation_id],
    ).fetchone()
    return None if row is None else Summary(*row)


def history(db: Database, conversation_id: str) -> tuple[list[Turn], Summary | None]:
    """The turns that have ended, oldest first, as prompts need them; see Conversations.history."""
    summary = newest(db, conversation_id)
    rows = db.execute(
        "SELECT id, conversation_id, iif(said, text, ''), status, started_at, "
        "iif(said, context, ''), iif(said, reply, substr(reply, 1, 1)), tokens "
        "FROM (SELECT *, seq > coalesce((SELECT seq FROM turns WHERE id = ?), 0) AS said "
        "FROM turns WHERE conversation_id = ? AND status <> 'running') ORDER BY seq",
        [summary.upto if summary else "", conversation_id],
    )
    return [_turn(*row) for row in rows], summary


def insert(
    db: Database, conversation_id: str, covered: Sequence[Turn], after: str, new: Summary
) -> bool:
    """Store `new`, unless the turns or the summary it was made from are no longer the same."""
    last = newest(db, conversation_id)
    if (last.upto if last else "") != after or not all(_same(db, turn) for turn in covered):
        return False
    db.execute(
        "INSERT INTO summaries (conversation_id, upto, text, tokens, model, created_at) "
        "SELECT ?, seq, ?, ?, ?, ? FROM turns WHERE id = ?",
        [conversation_id, new.text, new.tokens, new.model, new.created_at, new.upto],
    )
    return True


def _same(db: Database, turn: Turn) -> bool:
    sql = "SELECT text, context, reply FROM turns WHERE id = ?"
    row = db.execute(sql, [turn.id]).fetchone()
    return row is not None and tuple(row) == (turn.text, turn.context, turn.reply)


def _turn(*row: Any) -> Turn:
    turn_id, conversation_id, text, status, started_at, context, reply, tokens = row
    return Turn(turn_id, conversation_id, text, status, started_at, context, reply, tokens=tokens)
