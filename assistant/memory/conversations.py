"""Conversations and their turns, kept verbatim."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlite_utils import Database

from assistant.config import LIMITS
from assistant.errors import ConversationNotFound, Stopped, TurnNotFound
from assistant.memory import profile, rows, summaries
from assistant.memory.language import detect
from assistant.memory.readers import Readers
from assistant.memory.redact import Gone, redact_turns
from assistant.memory.summaries import Summary
from assistant.memory.tombstones import Tombstone, Tombstones
from assistant.memory.traces import Traces
from assistant.memory.writer import Writer
from assistant.types import (
    Conversation,
    Event,
    Recalled,
    Trust,
    Turn,
    TurnStatus,
    join_trust,
    new_id,
    now,
)

# `list` is a method below, so its type needs other names inside the class.
_Ids = list[str]
_Stones = list[Tombstone]
_Turns = list[Turn]
_Events = list[Event]
_Page = tuple[list[Conversation], str | None]

_CONVERSATION = "id, title, system, created_at, updated_at, device, classes, learn, memory, pinned"
_TURN = (
    "id", "conversation_id", "text", "status", "started_at", "context", "reply", "model", "tokens",
    "receipt", "error", "finished_at", "trust",
)  # fmt: skip
_TURN_COLUMNS = ", ".join(_TURN)


class Conversations:
    """The conversations of one database. Built by `service.open_memory`."""

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        traces: Traces,
        tombstones: Tombstones,
        *,
        clock: Callable[[], str] = now,
    ) -> None:
        self._writer = writer
        self._readers = readers
        self._traces = traces
        self._tombstones = tombstones
        self._clock = clock

    async def create(
        self,
        title: str,
        system: str,
        *,
        device: str = "",
        classes: tuple[str, ...] | None = None,
        learn: str = "",
        memory: bool = True,
    ) -> Conversation:
        """A new conversation; `system` and the profile it begins with never change.

        Only forgetting or correcting a fact takes its line out of that profile. A device that sees
        some memories only gets none.
        """
        moment = self._clock()
        fixed = [new_id("c"), _title(title), system, moment, moment, device, _classes(classes)]
        values = [*fixed, learn, int(memory)]

        def work(db: Database) -> Conversation:
            pinned = json.dumps(profile.build(db)) if memory and classes is None else ""
            marks = ", ".join("?" * (len(values) + 1))
            sql = f"INSERT INTO conversations ({_CONVERSATION}) VALUES ({marks})"  # noqa: S608
            db.execute(sql, [*values, pinned])
            return _get(db, str(values[0]))

        return await self._writer.run(work)

    async def profile(self) -> Sequence[tuple[str, str]]:
        """What a conversation that begins now begins with: a memory's id and its line."""
        return await self._readers.run(profile.build)

    async def get(self, conversation_id: str) -> Conversation:
        """One conversation. Raises ConversationNotFound."""
        return await self._readers.run(lambda db: _get(db, conversation_id))

    async def list(
        self,
        *,
        cursor: str | None = None,
        limit: int = 50,
        device: str = "",
        classes: tuple[str, ...] | None = None,
    ) -> _Page:
        """One page, latest used first, and the cursor of the next. Raises InvalidInput.

        With `classes`, only what this device started while it saw exactly these.
        """
        where, values = "1", []
        if cursor:
            moment, seq = rows.read_cursor(cursor, 2)
            where, values = "(updated_at, seq) < (?, ?)", [moment, rows.cursor_seq(seq)]
        if classes is not None:
            where += " AND device = ? AND classes = ?"
            values += [device, _classes(classes)]
        sql = (
            f"SELECT seq, {_CONVERSATION} FROM conversations WHERE {where} "  # noqa: S608
            "ORDER BY updated_at DESC, seq DESC LIMIT ?"
        )

        def work(db: Database) -> Sequence[Any]:
            return db.execute(sql, [*values, limit + 1]).fetchall()

        found = await self._readers.run(work)
        page = [_conversation(row[1:]) for row in found[:limit]]
        following = None
        if len(found) > limit and page:
            following = rows.write_cursor([page[-1].updated_at, found[limit - 1][0]])
        return page, following

    async def update(
        self,
        conversation_id: str,
        title: str | None = None,
        *,
        learn: str | None = None,
        memory: bool | None = None,
    ) -> Conversation:
        """Rename, or set what is learnt in it and whether memories are used. Raises ConversationNotFound."""
        given = {
            "title": None if title is None else _title(title),
            "learn": learn,
            "memory": None if memory is None else int(memory),
            "updated_at": self._clock(),
        }
        values = {name: value for name, value in given.items() if value is not None}

        def work(db: Database) -> Conversation:
            _get(db, conversation_id)
            names = ", ".join(f"{name} = ?" for name in values)
            sql = f"UPDATE conversations SET {names} WHERE id = ?"  # noqa: S608
            db.execute(sql, [*values.values(), conversation_id])
            return _get(db, conversation_id)

        return await self._writer.run(work)

    async def delete(self, conversation_id: str) -> _Ids:
        """Remove it with its turns and summaries; the ids of those turns.

        No copy is left in the file when this returns, nor, unless a reader holds it, in the log.
        """
        moment = self._clock()

        def work(db: Database) -> tuple[_Ids, _Stones]:
            _get(db, conversation_id)
            sql = "SELECT id FROM turns WHERE conversation_id = ? ORDER BY seq"
            gone = [one for (one,) in db.execute(sql, [conversation_id]).fetchall()]
            db.execute("DELETE FROM conversations WHERE id = ?", [conversation_id])
            return gone, self._tombstones.bury_conversation(db, conversation_id, moment)

        gone, _ = await self._writer.run(work, lambda done: self._tombstones.keep(done[1]))
        await self._traces.wipe()
        return gone

    # --- turns -----------------------------------------------------------------------------

    async def turns(self, conversation_id: str) -> _Turns:
        """All turns, oldest first. Raises ConversationNotFound."""

        def work(db: Database) -> _Turns:
            _get(db, conversation_id)
            sql = f"SELECT {_TURN_COLUMNS} FROM turns WHERE conversation_id = ? ORDER BY seq"  # noqa: S608
            return [_turn(row) for row in db.execute(sql, [conversation_id])]

        return await self._readers.run(work)

    async def history(self, conversation_id: str) -> tuple[_Turns, Summary | None]:
        """The turns that have ended, oldest first, and the summary of the older ones; of one moment.

        As prompts need them: without receipts and errors, and where the summary stands for a turn,
        without its words (its reply is one letter, or empty if it had none).
        """
        return await self._readers.run(lambda db: summaries.history(db, conversation_id))

    async def add_summary(
        self,
        conversation_id: str,
        covered: Sequence[Turn],
        *,
        after: str,
        text: str,
        tokens: int,
        model: str,
    ) -> bool:
        """Store a summary of these turns and of the summary `upto` turn `after`, if that is not empty.

        Durable when this returns. False, and nothing is stored, if any of what was summarised has
        changed since it was read.
        """
        new = Summary(covered[-1].id, text, tokens, model, self._clock())
        return await self._writer.run(
            lambda db: summaries.insert(db, conversation_id, covered, after, new)
        )

    async def turn(self, turn_id: str) -> Turn:
        """One turn. Raises TurnNotFound."""
        return await self._readers.run(lambda db: _get_turn(db, turn_id))

    async def turn_events(self, turn_id: str) -> _Events:
        """The events of a finished turn, in order; none while it runs. Raises TurnNotFound."""

        def work(db: Database) -> _Events:
            row = db.execute("SELECT events FROM turns WHERE id = ?", [turn_id]).fetchone()
            if row is None:
                raise TurnNotFound
            return [Event(**one) for one in json.loads(row[0])]

        return await self._readers.run(work)

    async def start_turn(
        self, conversation_id: str, turn_id: str, text: str, model: str = ""
    ) -> Turn:
        """Log a question as `running`; durable when this returns. Raises ConversationNotFound."""
        moment = self._clock()

        def work(db: Database) -> Turn:
            _get(db, conversation_id)
            made = Turn(turn_id, conversation_id, text, "running", moment, model=model)
            db.execute(
                "INSERT INTO turns (id, conversation_id, text, status, started_at, model) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [turn_id, conversation_id, text, made.status, moment, model],
            )
            _touch(db, conversation_id, moment)
            return made

        return await self._writer.run(work)

    async def finish_turn(
        self,
        turn_id: str,
        *,
        status: TurnStatus,
        context: str = "",
        reply: str = "",
        tokens: int = 0,
        receipt: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
        recalled: Sequence[Recalled] = (),
        events: Sequence[Event] = (),
    ) -> Turn:
        """Log how a turn ended; durable when this returns. Raises TurnNotFound.

        A memory that was forgotten while the turn ran is taken out of it again.
        """
        moment = self._clock()

        def work(db: Database) -> Turn:
            turn = _get_turn(db, turn_id)
            values = {
                "status": status,
                "context": context,
                "reply": reply,
                "tokens": tokens,
                "receipt": _dump(receipt),
                "error": _dump(error),
                "recalled": json.dumps([msgspec.structs.asdict(one) for one in recalled]),
                "events": json.dumps([msgspec.structs.asdict(one) for one in events]),
                "finished_at": moment,
                "trust": _trust(db, turn, recalled),
            }
            names = ", ".join(f"{name} = ?" for name in values)
            db.execute(f"UPDATE turns SET {names} WHERE id = ?", [*values.values(), turn_id])  # noqa: S608
            db.conn.executemany(
                "INSERT OR IGNORE INTO recalls (memory_id, turn_id) VALUES (?, ?)",
                [(one.id, turn_id) for one in recalled],
            )
            _redact_gone(db, recalled)
            _touch(db, turn.conversation_id, moment)
            return _get_turn(db, turn_id)

        return await self._writer.run(work)

    async def interrupted(self) -> int:
        """At start: turns that a crash left running become failed; how many."""
        moment = self._clock()
        stopped = Stopped("Nestor stopped while it answered.")
        error = stopped.body()

        def work(db: Database) -> int:
            sql = "SELECT id FROM turns WHERE status = 'running'"
            running = [one for (one,) in db.execute(sql)]
            event = json.dumps([{"id": 1, "event": "failed", "data": {"error": error}}])
            for turn_id in running:
                db.execute(
                    "UPDATE turns SET status = 'failed', error = ?, events = ?, finished_at = ? "
                    "WHERE id = ?",
                    [json.dumps(error), event, moment, turn_id],
                )
            return len(running)

        return await self._writer.run(work)


