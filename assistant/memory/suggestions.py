"""What may be worth keeping: offered, accepted or refused. Nothing becomes a fact without a yes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import msgspec
from sqlite_utils import Database

from assistant.errors import SuggestionNotFound
from assistant.memory import claims, facts, offered, rows, statements, subjects
from assistant.memory.attributes import attribute
from assistant.memory.candidates import LEARNABLE, Candidate, check, denied, stated
from assistant.memory.claims import Claim, Segment
from assistant.memory.knowledge import meant_by, sayable
from assistant.memory.pasted import only_states, own_words
from assistant.memory.store import Memories
from assistant.memory.work import Work
from assistant.types import Effect, Learning, NewMemory, Suggestion, new_id, now

_COLUMNS = "id, text, quote, claim, sensitivity, importance, turn_id, created_at"
_Page = tuple[list[Suggestion], str | None]
OFFERED = 200
"""Suggestions that wait at once; the oldest give way."""


class Suggestions:
    """See the module. Built by `service.open_memory`."""

    def __init__(self, memories: Memories, *, clock: Callable[[], str] = now) -> None:
        self._memories = memories
        self._clock = clock
        self._withdrawn: dict[bytes, str] = {}
        """Digests of what was contradicted, with the turn that did: an older one may be read later."""

    @property
    def attributes(self) -> Sequence[str]:
        """What a proposed fact may be about."""
        return LEARNABLE

    async def learn(
        self,
        turn_id: str,
        text: str,
        proposed: Sequence[dict[str, str]] = (),
        *,
        before: str = "",
        auto: bool = False,
    ) -> tuple[Effect, list[Suggestion]]:
        """Check what the rules and a model find in a message of the user, and offer what is new.

        With `auto` it is stored at once, but nothing sensitive is, and what changes something known only
        where the message is nothing but statements: else it may be pasted. What is known already counts
        as said once more, and what ends something known is offered too; what waits and is contradicted is
        offered no more. `before` is what was said last.
        Nothing is learnt from what is marked as quoted or pasted.
        """
        message, text = text, own_words(text)
        moment = self._clock()
        made: list[Suggestion] = []
        effects: list[Effect] = []

        def work(db: Database, model: str) -> Work:
            done = Work()
            if _turn_is_gone(db, turn_id):
                effects.append(Effect())
                return done
            about = meant_by(db, before)
            found = stated(text, about) if sayable(text) else []
            checked = (check(text, raw, about) for raw in proposed if sayable(text))
            found += [one for one in checked if one is not None]
            ended = denied(text, about) if sayable(text) else []
            self._withdraw(db, [one.claim for one in (*found, *ended)], moment, turn_id)
            found += [one for one in ended if _changes(db, one)]
            whole = only_states(message, claims.read(text, about=about))
            for candidate in _distinct(found):
                harmless = candidate.sensitivity == "normal"
                if auto and harmless and (whole or not _changes(db, candidate)):
                    _keep(db, candidate, moment, turn_id, model, done)
                elif known := statements.saying(db, candidate.claim):
                    facts.strengthen(db, known[0].id, turn_id, moment)
                    done.known.append(known[0].id)
                elif self._withdrawn.get(_digest(candidate.claim), "") <= turn_id and (
                    one := _offer(db, candidate, turn_id, moment)
                ):
                    made.append(one)
            effects.append(done.effect(db))
            return done

        await self._memories.change(work)
        return effects[-1], made

    def _withdraw(self, db: Database, said: Sequence[Claim], moment: str, turn_id: str) -> None:
        for claim in offered.withdraw(db, said, moment, turn_id=turn_id):
            self._withdrawn[_digest(claim)] = turn_id
        while len(self._withdrawn) > OFFERED:
            del self._withdrawn[next(iter(self._withdrawn))]

    async def list(self, *, cursor: str | None = None, limit: int = 50) -> _Page:
        """One page of those that wait for an answer, newest first, and the cursor of the next."""
        before = rows.cursor_seq(rows.read_cursor(cursor, 1)[0]) if cursor else 1 << 62
        sql = f"SELECT seq, {_COLUMNS} FROM suggestions WHERE seq < ? ORDER BY seq DESC LIMIT ?"  # noqa: S608

        def work(db: Database) -> list[Any]:
            return list(db.execute(sql, [before, limit + 1]).fetchall())

        found = await self._memories.read(work)
        page = found[:limit]
        following = rows.write_cursor([page[-1][0]]) if len(found) > limit and page else None
        return [_suggestion(row[1:]) for row in page], following

    async def accept(self, suggestion_id: str) -> Effect:
        """Store it, word for word; what it contradicts is closed. Raises SuggestionNotFound."""
        moment = self._clock()
        effects: list[Effect] = []

        def work(db: Database, model: str) -> Work:
            one, claim = _take(db, suggestion_id)
            kept = Candidate(claim, one.text, one.quote, one.sensitivity, one.importance)
            done = Work()
            _keep(db, kept, moment, one.turn_id, model, done)
            effects.append(done.effect(db))
            return done

        await self._memories.change(work)
        return effects[-1]

    async def reject(self, suggestion_id: str) -> None:
        """Drop it, and do not offer it again. Raises SuggestionNotFound."""
        moment = self._clock()

        def work(db: Database, model: str) -> Work:
            _, claim = _take(db, suggestion_id)
            sql = "INSERT OR IGNORE INTO refusals (digest, created_at) VALUES (?, ?)"
            db.execute(sql, [_digest(claim), moment])
            return Work()

        await self._memories.change(work)

    async def mode(self, device: str) -> Learning | Literal[""]:
        """What a device has chosen; empty: nothing."""

        def work(db: Database) -> Learning | Literal[""]:
            sql = "SELECT value FROM settings WHERE name = ?"
            row = db.execute(sql, [f"learning:{device}"]).fetchone()
            known: tuple[Learning, ...] = get_args(Learning)
            return next((one for one in known if row and bytes(row[0]).decode() == one), "")

        return await self._memories.read(work)

    async def set_mode(self, device: str, mode: Learning) -> None:
        """Choose for a device."""

        def work(db: Database, model: str) -> Work:
            sql = "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)"
            db.execute(sql, [f"learning:{device}", mode.encode()])
            return Work()

        await self._memories.change(work)


def _distinct(found: Sequence[Candidate]) -> list[Candidate]:
    return list({_digest(one.claim): one for one in reversed(found)}.values())[::-1]


def _changes(db: Database, one: Candidate) -> bool:
    return facts.contradicted(db, [Segment(one.text, (one.claim,))])


def _keep(db: Database, one: Candidate, moment: str, turn_id: str, model: str, done: Work) -> None:
    if one.claim.negated:
        facts.end(db, [one.claim], moment, model, done)
        return
    new = NewMemory(
        one.text, "fact", source="chat", quote=one.quote, episode=turn_id,
        importance=one.importance, sensitivity=one.sensitivity,
    )  # fmt: skip
    segment = Segment(one.text, (one.claim,))
    item = facts.Fresh(rows.fresh(new, moment), (segment,), turn_id, once=True)
    done.told.append(facts.store_one(db, item, model, done))


def _offer(db: Database, one: Candidate, turn_id: str, moment: str) -> Suggestion | None:
    """None if it waits already, or was refused."""
    digest = _digest(one.claim)
    for table in ("refusals", "suggestions"):
        sql = f"SELECT 1 FROM {table} WHERE digest = ?"  # noqa: S608
        if db.execute(sql, [digest]).fetchone() is not None:
            return None
    claim = msgspec.json.encode(one.claim).decode()
    values = [
        new_id("g"),
        one.text,
        one.quote,
        claim,
        one.sensitivity,
        one.importance,
        turn_id,
        moment,
    ]
    marks = ", ".join("?" * (len(values) + 1))
    sql = f"INSERT INTO suggestions ({_COLUMNS}, digest) VALUES ({marks})"  # noqa: S608
    db.execute(sql, [*values, digest])
    sql = (
        "DELETE FROM suggestions WHERE seq <= "
        "(SELECT seq FROM suggestions ORDER BY seq DESC LIMIT 1 OFFSET ?)"
    )
    db.execute(sql, [OFFERED])
    return _suggestion(values)


def _take(db: Database, suggestion_id: str) -> tuple[Suggestion, Claim]:
    sql = f"SELECT {_COLUMNS} FROM suggestions WHERE id = ?"  # noqa: S608
    row = db.execute(sql, [suggestion_id]).fetchone()
    if row is None:
        raise SuggestionNotFound
    db.execute("DELETE FROM suggestions WHERE id = ?", [suggestion_id])
    return _suggestion(row), msgspec.json.decode(row[3], type=Claim)


def _suggestion(row: Sequence[Any]) -> Suggestion:
    one, text, quote, said, sensitivity, importance, turn_id, created_at = row
    claim = msgspec.json.decode(said, type=Claim)
    subject = claim.who.name or claim.who.shown
    return Suggestion(
        one, text, quote, subject, claim.attribute, claim.value, sensitivity, importance, turn_id,
        created_at,
    )  # fmt: skip


def _digest(claim: Claim) -> bytes:
    who = claim.who
    subject = "me" if who.me else " ".join(one for one, _ in subjects.aliases_of(who))
    single = f"{'not ' if claim.negated else ''}{attribute(claim.attribute).name}"
    return hashlib.sha256(f"{subject}\n{single}\n{claim.key}".encode()).digest()


def _turn_is_gone(db: Database, turn_id: str) -> bool:
    return db.execute("SELECT 1 FROM turns WHERE id = ?", [turn_id]).fetchone() is None
