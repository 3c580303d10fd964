"""What importers give, into the database: with its dates, its source and its trust, and never twice.

Ids are made of the other program's, so the same file again finds everything there, and a newer export
of it adds what is new. What another assistant remembered comes in as notes: a fact takes the user's yes
to exactly its text (`From.mine`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from sqlite_utils import Database

from assistant.config import LIMITS
from assistant.errors import EmptyText, InvalidInput
from assistant.memory import claims, facts, rows, tables, trust
from assistant.memory.ingest import imports
from assistant.memory.transfer import chats
from assistant.memory.transfer.batch import From as From
from assistant.memory.transfer.batch import Loaded as Loaded
from assistant.memory.transfer.fields import short
from assistant.memory.transfer.forgotten import Forgotten
from assistant.memory.transfer.records import Chat, Note, Record, Skipped
from assistant.memory.work import Work
from assistant.types import NewMemory, stable_id


def batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    """As many as belong into one transaction: a long conversation counts as its messages."""
    batch: list[Record] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record.messages) if isinstance(record, Chat) else 1
        if size >= LIMITS.import_batch_rows:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def load(
    db: Database, batch: Sequence[Record], come: From, model: str, forgotten: Forgotten
) -> Loaded:
    """Store what is not here yet; `model` is the embedding model in use."""
    done = Loaded.nothing()
    source = stable_id("s", come.origin, come.title)
    imports.begin(db, source, come.label, come.title, come.moment)
    for record in batch:
        match record:
            case Chat():
                chats.store(db, record, come, source, forgotten, done)
            case Note():
                for part in _parts(record):
                    if _forgotten_note(db, part, come, forgotten):
                        done.count(done.forgotten, "memories")
                    else:
                        _note(db, part, come, source, model, done)
            case Skipped():
                done.skip(record)
    imports.drop_empty(db, source)
    done.stones = forgotten.settle()
    return done


def _forgotten_note(db: Database, note: Note, come: From, forgotten: Forgotten) -> bool:
    own = stable_id("m", come.origin, note.id)
    return not _exists(db, "memories", own) and forgotten.memory(own, note.text, by_text=True)


def present(db: Database, batch: Sequence[Record], come: From, forgotten: Forgotten) -> Loaded:
    """What `load` would do, as far as ids tell, without doing it."""
    done = Loaded.nothing()
    for record in batch:
        match record:
            case Chat():
                chats.present(db, record, come, forgotten, done)
            case Note():
                for part in _parts(record):
                    if _forgotten_note(db, part, come, forgotten):
                        done.count(done.forgotten, "memories")
                        continue
                    own = stable_id("m", come.origin, part.id)
                    here = _exists(db, "memories", own)
                    done.tell("memories", here)
                    if len(part.text) <= claims.READ_CHARS and not (here and _is_mine(db, own)):
                        done.notes.append(part.text)
            case Skipped():
                done.skip(record)
    return done


def _is_mine(db: Database, own: str) -> bool:
    return any(one.trust == "user" for one in tables.chain(db, own))


# --- notes -----------------------------------------------------------------------------------


def _note(db: Database, note: Note, come: From, source: str, model: str, done: Loaded) -> None:
    own = stable_id("m", come.origin, note.id)
    if trust.approval(note.text) in come.mine:
        _mine(db, own, note, come, source, model, done)
        return
    try:
        fresh = rows.fresh(_memory(note, come), come.moment)
    except (EmptyText, InvalidInput) as exc:
        done.skip(Skipped("note", note.place, exc.message))
        return
    if tables.exists(db, own):
        _again(db, own, note, come, source, model, done)
        return
    fresh |= {"id": own, "source_id": source}
    _, added, reused = tables.insert(db, [fresh], model)
    done.tell("memories", here=False)
    done.rows += added
    done.vectors += reused
    done.pending |= not reused


def _again(
    db: Database, own: str, note: Note, come: From, source: str, model: str, done: Loaded
) -> None:
    """It was imported before. If it says something else now, that supersedes it, unless it was
    corrected here meanwhile.
    """
    versions = tables.chain(db, own)
    if any(one.text == note.text for one in versions):
        return done.tell("memories", here=True)
    if len(versions) > 1:
        done.count(done.different, "memories")
        return None
    changes = {"source_id": source}
    work = facts.supersede(db, versions[0], note.text, changes, come.moment, model)
    done.learn(work.index(db))
    return done.tell("memories", here=False)


def _mine(
    db: Database, own: str, note: Note, come: From, source: str, model: str, done: Loaded
) -> None:
    """The user said yes to exactly this: a fact of theirs, which closes what it contradicts."""
    versions = tables.chain(db, own) if tables.exists(db, own) else []
    if any(one.trust == "user" and one.text == note.text for one in versions):
        return done.tell("memories", here=True)
    new = msgspec.structs.replace(
        _memory(note, come), kind="fact", thread=None, approved=trust.approval(note.text)
    )
    try:
        item = facts.fresh(new, come.moment)
    except (EmptyText, InvalidInput) as exc:
        return done.skip(Skipped("note", note.place, exc.message))
    row = item.row | {"source_id": source} | ({} if versions else {"id": own})
    work = Work()
    kept = facts.store_one(db, msgspec.structs.replace(item, row=row), model, work)
    for old in versions:
        if old.valid_to is None:
            end = max(come.moment, old.valid_from)
            tables.update(db, old.id, {"valid_to": end, "superseded_by": kept.id})
            work.changed.append(old.id)
    done.learn(work.index(db))
    return done.tell("memories", here=not work.stored)


def _memory(note: Note, come: From) -> NewMemory:
    return NewMemory(
        text=note.text,
        kind="note",
        said_at=note.said_at,
        source=short(f"{come.label}: {note.place}"),
        thread=short(f"{come.label}: {note.thread}") if note.thread else None,
        trust=note.trust,
    )


def _parts(note: Note) -> Iterator[Note]:
    """A note that is longer than a memory may be, in several."""
    most = LIMITS.memory_chars
    if len(note.text) <= most:
        yield note
        return
    for number, at in enumerate(range(0, len(note.text), most)):
        part = f"{note.id}#{number}"
        yield msgspec.structs.replace(note, id=part, text=note.text[at : at + most])


def _exists(db: Database, table: str, row_id: str) -> bool:
    sql = f"SELECT 1 FROM {table} WHERE id = ?"  # noqa: S608
    return db.execute(sql, [row_id]).fetchone() is not None
