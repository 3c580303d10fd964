"""Conversations of another program beside what is here of them: what is new, has grown, or went elsewhere.

A turn is known by its question's id, and its receipt keeps the id of the answer. So a newer export adds
to a conversation, gives a question its answer, and lengthens one that was cut off. Where it goes another
way than what is here (the answer was made again, the question written anew, or the conversation went on
here), the rest is a conversation of its own: nothing is lost, and none is made that never was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlite_utils import Database

from assistant.memory.transfer.batch import From, Loaded
from assistant.memory.transfer.fields import short
from assistant.memory.transfer.forgotten import Forgotten
from assistant.memory.transfer.records import Chat, Said
from assistant.types import stable_id


class Exchange(msgspec.Struct, frozen=True):
    """A question and all that was answered before the next; an answer alone has an empty question."""

    key: str
    """Of its first message; unique in its conversation."""
    asked: Said | None
    answers: tuple[Said, ...]

    @property
    def messages(self) -> tuple[Said, ...]:
        """Both again."""
        return (self.asked, *self.answers) if self.asked else self.answers

    @property
    def text(self) -> str:
        """The question's words."""
        return self.asked.text if self.asked else ""

    @property
    def reply(self) -> str:
        """The answers' words."""
        return "\n\n".join(one.text for one in self.answers)


class Here(msgspec.Struct, frozen=True):
    """A turn that is stored."""

    text: str
    reply: str
    answer: str | None
    """What it knows its answer by; empty without one, None if it did not come in so."""


class Turn(msgspec.Struct, frozen=True):
    """A turn of a conversation that comes in."""

    id: str
    exchange: Exchange
    here: Here | None


def store(
    db: Database, chat: Chat, come: From, source: str, forgotten: Forgotten, done: Loaded
) -> None:
    """Add what is new of a conversation."""
    for part, turns in _parts(db, chat, come, forgotten):
        if _is_forgotten(db, part, come, forgotten):
            done.count(done.forgotten, "conversations")
        else:
            _store(db, part, turns, come, source, forgotten, done)


def present(db: Database, chat: Chat, come: From, forgotten: Forgotten, done: Loaded) -> None:
    """Count what `store` would do, without doing it."""
    for part, turns in _parts(db, chat, come, forgotten):
        if _is_forgotten(db, part, come, forgotten):
            done.count(done.forgotten, "conversations")
            continue
        done.tell("conversations", _exists(db, chat_id(part, come)))
        for turn in turns:
            if turn.here is None and forgotten.turn(turn.id):
                done.count(done.forgotten, "turns")
            else:
                _judge(turn, come, done)


def chat_id(chat: Chat, come: From) -> str:
    """The id of a conversation here."""
    return stable_id("c", come.origin, chat.id)


def _is_forgotten(db: Database, chat: Chat, come: From, forgotten: Forgotten) -> bool:
    if not forgotten.any or _exists(db, chat_id(chat, come)):
        return False
    # Before m013 another version may have had the plain name: none comes back under a new one.
    gone = [forgotten.conversation(stable_id("c", come.origin, one)) for one in _names(chat)]
    return any(gone)


def _exists(db: Database, own: str) -> bool:
    return db.execute("SELECT 1 FROM conversations WHERE id = ?", [own]).fetchone() is not None


# --- where it goes another way -----------------------------------------------------------------


def _parts(
    db: Database, chat: Chat, come: From, forgotten: Forgotten
) -> Iterator[tuple[Chat, list[Turn]]]:
    """A conversation with its turns, parted where it goes another way than what is here of it."""
    chat, exchanges = _as_before(db, chat, come)
    title = short(f"{chat.title} (another version)")
    while True:
        here = _here(db, chat_id(chat, come))
        turns = [_turn(chat, come, one, here) for one in exchanges]
        if (at := _fork(chat, turns, here, come, forgotten)) is None:
            yield chat, turns
            return
        yield chat, turns[:at]
        exchanges = exchanges[at:]
        first = exchanges[0]
        other = first.answers[0].id if turns[at].here else first.key
        messages = tuple(said for one in exchanges for said in one.messages)
        chat = msgspec.structs.replace(
            chat, id=f"{chat.id}#{other}", title=title, messages=messages
        )


def _names(chat: Chat) -> list[str]:
    """Under which ids this version, or the one it leaves, may have come in."""
    pieces = chat.id.split("#")
    begins = ["#".join(pieces[:at]) for at in range(len(pieces), 0, -1)]
    return list(dict.fromkeys([*begins, *(f"{begins[-1]}#{said.id}" for said in chat.messages)]))


def _as_before(db: Database, chat: Chat, come: From) -> tuple[Chat, list[Exchange]]:
    """A conversation under the id it has here, where it came in when versions were numbered otherwise.

    Such turns know no id of their answer. What another version has of it is left out.
    """
    exchanges = list(_exchanges(chat.messages))
    if chat.linear:
        return chat, exchanges
    ids = {chat_id(msgspec.structs.replace(chat, id=one), come): one for one in _names(chat)}
    sql = "SELECT id FROM conversations WHERE id IN (SELECT value FROM json_each(?))"
    there = [one for (one,) in db.execute(sql, [json.dumps(list(ids))])]
    here = {ids[one]: _here(db, one) for one in there}

    def name(one: Exchange) -> str:
        for other, turns in here.items():
            found = turns.get(stable_id("t", come.origin, other, one.key))
            if found == Here(one.text, one.reply, ""):
                return other
        return ""

    names = [name(one) for one in exchanges]
    last = next(filter(None, reversed(names)), chat.id)
    if last == chat.id:
        return chat, exchanges
    first = names.index(last)
    kept = [one for at, one in enumerate(exchanges) if at >= first or not names[at]]
    messages = tuple(said for one in kept for said in one.messages)
    return msgspec.structs.replace(chat, id=last, messages=messages), kept


