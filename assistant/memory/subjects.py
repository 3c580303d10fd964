"""Who is who: names, roles and possessives of one subject, as the user told them. `me` is the user.

A subject is an id that aliases share. Each alias goes with the memory that told it, so that a
forgotten memory leaves no name behind. Nothing is guessed: where two fit, none is chosen.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence

from sqlite_utils import Database

from assistant.memory.claims import ME, Claim, Who
from assistant.memory.kin import KIN, POSSESSIVES, ROLES
from assistant.memory.words import words_in
from assistant.types import new_id

MYSELF = "me"


def aliases_of(who: Who) -> list[tuple[str, str]]:
    """The aliases that a mention tells, with how each is shown; a first name alone is one too."""
    told = []
    if who.name:
        told.append((_named(who.name), who.name))
        first = who.name.split()[0]
        if first != who.name:
            told.append((_named(first), first))
    if who.role:
        told.append((f"role:{who.role}", who.shown.removesuffix(who.name).strip() or who.role))
    return told


def find(db: Database, who: Who) -> str | None:
    """The subject that is meant; None if it is unknown or not clear which."""
    if who.me:
        return MYSELF
    found = _known(db, who)
    return found.pop() if len(found) == 1 else None


def resolve(db: Database, who: Who, memory_id: str) -> str | None:
    """As `find`, a new subject if it is unknown; what this mention tells is noted down with the memory."""
    if who.me:
        return MYSELF
    found = _known(db, who)
    if len(found) > 1:
        return None
    subject = found.pop() if found else new_id("s")
    if who.name and who.role:
        _adopt(db, subject, who.role)
    note(db, subject, who, memory_id)
    return subject


def note(db: Database, subject: str, who: Who, memory_id: str) -> None:
    """Note what a memory calls a subject."""
    for alias, shown in aliases_of(who):
        db.execute(
            "INSERT OR IGNORE INTO aliases (alias, subject, memory_id, shown) VALUES (?, ?, ?, ?)",
            [alias, subject, memory_id, shown],
        )


def introduce(db: Database, claim: Claim, memory_id: str) -> None:
    """`my sister is Ana`: from now on both names mean one subject. A role of one passes on."""
    role = claim.attribute
    who = Who(f"my {role} {claim.value}", role, claim.value)
    if role in ROLES:
        named = _with(db, _named(claim.value))
        for subject in _with(db, f"role:{role}") - named:
            if _names(db, subject):
                sql = "DELETE FROM aliases WHERE alias = ? AND subject = ?"
                db.execute(sql, [f"role:{role}", subject])
    resolve(db, who, memory_id)


def is_name(db: Database) -> Callable[[str], bool]:
    """Whether a name in small letters is one that was told."""
    return lambda name: bool(_with(db, _named(name)))


def told(db: Database, names: Iterable[str]) -> frozenset[str]:
    """Those of these names, in lower case, that were told."""
    wanted = {_named(name): name for name in names}
    marks = ", ".join("?" * len(wanted))
    sql = f"SELECT DISTINCT alias FROM aliases WHERE alias IN ({marks})"  # noqa: S608
    return frozenset(wanted[one] for (one,) in db.execute(sql, list(wanted)))


def mentioned(db: Database, text: str) -> list[str]:
    """The subjects that a question names, by name or by role with a possessive; `me` is not among them."""
    words = words_in(text)
    wanted = [_named(" ".join(words[i : i + n])) for n in (1, 2, 3) for i in range(len(words))]
    for i, word in enumerate(words[:-1]):
        if word in POSSESSIVES:
            for n in (1, 2):
                role = KIN.get(" ".join(words[i + 1 : i + 1 + n]))
                wanted += [f"role:{role}"] if role else []
    marks = ", ".join("?" * len(wanted))
    sql = f"SELECT DISTINCT subject FROM aliases WHERE alias IN ({marks})"  # noqa: S608
    return [one for (one,) in db.execute(sql, wanted)] if wanted else []


def other_names(db: Database, text: str) -> frozenset[str]:
    """Words, in lower case, for the subjects of a question by their other names: `my sister` is Ana."""
    names: set[str] = set()
    for subject in mentioned(db, text):
        sql = "SELECT DISTINCT shown FROM aliases WHERE subject = ?"
        names |= {word for (one,) in db.execute(sql, [subject]) for word in words_in(one)}
    return frozenset(names - set(words_in(text)) - set(POSSESSIVES))


def shown(db: Database, subject: str) -> str:
    """What to call a subject: its name, else its role."""
    if subject == MYSELF:
        return ME.shown
    sql = "SELECT shown FROM aliases WHERE subject = ? ORDER BY alias LIKE 'role:%', length(alias) DESC"
    row = db.execute(sql, [subject]).fetchone()
    return str(row[0]) if row else ""


def role(db: Database, subject: str) -> str:
    """What a subject is to the user; empty if that was not told, or is more than one thing."""
    sql = "SELECT DISTINCT alias FROM aliases WHERE subject = ? AND alias LIKE 'role:%'"
    found = [one for (one,) in db.execute(sql, [subject])]
    return str(found[0]).removeprefix("role:") if len(found) == 1 else ""


def _known(db: Database, who: Who) -> set[str]:
    named = _with(db, _named(who.name)) if who.name else set()
    acting = _with(db, f"role:{who.role}") if who.role else set()
    if not who.name:
        return acting
    if not who.role:
        return named
    if both := named & acting:
        return both
    # A name without any role takes this one; somebody of this role without a name takes the name.
    free = {subject for subject in named if not _roles(db, subject)}
    return free or {subject for subject in acting if not _names(db, subject)}


def _adopt(db: Database, subject: str, role: str) -> None:
    """Somebody told of by this role alone turns out to be this subject."""
    nameless = [one for one in _with(db, f"role:{role}") - {subject} if not _names(db, one)]
    if len(nameless) != 1 or _roles(db, subject):
        return
    for table in ("claims", "aliases"):
        sql = f"UPDATE OR IGNORE {table} SET subject = ? WHERE subject = ?"  # noqa: S608
        db.execute(sql, [subject, nameless[0]])
        db.execute(f"DELETE FROM {table} WHERE subject = ?", [nameless[0]])  # noqa: S608


def _with(db: Database, alias: str) -> set[str]:
    sql = "SELECT DISTINCT subject FROM aliases WHERE alias = ?"
    return {one for (one,) in db.execute(sql, [alias])}


def _names(db: Database, subject: str) -> Sequence[str]:
    sql = "SELECT DISTINCT shown FROM aliases WHERE subject = ? AND alias LIKE 'name:%'"
    return [one for (one,) in db.execute(sql, [subject])]


def _roles(db: Database, subject: str) -> bool:
    sql = "SELECT 1 FROM aliases WHERE subject = ? AND alias LIKE 'role:%'"
    return db.execute(sql, [subject]).fetchone() is not None


def _named(name: str) -> str:
    plain = " ".join(unicodedata.normalize("NFC", name).casefold().split()).strip(" .,'")
    return f"name:{plain}"
