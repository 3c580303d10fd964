"""What memories say of whom: now, once, and in which words of the claims table."""

from __future__ import annotations

from sqlite_utils import Database

from assistant.memory import rows, subjects, tables
from assistant.memory.claims import Claim
from assistant.types import Memory


def live(db: Database, subject: str, name: str | None = None) -> list[Memory]:
    """The memories that now say something of a subject, of one attribute or all; oldest first."""
    return _of(db, subject, name, "m.valid_to IS NULL")


def past(db: Database, subject: str, name: str) -> list[Memory]:
    """The memories that said it and hold no longer, the latest first."""
    found = _of(db, subject, name, "m.valid_to IS NOT NULL")
    return sorted(found, key=lambda one: (one.valid_to or "", one.id), reverse=True)


def claimed(db: Database, memory_id: str) -> list[tuple[str, str]]:
    """Of whom a live memory says what: (subject, attribute)."""
    sql = (
        "SELECT DISTINCT c.subject, c.attribute FROM claims c JOIN memories m ON m.id = c.memory_id "
        "WHERE m.id = ? AND m.valid_to IS NULL"
    )
    return [(subject, name) for subject, name in db.execute(sql, [memory_id])]


def saying(db: Database, claim: Claim) -> list[Memory]:
    """The live memories that claim this very thing."""
    subject = subjects.find(db, claim.who)
    if subject is None:
        return []
    sql = "SELECT memory_id FROM claims WHERE subject = ? AND attribute = ? AND key = ?"
    ids = db.execute(sql, [subject, column(claim), claim.key]).fetchall()
    found = [tables.get(db, one) for (one,) in ids]
    return [one for one in found if one.valid_to is None]


def column(claim: Claim) -> str:
    """The attribute as stored: a denial is a claim of its own, which the next assertion closes."""
    return f"not {claim.attribute}" if claim.negated else claim.attribute


def _of(db: Database, subject: str, name: str | None, holds: str) -> list[Memory]:
    columns = ", ".join(f"m.{one}" for one in rows.FIELDS)
    sql = (
        f"SELECT DISTINCT {columns} FROM memories m JOIN claims c ON c.memory_id = m.id "  # noqa: S608
        f"WHERE c.subject = ? AND (? IS NULL OR c.attribute = ?) AND {holds} ORDER BY m.seq"
    )
    return [rows.memory(row) for row in db.execute(sql, [subject, name, name])]
