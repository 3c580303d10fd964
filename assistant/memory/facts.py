"""Facts with a life: what is told is stored once, closes what it contradicts, and keeps its history.

All of it is code: a claim replaces another by (subject, attribute) where there is one value at a
time, and adds to it where there are many. A row that says more than what has changed is split, so
that only what no longer holds is closed. Every function runs inside the writer's transaction.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
from sqlite_utils import Database

from assistant.memory import bulk, claims, offered, profile, rows, subjects, tables, trust
from assistant.memory.attributes import OPPOSITE, attribute
from assistant.memory.claims import Claim, Segment
from assistant.memory.kin import KIN
from assistant.memory.places import may_be_in
from assistant.memory.statements import column
from assistant.memory.values import PLACES
from assistant.memory.work import Work
from assistant.types import Memory, NewMemory

KINDS = frozenset({"fact", "preference", "note"})
"""What may state something: the other kinds are records of what was said or is to be done."""
_ROLE_WORDS = frozenset(KIN.values())
_NOTHING: Mapping[bytes, bytes] = MappingProxyType({})


class Fresh(msgspec.Struct, frozen=True):
    """A row to be stored, with what it claims."""

    row: dict[str, Any]
    segments: tuple[Segment, ...] = ()
    episode: str = ""
    once: bool = False
    """Not stored again where the very same is stored."""

    @property
    def record(self) -> bool:
        """Whether nothing follows from it, and nothing has to be looked up."""
        return not (self.once or self.segments)

    def plain(self) -> Fresh:
        """As it is, however often it is there."""
        return msgspec.structs.replace(self, once=self.once and self.row["kind"] != "note")


def fresh(new: NewMemory, moment: str) -> Fresh:
    """A memory to be stored, read for what it claims. Raises InvalidInput and its kin.

    Only the user's own plain statements claim anything: never what files, tools or other people say.
    """
    row = rows.fresh(new, moment)
    states = row["trust"] == "user" and new.kind in KINDS and not (new.thread or new.speaker)
    segments = claims.read(row["text"]) if states else ()
    said = any(segment.claims for segment in segments)
    once = states and (said or new.kind != "note" or new.said_at is None)
    return Fresh(row, segments if said else (), new.episode, once)


def store(
    db: Database, items: Sequence[Fresh], model: str, given: Mapping[bytes, bytes] = _NOTHING
) -> Work:
    """Store them in order. What they contradict is closed in the same transaction.

    `given` are vectors of this model that are known already, by the hash of their text.
    """
    work = Work()
    if given:
        bulk.keep_vectors(db, model, given)
    for record, run in itertools.groupby(items, key=lambda item: item.record):
        if record:
            _store_records(db, list(run), model, work)
            continue
        for item in run:
            work.told.append(store_one(db, item, model, work))
    if given and work.known:
        bulk.drop_vectors(db, list(given))
    return work


def _store_records(db: Database, items: Sequence[Fresh], model: str, work: Work) -> None:
    fresh = [item.row for item in items]
    work.records += bulk.insert(db, fresh, [item.episode for item in items], model, work.reused)
    work.stored += [row["id"] for row in fresh]
    work.told += [rows.memory_fresh(row) for row in fresh]


def supersede(
    db: Database, old: Memory, text: str, changes: dict[str, Any], moment: str, model: str
) -> Work:
    """A live memory gets another text: the old one is closed, and with it what the new one contradicts."""
    new = NewMemory(
        text, old.kind, moment, old.source, old.speaker, old.thread, old.trust, old.scope,
        importance=old.importance, sensitivity=old.sensitivity,
    )  # fmt: skip
    item = fresh(new, moment)
    row = item.row | changes | {"valid_from": max(moment, old.valid_from)}
    trust.check_replaces(old.trust, row["trust"])
    work = Work()
    tables.update(db, old.id, {"valid_to": row["valid_from"]})
    work.told.append(store_one(db, msgspec.structs.replace(item, row=row, once=False), model, work))
    tables.update(db, old.id, {"superseded_by": row["id"]})
    tables.copy_names(db, old.id, row["id"])
    profile.unpin(db, [old.id])
    work.closed.append(old.id)
    work.changed.append(old.id)
    return work


def backfill(db: Database) -> None:
    """Note what memories of a time before claims state, oldest first. Nothing is closed."""
    kinds = ", ".join("?" * len(KINDS))
    sql = (
        f"SELECT id, text, said_at FROM memories WHERE trust = 'user' AND kind IN ({kinds}) "  # noqa: S608
        "AND thread IS NULL AND speaker IS NULL AND length(text) <= ? ORDER BY seq"
    )
    found = db.execute(sql, [*sorted(KINDS), claims.READ_CHARS]).fetchall()
    for memory_id, text, said_at in found:
        read = [c for s in claims.read(text) for c in s.claims]
        for claim in read:
            _note(db, claim, memory_id)
        if read:
            tables.update(db, memory_id, _about([c for c in read if not c.negated]))
            strengthen(db, memory_id, memory_id, said_at)


def end(db: Database, ended: Sequence[Claim], moment: str, model: str, work: Work) -> None:
    """Close what these deny, with no successor."""
    offered.withdraw(db, ended, moment)
    for claim in ended:
        subject = subjects.find(db, claim.who)
        if subject is not None:
            for memory_id, keys in _against(db, subject, claim, "").items():
                _close(db, memory_id, keys, moment, None, model, work)


def reopen(db: Database, memory_ids: Sequence[str]) -> list[str]:
    """Take closings back; the ids that hold again."""
    closed = [one for one in memory_ids if tables.exists(db, one)]
    for memory_id in closed:
        tables.update(db, memory_id, {"valid_to": None, "superseded_by": None})
    return closed


def contradicted(db: Database, read: Sequence[Segment]) -> bool:
    """Whether any of these claims changes something that holds now."""
    for claim in (c for segment in read for c in segment.claims):
        subject = subjects.find(db, claim.who)
        if subject is not None and _against(db, subject, claim, ""):
            return True
    return False


def part(db: Database, memory_id: str, said: Sequence[Claim], model: str, work: Work) -> None:
    """Where a memory says more than these claims, put what else it says into a memory of its own."""
    if not said or not tables.exists(db, memory_id):
        return
    keys = {(subjects.find(db, c.who) or "", column(c), c.key) for c in said}
    old = tables.get(db, memory_id)
    falls, stays = _split(db, old, keys)
    if falls and stays:
        work.removed.append(tables.rewrite(db, old.id, _joined(falls)))
        work.rewritten.append(old.id)
        _branch(db, old, stays, keys, model, work)


# --- one row ---------------------------------------------------------------------------------


def store_one(db: Database, item: Fresh, model: str, work: Work) -> Memory:
    """Store one, with all that follows from it; the row that says it now."""
    row, moment = item.row, item.row["valid_from"]
    positive = [c for s in item.segments for c in s.claims if not c.negated]
    if item.once and (same := _same(db, item, positive)):
        for memory_id in same:
            strengthen(db, memory_id, item.episode or row["id"], row["said_at"])
        work.known += same
        work.changed += same
        return tables.get(db, same[0])
    row = row | _about(positive)
    tables.insert_row(db, row, model, work.reused)
    work.stored.append(row["id"])
    work.changed.append(row["id"])
    strengthen(db, row["id"], item.episode or row["id"], row["said_at"])
    if not row["scope"]:  # what is offered has none
        offered.withdraw(db, positive, moment)
    for claim in (c for s in item.segments for c in s.claims):
        _assert(db, claim, row, moment, model, work)
    return tables.get(db, row["id"])


def _assert(
    db: Database, claim: Claim, row: dict[str, Any], moment: str, model: str, work: Work
) -> None:
    """Note a claim of a stored row, and close what it contradicts; or the row, if it is older."""
    memory_id = row["id"]
    subject = _note(db, claim, memory_id)
    if subject is None:
        return
    against = _against(db, subject, claim, row["scope"], but=memory_id)
    for other, keys in against.items():
        told = tables.get(db, other)
        if told.valid_from > moment and not claim.negated:
            # Told late of a time gone by: what is newer stays.
            mine = {(subject, column(claim), claim.key)}
            _close(db, memory_id, mine, told.valid_from, other, model, work)
            return
        successor = None if claim.negated else memory_id
        _close(db, other, keys, moment, successor, model, work)


def _note(db: Database, claim: Claim, memory_id: str) -> str | None:
    """Note a claim of a stored row; its subject, None if it is not clear who that is."""
    if claim.negated:
        subject = subjects.find(db, claim.who)
    else:
        subject = subjects.resolve(db, claim.who, memory_id)
        if claim.attribute in _ROLE_WORDS and subject == subjects.MYSELF:
            subjects.introduce(db, claim, memory_id)
    if subject is not None:
        db.execute(
            "INSERT OR IGNORE INTO claims (memory_id, subject, attribute, value, key) "
            "VALUES (?, ?, ?, ?, ?)",
            [memory_id, subject, column(claim), claim.value, claim.key],
        )
    return subject


_Key = tuple[str, str, str]


def _against(
    db: Database, subject: str, claim: Claim, scope: str, *, but: str = ""
) -> dict[str, set[_Key]]:
    """Live memories that a claim contradicts, each with the claims of it that fall."""
    kind = attribute(claim.attribute)
    where, values = "c.attribute = ? AND c.key = ?", [claim.attribute, claim.key]
    if not claim.negated:
        values[0] = f"not {claim.attribute}"
        if kind.single:
            where = f"({where} OR c.attribute = ? AND c.key != ?)"
            values += [claim.attribute, claim.key]
        elif claim.attribute in OPPOSITE:
            where = f"({where} OR c.attribute = ? AND c.key = ?)"
            values += [OPPOSITE[claim.attribute], claim.key]
    sql = f"""
        SELECT c.memory_id, c.attribute, c.key FROM claims c JOIN memories m ON m.id = c.memory_id
        WHERE c.subject = ? AND {where} AND m.valid_to IS NULL AND m.scope = ? AND m.id != ?
        ORDER BY m.seq
    """  # noqa: S608
    found: dict[str, set[_Key]] = {}
    for memory_id, name, value in db.execute(sql, [subject, *values, scope, but]).fetchall():
        if name in PLACES and claim.state and may_be_in(value, claim.key):
            continue
        found.setdefault(memory_id, set()).add((subject, name, value))
    return found


def _close(
    db: Database,
    memory_id: str,
    falling: set[_Key],
    moment: str,
    successor: str | None,
    model: str,
    work: Work,
) -> None:
    """Close a memory; what else it says stays, as a memory of its own."""
    old = tables.get(db, memory_id)
    if old.valid_to is not None:
        return
    falls, stays = _split(db, old, falling)
    if falls and stays:
        # Cut down to what falls: forgetting what stays must find no copy of it here.
        work.removed.append(tables.rewrite(db, old.id, _joined(falls)))
        work.rewritten.append(old.id)
        _branch(db, old, stays, falling, model, work)
    end = max(moment, old.valid_from)
    tables.update(db, memory_id, {"valid_to": end, "superseded_by": successor})
    # A chat that began with it must not go on with it.
    profile.unpin(db, [memory_id])
    work.closed.append(memory_id)
    work.changed.append(memory_id)


def _split(db: Database, old: Memory, falling: set[_Key]) -> tuple[list[Segment], list[Segment]]:
    """The segments that fall and those that stay. A text that is not read again the same stays whole."""
    falls: list[Segment] = []
    stays: list[Segment] = []
    keys = {(name, value) for _, name, value in falling}
    for segment in claims.read(old.text):
        gone = segment.claims and all((column(c), c.key) in keys for c in segment.claims)
        (falls if gone else stays).append(segment)
    return falls, stays


def _branch(
    db: Database, old: Memory, stays: Sequence[Segment], falling: set[_Key], model: str, work: Work
) -> None:
    """Store what a split row still says, as old as it was."""
    new = NewMemory(
        _joined(stays), old.kind, old.said_at, old.source, trust=old.trust, scope=old.scope,
        importance=old.importance, sensitivity=old.sensitivity, quote=old.quote,
    )  # fmt: skip
    row = rows.fresh(new, old.created_at) | {"valid_from": old.valid_from, "strength": old.strength}
    row |= _about([c for s in stays for c in s.claims])
    tables.insert_row(db, row, model, work.reused)
    work.stored.append(row["id"])
    marks = " AND ".join("NOT (attribute = ? AND key = ?)" for _ in falling)
    values = [x for _, name, value in falling for x in (name, value)]
    sql = f"UPDATE claims SET memory_id = ? WHERE memory_id = ? AND {marks}"  # noqa: S608
    db.execute(sql, [row["id"], old.id, *values])
    tables.copy_children(db, old.id, row["id"])


def _joined(segments: Sequence[Segment]) -> str:
    return ". ".join(one.text.rstrip(" .") for one in segments)


def _same(db: Database, item: Fresh, positive: Sequence[Claim]) -> list[str]:
    """Live memories that say all of it already; none if any of it is new."""
    row = item.row
    exact = tables.exact_text(db, row["text"], row["kind"], row["scope"])
    if exact:
        return exact[:1]
    if any(len(s.claims) == 0 or s.claims[0].negated for s in item.segments):
        return []
    found: dict[str, None] = {}
    for claim in positive:
        subject = subjects.find(db, claim.who)
        if subject is None or _tells_a_name(db, subject, claim):
            return []
        sql = (
            "SELECT m.id FROM claims c JOIN memories m ON m.id = c.memory_id WHERE c.subject = ? "
            "AND c.attribute = ? AND c.key = ? AND m.valid_to IS NULL AND m.scope = ? ORDER BY m.seq"
        )
        values = [subject, claim.attribute, claim.key, row["scope"]]
        said = db.execute(sql, values).fetchone()
        if said is None:
            return []
        found[said[0]] = None
    return list(found)


def _tells_a_name(db: Database, subject: str, claim: Claim) -> bool:
    """Whether a mention says what somebody is called that was not known."""
    sql = "SELECT 1 FROM aliases WHERE subject = ? AND alias = ?"
    return any(
        db.execute(sql, [subject, alias]).fetchone() is None
        for alias, _ in subjects.aliases_of(claim.who)
    )


def strengthen(db: Database, memory_id: str, episode: str, said_at: str) -> None:
    """It was said once more; the same episode counts once."""
    db.execute(
        "INSERT OR IGNORE INTO episodes (memory_id, episode, said_at) VALUES (?, ?, ?)",
        [memory_id, episode, said_at],
    )
    sql = "UPDATE memories SET strength = (SELECT count(*) FROM episodes WHERE memory_id = id) WHERE id = ?"
    db.execute(sql, [memory_id])


def _about(positive: Sequence[Claim]) -> dict[str, Any]:
    """Subject and attribute of a row, where it has one of each."""
    shown = {c.who.name or c.who.shown for c in positive}
    names = {c.attribute for c in positive}
    return {
        "subject": shown.pop() if len(shown) == 1 else None,
        "attribute": names.pop() if len(names) == 1 else None,
    }
