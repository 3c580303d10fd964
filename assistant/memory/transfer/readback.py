"""Rows of an export back into a database: checked first, then a batch a transaction.

A row that is here already stays as it is, so the same file twice adds nothing, and an import that was
killed is finished by another. A conversation and all that hangs on it come in one transaction, unless
they are very large.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from sqlcipher3 import dbapi2 as sqlcipher
from sqlite_utils import Database

from assistant.config import LIMITS
from assistant.errors import ImportInvalid, ImportNewer, Stopped
from assistant.memory import tables
from assistant.memory.scan import Floats
from assistant.memory.slots import Row as Indexed
from assistant.memory.tombstones import Tombstone
from assistant.memory.transfer import format as form
from assistant.memory.transfer import wellformed
from assistant.memory.transfer.forgotten import Forgotten
from assistant.memory.transfer.layout import (
    GROUP,
    OWN_COLUMNS,
    OWN_SETTINGS,
    Layout,
    Table,
    unfollowed,
)

UNIT_ROWS = 20_000
"""Rows of one conversation in one transaction; more of them are cut."""


class Outcome(msgspec.Struct):
    """What became of some rows, by table."""

    added: dict[str, int] = {}
    same: dict[str, int] = {}
    different: dict[str, int] = {}
    """Rows that are here with other values: ours were left as they are."""
    forgotten: dict[str, int] = {}
    """Rows that were forgotten here, and stay so."""

    @classmethod
    def nothing(cls) -> Outcome:
        """Empty, and nobody else's."""
        return cls({}, {}, {}, {})

    def count(self, what: dict[str, int], table: str) -> None:
        """One more."""
        what[table] = what.get(table, 0) + 1

    def join(self, other: Outcome) -> None:
        """Add another's counts."""
        for name in self.__struct_fields__:
            mine, more = getattr(self, name), getattr(other, name)
            for table, count in more.items():
                mine[table] = mine.get(table, 0) + count


class Stored(msgspec.Struct):
    """What a batch changed, for the index."""

    outcome: Outcome
    rows: list[Indexed]
    vectors: list[tuple[int, bytes]]
    """Of the model in use."""
    pending: bool = False
    stones: list[Tombstone] = []
    """What was forgotten and came back."""


def check(reader: form.Reader, known: Layout) -> Iterator[int]:
    """Read a whole file and count its rows. Raises ImportInvalid or ImportNewer; writes nothing."""
    _check_header(reader.header, known)
    by_name = {one.name: one for one in known}
    for count, row in enumerate(reader, 1):
        try:
            wellformed.check(row, reader.header, by_name)
        except ImportInvalid as exc:
            raise ImportInvalid(f"Row {count:,} of the file: {exc.message}", exc.hint) from exc
        yield count


def _check_header(header: form.Header, known: Layout) -> None:
    here = {one.name: set(one.columns) for one in known}
    for name, shape in header.tables.items():
        if name not in here or set(shape.columns) - here[name]:
            raise ImportNewer("This file has fields that this version of Nestor does not know.")


def batches(found: Iterable[form.Row], hanging: frozenset[str]) -> Iterator[list[form.Row]]:
    """Rows that belong into one transaction, `hanging` the tables whose rows follow a conversation's."""
    batch: list[form.Row] = []
    for row in found:
        whole = row.table not in hanging or len(batch) >= UNIT_ROWS
        if len(batch) >= LIMITS.import_batch_rows and whole:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def store(
    db: Database,
    batch: Sequence[form.Row],
    by_name: Mapping[str, Table],
    model: str,
    forgotten: Forgotten,
    grouped: frozenset[str],
    system: str = "",
) -> Stored:
    """Insert what is not here yet. Raises ImportInvalid.

    `model` is the embedding model in use, `grouped` the tables whose rows follow a conversation's,
    `system` what opens conversations here: no file says what a model is told.
    """
    done = Stored(Outcome.nothing(), [], [])
    for row, table, stored, left_out in _looked_at(db, batch, by_name, forgotten, grouped):
        if left_out:
            done.outcome.count(done.outcome.forgotten, row.table)
            continue
        if row.table == GROUP:
            stored |= {"system": system}
        if row.table == "turns" and stored.get("status") == "running":
            stored |= _INTERRUPTED
        try:
            if row.table == "memories":
                _store_memory(db, table, stored, row.vectors, model, done)
            else:
                _count(db, table, stored, _insert(db, table, stored) is not None, done.outcome)
        except sqlcipher.IntegrityError as exc:
            raise ImportInvalid(_AGAINST_RULES) from exc
    done.stones = forgotten.settle()
    return done