def _title(title: str) -> str:
    if not title.strip():
        return ""
    return " ".join(rows.clean_text(title, LIMITS.title_chars).split())


def _get(db: Database, conversation_id: str) -> Conversation:
    sql = f"SELECT {_CONVERSATION} FROM conversations WHERE id = ?"  # noqa: S608
    row = db.execute(sql, [conversation_id]).fetchone()
    if row is None:
        raise ConversationNotFound
    return _conversation(row)


def _conversation(row: Sequence[Any]) -> Conversation:
    one, title, system, created_at, updated_at, device, classes, learn, memory, pinned = row
    return Conversation(
        one,
        title,
        system,
        created_at,
        updated_at,
        device,
        None if classes is None else tuple(json.loads(classes)),
        learn=learn,
        memory=bool(memory),
        pinned=tuple((line[0], line[1]) for line in json.loads(pinned or "[]")),
    )


def _classes(classes: tuple[str, ...] | None) -> str | None:
    return None if classes is None else json.dumps(classes)


def _get_turn(db: Database, turn_id: str) -> Turn:
    sql = f"SELECT {_TURN_COLUMNS} FROM turns WHERE id = ?"  # noqa: S608
    row = db.execute(sql, [turn_id]).fetchone()
    if row is None:
        raise TurnNotFound
    return _turn(row)


