"""What importers give, into the database: with its dates, its source and its trust, and never twice.

Ids are made of the other program's, so the same file again finds everything there, and a newer export
of it adds what is new. What another assistant remembered comes in as notes: a fact takes the user's yes
to exactly its text (`From.mine`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlite_utils import Database

from assistant.config import LIMITS
from assistant.errors import EmptyText, InvalidInput
from assistant.memory import claims, facts, rows, tables, trust
from assistant.memory.slots import Row
from assistant.memory.tombstones import Tombstone
from assistant.memory.transfer.fields import short
from assistant.memory.transfer.forgotten import Forgotten
from assistant.memory.transfer.records import Chat, Note, Record, Said, Skipped
from assistant.types import NewMemory, stable_id


class From(msgspec.Struct, frozen=True):
    """What a batch comes from."""

    origin: str
    """Key of the importer."""
    label: str
    """The program's name."""
    title: str
    """The file's or folder's own name."""
    system: str
    """What opens a conversation that goes on here."""
    moment: str
    mine: frozenset[str] = frozenset()
    """The texts that the user said yes to, as `trust.approval` has them: these become their own."""


class Loaded(msgspec.Struct):
    """What became of a batch, and what the index must learn."""

    added: dict[str, int] = {}
    same: dict[str, int] = {}
    different: dict[str, int] = {}
    forgotten: dict[str, int] = {}
    """What was forgotten here, and stays so."""
    skipped: list[Skipped] = []
    """The first of what was left out."""
    left_out: int = 0
    rows: list[Row] = []
    changed: list[Row] = []
    removed: list[int] = []
    vectors: list[tuple[int, bytes]] = []
    pending: bool = False
    stones: list[Tombstone] = []
    notes: list[str] = []
    """Of a dry run: short notes that are nobody's own yet, to be shown for a yes."""

    @classmethod
    def nothing(cls) -> Loaded:
        """Empty, and nobody else's."""
        return cls({}, {}, {}, {}, [], 0, [], [], [], [], notes=[])

    def skip(self, one: Skipped) -> None:
        """Something is left out."""
        self.left_out += 1
        if len(self.skipped) < LIMITS.skips_told:
            self.skipped.append(one)

    def join(self, part: Loaded) -> None:
        """Add another batch's counts."""
        for name in ("added", "same", "different", "forgotten"):
            mine, more = getattr(self, name), getattr(part, name)
            for table, count in more.items():
                mine[table] = mine.get(table, 0) + count
        self.left_out += part.left_out
        self.notes += part.notes[: LIMITS.import_statements - len(self.notes)]
        self.skipped += part.skipped[: LIMITS.skips_told - len(self.skipped)]

    def told(self) -> dict[str, Any]:
        """The outcome for clients: the first things that were left out, and how many there were."""
        first = [msgspec.structs.asdict(one) for one in self.skipped]
        return {
            "added": self.added,
            "same": self.same,
            "different": self.different,
            "forgotten": self.forgotten,
            "skipped": first,
            "skipped_count": self.left_out,
            "notes": self.notes,
        }

    def learn(self, indexing: facts.Indexing) -> None:
        """Add what the index must be told."""
        self.changed += indexing.changed
        self.removed += indexing.removed
        self.rows += indexing.added
        self.vectors += indexing.reused
        self.pending |= indexing.pending


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
    db.execute(
        "INSERT INTO sources (id, kind, path, created_at) VALUES (?, 'import', ?, ?) "
        "ON CONFLICT DO NOTHING",
        [source, come.title, come.moment],
    )
    for record in batch:
        match record:
            case Chat():
                if _forgotten_chat(db, record, come, forgotten):
                    _count(done.forgotten, "conversations")
                else:
                    _chat(db, record, come, forgotten, done)
            case Note():
                for part in _parts(record):
                    if _forgotten_note(db, part, come, forgotten):
                        _count(done.forgotten, "memories")
                    else:
                        _note(db, part, come, source, model, done)
            case Skipped():
                done.skip(record)
    done.stones = forgotten.settle()
    return done


def _forgotten_chat(db: Database, chat: Chat, come: From, forgotten: Forgotten) -> bool:
    own = _chat_id(chat, come)
    return not _exists(db, "conversations", own) and forgotten.conversation(own)


def _forgotten_turn(db: Database, own: str, forgotten: Forgotten) -> bool:
    return not _exists(db, "turns", own) and forgotten.turn(own)


def _forgotten_note(db: Database, note: Note, come: From, forgotten: Forgotten) -> bool:
    own = stable_id("m", come.origin, note.id)
    return not _exists(db, "memories", own) and forgotten.memory(own, note.text, by_text=True)


def present(db: Database, batch: Sequence[Record], come: From, forgotten: Forgotten) -> Loaded:
    """What `load` would do, as far as ids tell, without doing it."""
    done = Loaded.nothing()
    for record in batch:
        match record:
            case Chat():
                if _forgotten_chat(db, record, come, forgotten):
                    _count(done.forgotten, "conversations")
                    continue
                _tell(done, "conversations", _exists(db, "conversations", _chat_id(record, come)))
                for one in _turns(record, come):
                    if _forgotten_turn(db, one["id"], forgotten):
                        _count(done.forgotten, "turns")
                        continue
                    _tell(done, "turns", _exists(db, "turns", one["id"]))
            case Note():
                for part in _parts(record):
                    if _forgotten_note(db, part, come, forgotten):
                        _count(done.forgotten, "memories")
                        continue
                    own = stable_id("m", come.origin, part.id)
                    here = _exists(db, "memories", own)
                    _tell(done, "memories", here)
                    if len(part.text) <= claims.READ_CHARS and not (here and _is_mine(db, own)):
                        done.notes.append(part.text)
            case Skipped():
                done.skip(record)
    return done


