"""The SQL of memories: every statement that reads or changes the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlite_utils import Database

from assistant.errors import MemoryClosed, MemoryNotFound
from assistant.memory import profile, rows, trust
from assistant.memory.redact import Gone, Touched, redact_turns
from assistant.memory.slots import Filter, Row
from assistant.types import Memory, Recalled


def insert(
    db: Database, fresh: Sequence[dict[str, Any]], model: str
) -> tuple[list[Memory], list[Row], list[tuple[int, bytes]]]:
    """Insert rows; those whose text has a vector already get it here and now."""
    reused: list[tuple[int, bytes]] = []
    for row in fresh:
        insert_row(db, row, model, reused)
    ids = [row["id"] for row in fresh]
    return [get(db, one) for one in ids], index_rows(db, ids), reused


def insert_row(
    db: Database, row: dict[str, Any], model: str, reused: list[tuple[int, bytes]]
) -> None:
    """Insert one row; if its text has a vector already, that is noted in `reused`.

    Raises Untrusted if it would be taken for the user's words and is not.
    """
    trust.check(row["kind"], row["trust"])
    known = db.execute(
        "SELECT vector FROM vectors WHERE content_hash = ? AND model = ?",
        [row["content_hash"], model],
    ).fetchone()
    full = row | {"embed_model": model if known else None}
    sql = f"INSERT INTO memories ({', '.join(full)}) VALUES ({', '.join('?' * len(full))})"  # noqa: S608
    seq = db.execute(sql, list(full.values())).lastrowid or 0
    if known:
        reused.append((int(seq), known[0]))


_CHILDREN = {
    "claims": "subject, attribute, value, key",
    "aliases": "alias, subject, shown",
    "episodes": "episode, said_at",
}
"""Tables that belong to a memory, with their columns but its id."""


def rewrite(db: Database, memory_id: str, text: str) -> int:
    """Give a row another text, all else as it was; no copy of the old one is left.

    The row gets a new number, since the index takes a number's text to be fixed; returns the old one.
    """
    columns = [one[1] for one in db.execute("PRAGMA table_info(memories)")]
    sql = f"SELECT {', '.join(columns)} FROM memories WHERE id = ?"  # noqa: S608
    row = dict(zip(columns, db.execute(sql, [memory_id]).fetchone(), strict=True))
    kept = {
        name: db.execute(f"SELECT {of} FROM {name} WHERE memory_id = ?", [memory_id]).fetchall()  # noqa: S608
        for name, of in _CHILDREN.items()
    }
    db.execute("DELETE FROM memories WHERE id = ?", [memory_id])
    row |= {"text": text, "content_hash": rows.content_hash(text), "embed_model": None}
    seq = int(row.pop("seq"))
    sql = f"INSERT INTO memories ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"  # noqa: S608
    db.execute(sql, list(row.values()))
    for name, of in _CHILDREN.items():
        marks = ", ".join("?" * (of.count(",") + 2))
        sql = f"INSERT INTO {name} (memory_id, {of}) VALUES ({marks})"  # noqa: S608
        db.conn.executemany(sql, [(memory_id, *child) for child in kept[name]])
    return seq


def copy_children(db: Database, memory_id: str, to: str) -> None:
    """Names and episodes of one memory are another's too, and the turns that recalled it."""
    for name in ("aliases", "episodes"):
        of = _CHILDREN[name]
        sql = f"INSERT OR IGNORE INTO {name} (memory_id, {of}) SELECT ?, {of} FROM {name} WHERE memory_id = ?"  # noqa: S608
        db.execute(sql, [to, memory_id])
    sql = (
        "INSERT OR IGNORE INTO recalls (memory_id, turn_id) "
        "SELECT ?, turn_id FROM recalls WHERE memory_id = ?"
    )
    db.execute(sql, [to, memory_id])


def copy_names(db: Database, memory_id: str, to: str) -> None:
    """What one memory calls somebody holds beside another one too."""
    of = _CHILDREN["aliases"]
    sql = f"INSERT OR IGNORE INTO aliases (memory_id, {of}) SELECT ?, {of} FROM aliases WHERE memory_id = ?"  # noqa: S608
    db.execute(sql, [to, memory_id])