def _looked_at(
    db: Database,
    batch: Sequence[form.Row],
    by_name: Mapping[str, Table],
    forgotten: Forgotten,
    grouped: frozenset[str],
) -> Iterator[tuple[form.Row, Table, dict[str, Any], bool]]:
    """Each row with its table, its values, and whether it is forgotten: with its conversation, too."""
    gone = _hangs_on_nothing(db, batch[0], by_name, forgotten)
    torn = False
    for row in batch:
        if _is_of_a_machine(row):
            continue
        table, stored = by_name[row.table], unfollowed(row.table, form.values(row.row))
        if row.table == GROUP:
            gone = _left_out(db, table, stored, forgotten)
            torn = False
        if row.table in ("memories", "turns"):
            own = _left_out(db, table, stored, forgotten)
            torn |= own and row.table == "turns"
        elif row.table == "summaries" and torn:
            own = True  # it may tell what the turn had said
        else:
            own = _of_what_was_forgotten(db, table, stored, forgotten)
        yield row, table, stored, own or (gone and row.table in grouped | {GROUP})


def _is_of_a_machine(row: form.Row) -> bool:
    return row.table == "settings" and str(row.row.get("name")).startswith(OWN_SETTINGS)


def _left_out(db: Database, table: Table, stored: Mapping[str, Any], forgotten: Forgotten) -> bool:
    if not forgotten.any or _here(db, table, stored) is not None:
        return False
    if table.name == GROUP:
        return forgotten.conversation(stored["id"])
    if table.name == "turns":
        return forgotten.turn(stored["id"])
    return forgotten.memory(stored["id"], stored["text"], by_text=False)


def _of_what_was_forgotten(
    db: Database, table: Table, stored: Mapping[str, Any], forgotten: Forgotten
) -> bool:
    """Whether a row hangs on a memory or turn that was left out: a claim, an episode, a summary."""
    if not forgotten.any:
        return False
    for ref in table.references:
        asked = stored[ref.column]
        if asked is None:
            continue
        if ref.table == "turns" and forgotten.turn(asked):
            return True
        left_out = ref.table == "memories" and not tables.exists(db, asked)
        if left_out and forgotten.memory(asked, "", by_text=False):
            return True
    return False


def _hangs_on_nothing(
    db: Database, first: form.Row, by_name: Mapping[str, Table], forgotten: Forgotten
) -> bool:
    """Whether a batch that begins within a conversation begins in one that was left out."""
    if not forgotten.any or first.table == GROUP:
        return False
    for ref in by_name[first.table].references:
        if ref.table in (GROUP, "turns") and (asked := first.row.get(ref.column)) is not None:
            sql = f"SELECT 1 FROM {ref.table} WHERE id = ?"  # noqa: S608
            if db.execute(sql, [asked]).fetchone() is None:
                return True
    return False


def _store_memory(
    db: Database,
    table: Table,
    stored: dict[str, Any],
    vectors: Sequence[form.Vector],
    model: str,
    done: Stored,
) -> None:
    successor = stored.get("superseded_by")
    # Until its successor is here too it is closed without one; `link` sets that at the end.
    known = successor is None or tables.exists(db, successor)
    seq = _insert(db, table, stored if known else stored | {"superseded_by": None})
    _count(db, table, stored, seq is not None, done.outcome)
    if seq is None:
        return
    for one in vectors:
        db.execute(
            "INSERT OR IGNORE INTO vectors (content_hash, model, dim, vector) VALUES (?, ?, ?, ?)",
            [stored["content_hash"], one.model, one.dim, one.vector],
        )
    found = db.execute(
        "SELECT vector FROM vectors WHERE content_hash = ? AND model = ?",
        [stored["content_hash"], model],
    ).fetchone()
    if found:
        db.execute("UPDATE memories SET embed_model = ? WHERE seq = ?", [model, seq])
        done.vectors.append((seq, found[0]))
    else:
        done.pending = True
    (indexed,) = tables.index_rows(db, [stored["id"]])
    done.rows.append(msgspec.structs.replace(indexed, superseded_by=successor))