def _fork(
    chat: Chat, turns: Sequence[Turn], here: Mapping[str, Here], come: From, forgotten: Forgotten
) -> int | None:
    """The first turn that cannot follow what is here; None if all can."""
    last = next(reversed(list(here)), None)
    follows = chat.linear or last is None or last in {turn.id for turn in turns}
    for at, turn in enumerate(turns):
        if turn.here is None:
            if not follows and not forgotten.turn(turn.id):
                return at
        elif _answered_otherwise(turn.here, _answer_id(turn.exchange, come)):
            return at
    return None


def _answered_otherwise(here: Here, answer: str) -> bool:
    return bool(here.answer and answer) and here.answer != answer


def _here(db: Database, conversation_id: str) -> dict[str, Here]:
    sql = "SELECT id, text, reply, receipt FROM turns WHERE conversation_id = ? ORDER BY seq"
    found = db.execute(sql, [conversation_id])
    return {own: Here(text, reply, _answer(raw)) for own, text, reply, raw in found}


def _answer(receipt: str | None) -> str | None:
    told = json.loads(receipt) if receipt else None
    came = told.get("imported") if isinstance(told, dict) else None
    return str(came.get("answer", "")) if isinstance(came, dict) else None


def _exchanges(messages: Sequence[Said]) -> Iterator[Exchange]:
    asked: Said | None = None
    answers: list[Said] = []
    used: set[str] = set()
    for said in messages:
        if said.role == "user":
            if asked or answers:
                yield _exchange(asked, answers, used)
            asked, answers = said, []
        else:
            answers.append(said)
    if asked or answers:
        yield _exchange(asked, answers, used)


def _exchange(asked: Said | None, answers: Sequence[Said], used: set[str]) -> Exchange:
    key = (asked or answers[0]).id
    while key in used:  # ids that are there twice: nothing is lost by that
        key += "'"
    used.add(key)
    return Exchange(key, asked, tuple(answers))


def _turn(chat: Chat, come: From, one: Exchange, here: Mapping[str, Here]) -> Turn:
    own = stable_id("t", come.origin, chat.id, one.key)
    return Turn(own, one, here.get(own))


def _answer_id(one: Exchange, come: From) -> str:
    return stable_id("a", come.origin, one.answers[0].id) if one.answers else ""


# --- what becomes of it --------------------------------------------------------------------------


def _judge(turn: Turn, come: From, done: Loaded) -> bool:
    """Count a turn; whether there is something to store."""
    here = turn.here
    if here is None:
        done.tell("turns", here=False)
        return True
    text, reply = turn.exchange.text, turn.exchange.reply
    if (here.text, here.reply) == (text, reply):
        done.tell("turns", here=True)
        return False
    grown = here.answer is not None and here.text == text and reply.startswith(here.reply)
    done.count(done.added if grown else done.different, "turns")
    return grown


def _store(
    db: Database,
    chat: Chat,
    turns: Sequence[Turn],
    come: From,
    source: str,
    forgotten: Forgotten,
    done: Loaded,
) -> None:
    own = chat_id(chat, come)
    dates = [one.at for one in chat.messages if one.at]
    began = chat.created_at or min(dates, default=come.moment)
    ended = max([began, *dates, *([chat.updated_at] if chat.updated_at else [])])
    sql = (
        "INSERT INTO conversations (id, title, system, created_at, updated_at, source_id) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
    )
    values = [own, short(chat.title), come.system, began, ended, source]
    done.tell("conversations", db.execute(sql, values).rowcount != 1)
    grown = False
    for turn in turns:
        if turn.here is None and forgotten.turn(turn.id):
            done.count(done.forgotten, "turns")
        elif _judge(turn, come, done):
            row = _row(chat, turn, come, began)
            _put(db, turn, row | {"conversation_id": own, "source_id": source})
            grown = True
    if grown:
        sql = "UPDATE conversations SET updated_at = max(updated_at, ?) WHERE id = ?"
        db.execute(sql, [ended, own])


def _put(db: Database, turn: Turn, row: Mapping[str, Any]) -> None:
    if turn.here is None:
        marks = ", ".join("?" * len(row))
        db.execute(f"INSERT INTO turns ({', '.join(row)}) VALUES ({marks})", list(row.values()))  # noqa: S608
        return
    names = ("reply", "finished_at", "model", "tokens", "receipt", "source_id")
    changes = ", ".join(f"{name} = ?" for name in names)
    db.execute(f"UPDATE turns SET {changes} WHERE id = ?", [*(row[n] for n in names), turn.id])  # noqa: S608


def _row(chat: Chat, turn: Turn, come: From, began: str) -> dict[str, Any]:
    one = turn.exchange
    told = {
        "from": come.label,
        "file": short(come.title),
        "place": chat.place,
        "answer": _answer_id(one, come),
    }
    started = one.messages[0].at or began
    return {
        "id": turn.id,
        "text": one.text,
        "status": "done",
        "started_at": started,
        "finished_at": (one.answers[-1].at if one.answers else None) or started,
        "reply": one.reply,
        "model": short(next((said.model for said in one.answers if said.model), come.label)),
        # Nobody counted them; rather too many, as core/budget.py estimates.
        "tokens": len((one.text + one.reply).encode()) // 3 + 8,
        "receipt": json.dumps({"imported": told}),
        "trust": "model",  # what another assistant answered may repeat anything it read
    }