def exact_text(db: Database, text: str, kind: str, scope: str) -> list[str]:
    """Live memories of this kind that have this very text, the first one first."""
    sql = (
        "SELECT id FROM memories WHERE content_hash = ? AND kind = ? AND scope = ? "
        "AND trust = 'user' AND valid_to IS NULL AND thread IS NULL AND speaker IS NULL ORDER BY seq"
    )
    return [one for (one,) in db.execute(sql, [rows.content_hash(text), kind, scope])]


def names(db: Database) -> list[str]:
    """Every table with rows of its own: no virtual ones, nor those in which they keep theirs."""
    sql = "SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name"
    found = db.execute(sql).fetchall()
    virtual = [name for name, made in found if made.upper().startswith("CREATE VIRTUAL")]
    theirs = tuple(f"{name}_" for name in virtual)
    return [
        name
        for name, _ in found
        if name not in virtual and not name.startswith((*theirs, "sqlite_"))
    ]


def get(db: Database, memory_id: str) -> Memory:
    sql = f"SELECT {rows.COLUMNS} FROM memories WHERE id = ?"  # noqa: S608
    found = db.execute(sql, [memory_id]).fetchone()
    if found is None:
        raise MemoryNotFound
    return rows.memory(found)


def ids(db: Database, seqs: Sequence[int]) -> list[str]:
    marks = ", ".join("?" * len(seqs))
    sql = f"SELECT id FROM memories WHERE seq IN ({marks})"  # noqa: S608
    return [one for (one,) in db.execute(sql, list(seqs))]


def exists(db: Database, memory_id: str) -> bool:
    return db.execute("SELECT 1 FROM memories WHERE id = ?", [memory_id]).fetchone() is not None


def get_live(db: Database, memory_id: str) -> Memory:
    found = get(db, memory_id)
    if found.valid_to is not None:
        raise MemoryClosed
    return found


def index_rows(db: Database, ids: Iterable[str]) -> list[Row]:
    sql = f"SELECT {rows.INDEXED} FROM memories WHERE id = ?"  # noqa: S608
    return [rows.indexed(db.execute(sql, [one]).fetchone()) for one in ids]


def update(db: Database, memory_id: str, changes: dict[str, Any]) -> None:
    """Change columns in place. Raises Untrusted where a kind would be more than its label allows."""
    if "kind" in changes:
        trust.check(changes["kind"], get(db, memory_id).trust)
    names = ", ".join(f"{name} = ?" for name in changes)
    db.execute(f"UPDATE memories SET {names} WHERE id = ?", [*changes.values(), memory_id])  # noqa: S608


def chain(db: Database, memory_id: str) -> list[Memory]:
    """Every version, oldest first. Several rows may have been merged into one; all are in it."""
    get(db, memory_id)
    sql = f"""
        WITH RECURSIVE chain(id) AS (
            SELECT ?
            UNION SELECT m.superseded_by FROM memories m JOIN chain c ON m.id = c.id
                WHERE m.superseded_by IS NOT NULL
            UNION SELECT m.id FROM memories m JOIN chain c ON m.superseded_by = c.id
        )
        SELECT {rows.COLUMNS} FROM memories WHERE id IN (SELECT id FROM chain)
        ORDER BY valid_from, valid_to IS NULL, valid_to, seq
    """  # noqa: S608
    return [rows.memory(row) for row in db.execute(sql, [memory_id])]


def delete(db: Database, chosen: Sequence[str]) -> tuple[list[int], Touched]:
    """Remove rows and clean the turns that quoted them; their numbers, and those turns.

    Older versions of a removed row point past it.
    """
    gone = [get(db, one) for one in chosen]
    touched = redact_turns(
        db, [Gone(one.id, one.text, one.lang, one.speaker, one.trust) for one in gone]
    )
    chats = touched.conversations | profile.unpin(db, set(chosen))
    for one in gone:
        db.execute("DELETE FROM suggestions WHERE text = ? OR quote = ?", [one.text, one.quote])
    return [_delete_row(db, one) for one in chosen], Touched(touched.turns, chats)