def arrays(vectors: Sequence[tuple[int, bytes]]) -> tuple[list[int], Floats]:
    """Rows' numbers, and their vectors as the index takes them."""
    stacked = np.stack([np.frombuffer(blob, np.float16) for _, blob in vectors])
    return [seq for seq, _ in vectors], stacked.astype(np.float32)


def present(
    db: Database,
    batch: Sequence[form.Row],
    by_name: Mapping[str, Table],
    forgotten: Forgotten,
    grouped: frozenset[str],
) -> Outcome:
    """What `store` would do, without doing it."""
    outcome = Outcome.nothing()
    for row, table, stored, left_out in _looked_at(db, batch, by_name, forgotten, grouped):
        if left_out:
            outcome.count(outcome.forgotten, row.table)
        else:
            here = _here(db, table, stored)
            _count(db, table, stored, here is None, outcome)
    return outcome


def link(db: Database, batch: Sequence[form.Row]) -> None:
    """Name the successors of closed memories, now that all are here."""
    try:
        db.conn.executemany(
            "UPDATE memories SET superseded_by = ?1 WHERE id = ?2 AND superseded_by IS NULL "
            "AND valid_to IS NOT NULL AND EXISTS (SELECT 1 FROM memories WHERE id = ?1)",
            [(row.row["superseded_by"], row.row["id"]) for row in batch],
        )
    except sqlcipher.IntegrityError as exc:
        raise ImportInvalid(_AGAINST_RULES) from exc


def superseded(found: Iterable[form.Row]) -> Iterator[form.Row]:
    """The memories of a file that have a successor."""
    return (row for row in found if row.table == "memories" and row.row.get("superseded_by"))


def hanging(known: Layout) -> frozenset[str]:
    """The tables whose rows follow their conversation."""
    return frozenset(one.name for one in known.group if one.name != GROUP)


def _insert(db: Database, table: Table, stored: Mapping[str, Any]) -> int | None:
    """The new row's number; None if there is one with its key."""
    names = [name for name in table.columns if name in stored]
    marks = ", ".join(table.placeholder(name) for name in names)
    sql = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608
    cursor = db.execute(sql, [stored[name] for name in names])
    return int(cursor.lastrowid or 0) if cursor.rowcount == 1 else None


def _count(
    db: Database, table: Table, stored: Mapping[str, Any], added: bool, outcome: Outcome
) -> None:
    if added:
        return outcome.count(outcome.added, table.name)
    here = dict(zip(table.columns, _here(db, table, stored) or (), strict=False))
    # An import that was killed before `link` left closed memories without their successor.
    loose = {"superseded_by"} if here.get("valid_to") and not here.get("superseded_by") else set()
    loose |= OWN_COLUMNS.get(table.name, set())
    same = all(here.get(name) == told for name, told in stored.items() if name not in loose)
    return outcome.count(outcome.same if same else outcome.different, table.name)


def _here(db: Database, table: Table, stored: Mapping[str, Any]) -> tuple[Any, ...] | None:
    condition = " AND ".join(f"t.{name} IS {table.placeholder(name)}" for name in table.key)
    sql = f"SELECT {table.selected} FROM {table.name} t WHERE {condition}"  # noqa: S608
    found = db.execute(sql, [stored[name] for name in table.key]).fetchone()
    return None if found is None else tuple(found)


_AGAINST_RULES = (
    "A row of the file names one that is not in it, "
    "or passes somebody else's words off as the user's."
)
_STOPPED = Stopped("Nestor was exported while it answered.").body()
_INTERRUPTED = {"status": "failed", "error": json.dumps(_STOPPED)}