def _is_mine(db: Database, own: str) -> bool:
    return any(one.trust == "user" for one in tables.chain(db, own))


# --- conversations ---------------------------------------------------------------------------


def _chat(db: Database, chat: Chat, come: From, forgotten: Forgotten, done: Loaded) -> None:
    conversation = _chat_id(chat, come)
    dates = [one.at for one in chat.messages if one.at]
    began = chat.created_at or min(dates, default=come.moment)
    ended = max([began, *dates, *([chat.updated_at] if chat.updated_at else [])])
    sql = (
        "INSERT INTO conversations (id, title, system, created_at, updated_at) "
        "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
    )
    values = [conversation, short(chat.title), come.system, began, ended]
    _tell(done, "conversations", db.execute(sql, values).rowcount != 1)
    grown = False
    for turn in _turns(chat, come):
        if _forgotten_turn(db, turn["id"], forgotten):
            _count(done.forgotten, "turns")
            continue
        turn |= {"started_at": turn["started_at"] or began}
        turn |= {"finished_at": turn["finished_at"] or turn["started_at"]}
        marks = ", ".join("?" * len(turn))
        sql = f"INSERT INTO turns ({', '.join(turn)}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608
        added = db.execute(sql, list(turn.values())).rowcount == 1
        _tell(done, "turns", not added)
        grown |= added
    if grown:
        sql = "UPDATE conversations SET updated_at = max(updated_at, ?) WHERE id = ?"
        db.execute(sql, [ended, conversation])


def _turns(chat: Chat, come: From) -> Iterator[dict[str, Any]]:
    """A question and all that was answered before the next; an answer alone has an empty question."""
    asked: Said | None = None
    answers: list[Said] = []
    used: set[str] = set()
    for said in chat.messages:
        if said.role == "user":
            if asked or answers:
                yield _turn(chat, come, asked, answers, used)
            asked, answers = said, []
        else:
            answers.append(said)
    if asked or answers:
        yield _turn(chat, come, asked, answers, used)


def _turn(
    chat: Chat, come: From, asked: Said | None, answers: Sequence[Said], used: set[str]
) -> dict[str, Any]:
    first = asked or answers[0]
    key = first.id
    while key in used:  # ids that are there twice: nothing is lost by that
        key += "'"
    used.add(key)
    text = asked.text if asked else ""
    reply = "\n\n".join(one.text for one in answers)
    told = {"imported": {"from": come.label, "file": short(come.title), "place": chat.place}}
    return {
        "id": stable_id("t", come.origin, chat.id, key),
        "conversation_id": _chat_id(chat, come),
        "text": text,
        "status": "done",
        "started_at": first.at,
        "finished_at": answers[-1].at if answers else None,
        "reply": reply,
        "model": short(next((one.model for one in answers if one.model), come.label)),
        # Nobody counted them; rather too many, as core/budget.py estimates.
        "tokens": len((text + reply).encode()) // 3 + 8,
        "receipt": json.dumps(told),
        "trust": "model",  # what another assistant answered may repeat anything it read
    }


def _chat_id(chat: Chat, come: From) -> str:
    return stable_id("c", come.origin, chat.id)


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
        _again(db, own, note, come, model, done)
        return
    fresh |= {"id": own, "source_id": source}
    _, added, reused = tables.insert(db, [fresh], model)
    _tell(done, "memories", here=False)
    done.rows += added
    done.vectors += reused
    done.pending |= not reused


def _again(db: Database, own: str, note: Note, come: From, model: str, done: Loaded) -> None:
    """It was imported before. If it says something else now, that supersedes it, unless it was
    corrected here meanwhile.
    """
    versions = tables.chain(db, own)
    if any(one.text == note.text for one in versions):
        return _tell(done, "memories", here=True)
    if len(versions) > 1:
        _count(done.different, "memories")
        return None
    done.learn(facts.supersede(db, versions[0], note.text, {}, come.moment, model).index(db))
    return _tell(done, "memories", here=False)


def _mine(
    db: Database, own: str, note: Note, come: From, source: str, model: str, done: Loaded
) -> None:
    """The user said yes to exactly this: a fact of theirs, which closes what it contradicts."""
    versions = tables.chain(db, own) if tables.exists(db, own) else []
    if any(one.trust == "user" and one.text == note.text for one in versions):
        return _tell(done, "memories", here=True)
    new = msgspec.structs.replace(
        _memory(note, come), kind="fact", thread=None, approved=trust.approval(note.text)
    )
    try:
        item = facts.fresh(new, come.moment)
    except (EmptyText, InvalidInput) as exc:
        return done.skip(Skipped("note", note.place, exc.message))
    row = item.row | {"source_id": source} | ({} if versions else {"id": own})
    work = facts.Work()
    kept = facts.store_one(db, msgspec.structs.replace(item, row=row), model, work)
    for old in versions:
        if old.valid_to is None:
            end = max(come.moment, old.valid_from)
            tables.update(db, old.id, {"valid_to": end, "superseded_by": kept.id})
            work.changed.append(old.id)
    done.learn(work.index(db))
    return _tell(done, "memories", here=not work.stored)


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


def _tell(done: Loaded, table: str, here: bool) -> None:
    _count(done.same if here else done.added, table)


def _count(counts: dict[str, int], table: str) -> None:
    counts[table] = counts.get(table, 0) + 1


def _exists(db: Database, table: str, row_id: str) -> bool:
    sql = f"SELECT 1 FROM {table} WHERE id = ?"  # noqa: S608
    return db.execute(sql, [row_id]).fetchone() is not None
