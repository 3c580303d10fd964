"""The SQL of forgetting: which rows are meant, and what goes with them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlite_utils import Database

from assistant.errors import InvalidInput
from assistant.memory import rows, tables, torn
from assistant.memory.redact import Gone, Touched
from assistant.memory.torn import Said
from assistant.types import Forget

KEPT = frozenset({"settings", "migrations", "devices", "tokens", "consents", "tombstones"})
"""Tables that `everything` leaves alone: how this machine is set up, not what it was told."""


class Erased(msgspec.Struct, frozen=True):
    """What went, in one transaction."""

    ids: list[str]
    """Memories, all versions."""
    seqs: list[int]
    turns: list[str]
    """Turns that were deleted; those that were only cleaned are in `touched`."""
    conversations: list[str]
    """Conversations that were deleted."""
    torn_out: list[str]
    """Turns that were deleted of conversations that stay."""
    counts: dict[str, int]
    """Rows by table, tables that lost none left out; `turns_redacted` were cleaned of what they quoted."""
    touched: Touched
    gone: list[Gone]
    told_in: frozenset[str]
    """Conversations that recalled any of these memories."""
    said: Said
    """What the deleted turns said."""


def exactly(db: Database, which: Forget) -> tuple[list[str], list[str]]:
    """The memories and turns that a source or a range of time names; no others."""
    if which.source:
        return _of_source(db, which.source), _turns_of_source(db, which.source)
    after, before = _range(which)
    span = "{0} >= ? AND {0} < ?"
    sql = f"SELECT id FROM memories WHERE {span.format('said_at')} ORDER BY seq"  # noqa: S608
    found = [one for (one,) in db.execute(sql, [after, before])]
    sql = f"SELECT id FROM turns WHERE {span.format('started_at')} ORDER BY seq"  # noqa: S608
    return found, [one for (one,) in db.execute(sql, [after, before])]


def with_versions(db: Database, ids: Sequence[str]) -> list[str]:
    """These memories with all their versions; unknown ones are passed over."""
    known = [one for one in ids if tables.exists(db, one)]
    return list(dict.fromkeys(m.id for one in known for m in tables.chain(db, one)))


def erase(db: Database, memory_ids: Sequence[str], turn_ids: Sequence[str] = ()) -> Erased:
    """Delete these rows and all that was made from them."""
    before = _counts(db)
    gone = [_gone(db, one) for one in memory_ids]
    told_in = _told_in(db, memory_ids)
    seqs, touched = tables.delete(db, memory_ids)
    said = torn.said(db, turn_ids)
    deleted = delete_turns(db, turn_ids)
    counts = _less(before, _counts(db))
    quoted = touched.turns | deleted.redacted
    if redacted := len(quoted - set(turn_ids)):
        counts["turns_redacted"] = redacted
    touched = Touched(quoted | set(turn_ids), touched.conversations | deleted.chats)
    said = msgspec.structs.replace(said, since=deleted.since)
    return Erased(
        list(memory_ids), seqs, list(turn_ids), deleted.empty, deleted.torn_out, counts, touched, gone,
        told_in, said,
    )  # fmt: skip


def erase_all(db: Database) -> Erased:
    """Delete everything that was ever told or made from it."""
    before = _counts(db)
    gone = [_gone(db, one) for (one,) in db.execute("SELECT id FROM memories ORDER BY seq")]
    seqs = [seq for (seq,) in db.execute("SELECT seq FROM memories ORDER BY seq")]
    turns = [one for (one,) in db.execute("SELECT id FROM turns ORDER BY seq")]
    said = torn.said(db, turns)
    chats = frozenset(one for (one,) in db.execute("SELECT id FROM conversations"))
    # Children before parents, so that no row that is left refers to one that is gone.
    db.execute("PRAGMA defer_foreign_keys = ON")
    for table in _told(db):
        db.execute(f"DELETE FROM [{table}]")  # noqa: S608
    counts = _less(before, _counts(db))
    touched = Touched(frozenset(turns), chats)
    ids = [one.id for one in gone]
    return Erased(ids, seqs, turns, sorted(chats), [], counts, touched, gone, frozenset(), said)


def _of_source(db: Database, source: str) -> list[str]:
    """Rows of a source by its id, with those below it, or whose `source` says exactly this."""
    sql = f"""
        {_WANTED}
        SELECT id FROM memories WHERE source = ? OR source_id IN (SELECT id FROM wanted)
        ORDER BY seq
    """  # noqa: S608
    return [one for (one,) in db.execute(sql, [source, source])]


def _turns_of_source(db: Database, source: str) -> list[str]:
    """Turns that came with an import, and all of a conversation that did."""
    sql = f"""
        {_WANTED}
        SELECT id FROM turns WHERE source_id IN (SELECT id FROM wanted) OR conversation_id IN
            (SELECT id FROM conversations WHERE source_id IN (SELECT id FROM wanted))
        ORDER BY seq
    """  # noqa: S608
    return [one for (one,) in db.execute(sql, [source])]


_WANTED = """
    WITH RECURSIVE wanted(id) AS (
        SELECT ? UNION SELECT s.id FROM sources s JOIN wanted w ON s.parent_id = w.id
    )"""


def _range(which: Forget) -> tuple[str, str]:
    after = rows.clean_time(which.after) if which.after else ""
    before = rows.clean_time(which.before) if which.before else "~"  # after every digit
    if after >= before:
        raise InvalidInput("The range of time is empty.", "`after` must lie before `before`.")
    return after, before


def _gone(db: Database, memory_id: str) -> Gone:
    one = tables.get(db, memory_id)
    return Gone(one.id, one.text, one.lang, one.speaker, one.trust)


def _told_in(db: Database, memory_ids: Sequence[str]) -> frozenset[str]:
    sql = (
        "SELECT conversation_id FROM turns WHERE id IN "
        "(SELECT turn_id FROM recalls WHERE memory_id = ?)"
    )
    return frozenset(chat for one in memory_ids for (chat,) in db.execute(sql, [one]))


class Deleted(msgspec.Struct, frozen=True):
    """Turns that went."""

    chats: frozenset[str]
    """Where they stood."""
    empty: list[str]
    """Chats that went with their last turn."""
    torn_out: list[str]
    """Those of the turns that stood in chats that stay."""
    redacted: frozenset[str]
    """Later turns of these chats that were cleaned of what they quoted."""
    since: dict[str, int]
    """Chats that stay, with the number of the first turn that went there."""


def delete_turns(db: Database, turn_ids: Sequence[str]) -> Deleted:
    """Turns, and the summaries that cover them; a chat goes with its last one.

    In a chat that stays, nothing made from their words is left: no title, no quotation in a later answer.
    """
    sql = "SELECT seq, conversation_id FROM turns WHERE id = ?"
    places = {turn_id: db.execute(sql, [turn_id]).fetchone() for turn_id in turn_ids}
    stood = {turn_id: chat for turn_id, (_, chat) in places.items()}
    staying = torn.of_chats_that_stay(db, stood)
    for seq, chat in places.values():
        db.execute("DELETE FROM summaries WHERE conversation_id = ? AND upto >= ?", [chat, seq])
        db.execute("DELETE FROM turns WHERE seq = ?", [seq])
    chats = frozenset(stood.values())
    empty = sorted(chats - staying.keys())
    # Their titles were made from their first questions.
    db.conn.executemany("DELETE FROM conversations WHERE id = ?", [(chat,) for chat in empty])
    redacted = [torn.mend(db, chat, gone) for chat, gone in staying.items()]
    return Deleted(
        chats,
        empty,
        [one for one, chat in stood.items() if chat in staying],
        frozenset().union(*redacted),
        {chat: gone[0].seq for chat, gone in staying.items()},
    )


def _told(db: Database) -> list[str]:
    """Tables with what was told, whoever made them; the index of words follows by its triggers."""
    return [name for name in tables.names(db) if name not in KEPT]


def _counts(db: Database) -> dict[str, int]:
    return {
        table: int(db.execute(f"SELECT count(*) FROM [{table}]").fetchone()[0])  # noqa: S608
        for table in _told(db)
    }


def _less(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {table: n - after[table] for table, n in before.items() if n > after[table]}
