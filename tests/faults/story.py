"""A memory that is told things, and what it must still know afterwards, wherever the telling stopped.

Each line of the record is written after a call returned, or (`…?`) before it is made. A `key` stands
for one thing that was remembered, with all its versions.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import zlib
from collections.abc import Iterable
from typing import Any

import msgspec

from assistant.types import NewMemory, Recalled

WORKERS = 4
BATCH = 7


class Thing(msgspec.Struct):
    """One key: its versions, and what was begun and not heard of again."""

    versions: list[tuple[str, str]] = []
    """(id, word that is in its text and in no other)"""
    begun: str = ""
    gone: bool = False


class Truth(msgspec.Struct):
    """What was acknowledged."""

    things: dict[str, Thing] = {}
    batches: dict[str, bool] = {}
    """Name → whether its import was acknowledged."""
    turns: dict[str, bool] = {}
    lines: int = 0


def truth_of(record: bytes) -> Truth:
    """A last line without its end was never told to anyone."""
    truth = Truth({}, {}, {})
    for line in record.split(b"\n")[:-1]:
        op, key, *rest = json.loads(line)
        truth.lines += 1
        if op in ("batch?", "batch"):
            truth.batches[key] = op == "batch"
        elif op in ("turn?", "turn"):
            truth.turns[key] = op == "turn"
        elif op == "version":
            thing = truth.things.setdefault(key, Thing([]))
            thing.versions.append((rest[0], rest[1]))
            thing.begun = ""
        elif op == "gone":
            truth.things[key].gone, truth.things[key].begun = True, ""
        else:
            truth.things[key].begun = op
    return truth


class Teller:
    """Tells a memory things until it is stopped from outside."""

    def __init__(self, service: Any, record: str, name: str, seed: int) -> None:
        self._memories = service.memories
        self._chats = service.conversations
        self._file = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._name = name
        self._chance = random.Random(seed)

    async def tell(self, truth: Truth, *, rounds: int = 1_000_000) -> list[BaseException]:
        """All workers, each with its share of what is there already; what ended some of them."""
        settled = {k: t for k, t in truth.things.items() if not t.gone and not t.begun}
        shares: list[dict[str, Thing]] = [{} for _ in range(WORKERS)]
        for key, thing in settled.items():
            shares[zlib.crc32(key.encode()) % WORKERS][key] = thing
        work = (self._work(n, shares[n], rounds) for n in range(WORKERS))
        ended = await asyncio.gather(*work, return_exceptions=True)
        return [one for one in ended if one is not None]

    def _note(self, op: str, key: str, *rest: str) -> None:
        os.write(self._file, json.dumps([op, key, *rest]).encode() + b"\n")

    def _word(self) -> str:
        return "q" + "".join(self._chance.choices("bcdfghjklmnpqrstvwxz", k=14))

    async def _work(self, number: int, mine: dict[str, Thing], rounds: int) -> None:
        chat = await self._chats.create(f"chat {number}", "")
        for n in range(rounds):
            key = f"{self._name}.{number}.{n}"
            what = self._chance.random()
            if what < 0.35 or not mine:
                await self._remember(key, mine)
            elif what < 0.5:
                await self._import(key)
            elif what < 0.7:
                await self._correct(self._chance.choice(sorted(mine)), mine)
            elif what < 0.85:
                await self._talk(chat.id, key, mine)
            else:
                await self._forget(mine)

    async def _remember(self, key: str, mine: dict[str, Thing]) -> None:
        word = self._word()
        row = await self._memories.add(NewMemory(f"thing {key} is {word}", thread="t"))
        self._note("version", key, row.id, word)
        mine[key] = Thing([(row.id, word)])

    async def _import(self, key: str) -> None:
        self._note("batch?", key)
        rows = [NewMemory(f"part {n} of {key}", speaker=key) for n in range(BATCH)]
        await self._memories.add_many(rows)
        self._note("batch", key)

    async def _correct(self, key: str, mine: dict[str, Thing]) -> None:
        word = self._word()
        self._note("correct?", key)
        row = await self._memories.edit(mine[key].versions[-1][0], text=f"thing {key} is {word}")
        self._note("version", key, row.id, word)
        mine[key].versions.append((row.id, word))

    async def _talk(self, chat_id: str, key: str, mine: dict[str, Thing]) -> None:
        about = self._chance.choice(sorted(mine))
        memory_id, word = mine[about].versions[-1]
        turn_id = f"t_{key}"
        self._note("turn?", turn_id)
        await self._chats.start_turn(chat_id, turn_id, "And that thing?", "m")
        text = f"thing {about} is {word}"
        hit = Recalled(memory_id, text, 1.0, "note", "2026-01-01T00:00:00Z")
        await self._chats.finish_turn(
            turn_id, status="done", reply=f"It is {word}.", context=text, recalled=[hit]
        )
        self._note("turn", turn_id)

    async def _forget(self, mine: dict[str, Thing]) -> None:
        keys = self._chance.sample(sorted(mine), min(len(mine), self._chance.randint(1, 3)))
        for key in keys:
            self._note("forget?", key)
        if len(keys) == 1:
            word = mine[keys[0]].versions[-1][1]
            await self._memories.forget(query=f"Thing {keys[0]} is {word}")
        else:
            await self._memories.forget(ids=[mine[key].versions[-1][0] for key in keys])
        for key in keys:
            self._note("gone", key)
            del mine[key]


# --- afterwards ------------------------------------------------------------------------------


async def problems(service: Any, truth: Truth) -> list[str]:
    """What was acknowledged and is not so, and whatever is half done. Empty: all is well."""
    report = await service.memories.check(full=True)
    found = [f"half: {problem}" for problem in report["problems"]]
    return found + service._readers.read(lambda db: list(_compare(db, truth)))


def _compare(db: Any, truth: Truth) -> Iterable[str]:
    rows = {
        row[0]: row[1:]
        for row in db.execute("SELECT id, text, valid_to, superseded_by FROM memories")
    }
    said = "\n".join(f"{c}\n{r}" for c, r in db.execute("SELECT context, reply FROM turns"))
    for key, thing in truth.things.items():
        yield from _thing(key, thing, rows, said)
    for name, known in truth.batches.items():
        (count,) = db.execute("SELECT count(*) FROM memories WHERE speaker = ?", [name]).fetchone()
        if count != BATCH and (known or count):
            yield f"{'half' if count else 'lost'}: {count} of {BATCH} rows of import {name}"
    ended = dict(db.execute("SELECT id, status FROM turns").fetchall())
    for turn_id, known in truth.turns.items():
        if known and ended.get(turn_id) != "done":
            yield f"lost: turn {turn_id} is {ended.get(turn_id)}"


def _thing(key: str, thing: Thing, rows: dict[str, Any], said: str) -> Iterable[str]:
    there = [memory_id in rows for memory_id, _ in thing.versions]
    if thing.gone or (thing.begun == "forget?" and not any(there)):
        if any(there):
            yield f"back: {key} was forgotten and is here"
        if any(word in said for _, word in thing.versions):
            yield f"back: {key} was forgotten and stands in a turn"
        return
    if not all(there):
        earlier = there == sorted(there, reverse=True)  # the first versions only: an older state
        yield f"{'lost' if earlier else 'half'}: {sum(there)} of {len(there)} of {key}"
        return
    followers = [memory_id for memory_id, _ in thing.versions[1:]]
    for (memory_id, word), after in zip(thing.versions, [*followers, None], strict=True):
        text, valid_to, superseded_by = rows[memory_id]
        if word not in text:
            yield f"lost: {key} has another text"
        if after is None and thing.begun == "correct?" and superseded_by in rows:
            after = superseded_by  # it came through, but nobody was told
        if superseded_by != after or (valid_to is None) != (after is None):
            yield f"half: {key} is followed by {superseded_by}, not by {after}"