def _delete_row(db: Database, memory_id: str) -> int:
    sql = "SELECT seq, superseded_by FROM memories WHERE id = ?"
    seq, successor = db.execute(sql, [memory_id]).fetchone()
    sql = "UPDATE memories SET superseded_by = ? WHERE superseded_by = ?"
    db.execute(sql, [successor, memory_id])
    db.execute("DELETE FROM memories WHERE seq = ?", [seq])
    return int(seq)


def same_text(db: Database, text: str) -> list[str]:
    """Live memories that say exactly this; case, spaces and a full stop do not count."""
    wanted = rows.plain(text).rstrip(" .!")
    # SQLite folds ASCII alone, so the comparison is made here.
    found = db.execute("SELECT id, text FROM memories WHERE valid_to IS NULL")
    return [memory_id for memory_id, said in found if rows.plain(said).rstrip(" .!") == wanted]


def with_words(db: Database, words: Sequence[str], *, closed: bool = False) -> list[Memory]:
    """Memories that have all of these words, live or closed, the latest first; none for no words."""
    if not words:
        return []
    wanted = " AND ".join('"' + word.replace('"', '""') + '"' for word in words)
    holds = "NOT NULL" if closed else "NULL"
    sql = (
        f"SELECT {rows.COLUMNS} FROM memories WHERE seq IN "  # noqa: S608
        f"(SELECT rowid FROM memories_fts WHERE memories_fts MATCH ?) AND valid_to IS {holds} "
        "ORDER BY seq DESC LIMIT 50"
    )
    return [rows.memory(row) for row in db.execute(sql, [wanted])]


def unread(db: Database, kinds: Sequence[str]) -> list[Memory]:
    """The user's own live memories of these kinds that no rule read a fact in, the latest first."""
    marks = ", ".join("?" * len(kinds))
    sql = (
        f"SELECT {rows.COLUMNS} FROM memories m WHERE valid_to IS NULL AND kind IN ({marks}) "  # noqa: S608
        "AND trust = 'user' AND thread IS NULL AND speaker IS NULL "
        "AND NOT EXISTS (SELECT 1 FROM claims WHERE memory_id = m.id) ORDER BY seq DESC"
    )
    return [rows.memory(row) for row in db.execute(sql, list(kinds))]


def recalled_rows(
    db: Database, seqs: Sequence[int], which: Filter
) -> dict[int, Callable[[float], Recalled]]:
    """The chosen rows; the filter once more, in SQL, since the arrays are only derived."""
    if not seqs:
        return {}
    holds = (
        "valid_to IS NULL"
        if which.at is None
        else (
            f"unixepoch(valid_from) <= {which.at} AND (valid_to IS NULL OR unixepoch(valid_to) > {which.at})"
        )
    )
    marks = ", ".join("?" * len(seqs))
    sql = (
        "SELECT seq, id, text, kind, said_at, source, speaker, trust, place FROM memories "  # noqa: S608
        f"WHERE seq IN ({marks}) AND {holds}"
    )

    def maker(row: Sequence[Any]) -> Callable[[float], Recalled]:
        _, memory_id, text, kind, said_at, source, speaker, label, raw = row
        place = json.loads(raw) if raw else None
        return lambda score: Recalled(
            memory_id, text, score, kind, said_at, source, speaker, trust=label, place=place
        )

    return {row[0]: maker(row) for row in db.execute(sql, list(seqs))}


def texts(db: Database, seqs: Sequence[int], chars: int) -> dict[int, str]:
    """The first `chars` of the chosen rows' texts, whatever holds."""
    marks = ", ".join("?" * len(seqs))
    sql = f"SELECT seq, substr(text, 1, ?) FROM memories WHERE seq IN ({marks})"  # noqa: S608
    return dict(db.execute(sql, [chars, *seqs]).fetchall())
