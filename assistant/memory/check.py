"""Do the table, its words, its vectors and the arrays in memory agree?"""

from __future__ import annotations

from typing import Any

from sqlcipher3 import dbapi2 as sqlcipher
from sqlite_utils import Database

from assistant.memory.vectors import Index


def check(db: Database, index: Index | None = None, *, full: bool = False) -> dict[str, Any]:
    """`{"ok", "rows", "live", "pending", "vectors", "problems"}`; needs the write connection.

    `full` also verifies every page's signature and every index entry: seconds for a large file. What
    cannot be read at all is a problem, no error.
    """
    try:
        return _check(db, index, full)
    except sqlcipher.Error:
        return {"ok": False, "problems": ["file: a part of it cannot be read"]}


def _check(db: Database, index: Index | None, full: bool) -> dict[str, Any]:
    problems = _pages(db, full) + _words(db) + _vectors(db)
    if index is not None:
        problems += _arrays(db, index)

    def count(what: str) -> int:
        return int(db.execute(f"SELECT count(*) FROM {what}").fetchone()[0])  # noqa: S608

    return {
        "ok": not problems,
        "rows": count("memories"),
        "live": count("memories WHERE valid_to IS NULL"),
        "pending": count("memories WHERE embed_model IS NULL"),
        "vectors": count("vectors"),
        "problems": problems,
    }


def _pages(db: Database, full: bool) -> list[str]:
    if full:
        # A page that is torn in the file, and whole in the log, is as it should be after a crash.
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    found = [row[0] for row in db.execute(f"PRAGMA {'integrity' if full else 'quick'}_check")]
    problems = [f"file: {line}" for line in found if line != "ok"]
    if full:
        problems += [f"cipher: {row[0]}" for row in db.execute("PRAGMA cipher_integrity_check")]
    if broken := db.execute("PRAGMA foreign_key_check").fetchall():
        problems.append(f"{len(broken)} rows refer to rows that are gone")
    return problems


def _words(db: Database) -> list[str]:
    try:
        db.execute("INSERT INTO memories_fts(memories_fts, rank) VALUES ('integrity-check', 1)")
    except sqlcipher.DatabaseError:
        return ["words: the word index and the table differ"]
    return []


_VECTOR_FAULTS = {
    "vectors of texts that are gone": """
        SELECT count(*) FROM vectors v WHERE NOT EXISTS
            (SELECT 1 FROM memories m WHERE m.content_hash = v.content_hash)""",
    "rows marked as embedded without a vector": """
        SELECT count(*) FROM memories m WHERE embed_model IS NOT NULL AND NOT EXISTS
            (SELECT 1 FROM vectors v
             WHERE v.content_hash = m.content_hash AND v.model = m.embed_model)""",
    "vectors of the wrong length": "SELECT count(*) FROM vectors WHERE length(vector) <> 2 * dim",
    "rows superseded by nothing": """
        SELECT count(*) FROM memories m WHERE superseded_by IS NOT NULL AND
            (valid_to IS NULL OR NOT EXISTS
                (SELECT 1 FROM memories n WHERE n.id = m.superseded_by))""",
}


def _vectors(db: Database) -> list[str]:
    counts = {name: db.execute(sql).fetchone()[0] for name, sql in _VECTOR_FAULTS.items()}
    return [f"vectors: {count} {name}" for name, count in counts.items() if count]


def _arrays(db: Database, index: Index) -> list[str]:
    settled = index.settled  # asked first: vectors may still be loading, and end meanwhile
    rows, with_vector = index.contents()
    table = {seq for (seq,) in db.execute("SELECT seq FROM memories")}
    problems = []
    if rows != table:
        problems.append(f"arrays: {len(rows ^ table)} rows differ from the table")
    if settled:
        sql = "SELECT seq FROM memories WHERE embed_model IS NOT NULL"
        embedded = {seq for (seq,) in db.execute(sql)}
        if with_vector != embedded:
            problems.append(f"arrays: {len(with_vector ^ embedded)} vectors differ from the table")
    return problems