def _turn(row: Sequence[Any]) -> Turn:
    values = dict(zip(_TURN, row, strict=True))
    for name in ("receipt", "error"):
        values[name] = json.loads(values[name]) if values[name] else None
    return Turn(**values)


def _trust(db: Database, turn: Turn, recalled: Sequence[Recalled]) -> Trust:
    """The label of a turn: of what it recalled and of every earlier one, which it may repeat."""
    sql = (
        "SELECT DISTINCT trust FROM turns WHERE conversation_id = ? "
        "AND seq < (SELECT seq FROM turns WHERE id = ?)"
    )
    earlier = [one for (one,) in db.execute(sql, [turn.conversation_id, turn.id])]
    return join_trust(*earlier, *(one.trust for one in recalled))


def _touch(db: Database, conversation_id: str, moment: str) -> None:
    sql = "UPDATE conversations SET updated_at = ? WHERE id = ?"
    db.execute(sql, [moment, conversation_id])


def _dump(value: dict[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value)


def _redact_gone(db: Database, recalled: Sequence[Recalled]) -> None:
    gone = [
        Gone(one.id, one.text, detect(one.text), one.speaker, one.trust)
        for one in recalled
        if db.execute("SELECT 1 FROM memories WHERE id = ?", [one.id]).fetchone() is None
    ]
    if gone:
        redact_turns(db, gone)
