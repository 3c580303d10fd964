"""One byte of a page is not what it was, for many pages: `python -m faults.damaging <folder> <pages>`.

Each damaged file is opened and asked for all it knows. Every answer is the right one or an error of
ours; the file is left as it was found; and a check says what is wrong. Prints counts as JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from faults import inner_child, killing

from assistant.errors import AssistantError
from assistant.memory.database import PAGE_BYTES
from assistant.types import NewMemory, Recalled

ROWS = 220
FILLER = "and then a long story about nothing in particular went on for many more words " * 18
QUESTIONS = range(0, ROWS, 8)

Answers = dict[str, Any]


async def fill(home: Path) -> Answers:
    """Many pages of each kind, and what they answer."""
    service = await killing.opened(home)
    rows = [NewMemory(f"The answer of keyword{n} is value{n} {FILLER}") for n in range(ROWS)]
    stored = await service.memories.add_many(rows)
    for row in stored[::10]:
        await service.memories.edit(row.id, text=f"{row.text} indeed")
    chat = await service.conversations.create("chat", "")
    for n in range(12):
        await service.conversations.start_turn(chat.id, f"t_{n}", f"question {n}", "m")
        hit = Recalled(stored[n].id, stored[n].text, 1.0, "note", stored[n].said_at)
        await service.conversations.finish_turn(
            f"t_{n}", status="done", reply=f"reply {n} {FILLER}", context=hit.text, recalled=[hit]
        )
    await service.memories.finder.catch_up(60)
    answers = await ask(service, Counter())
    await service.close()
    return answers


async def ask(service: Any, errors: Counter[str]) -> Answers:
    """Everything it knows, by every way of asking; what ends with an error of ours is left out."""
    memories, chats = service.memories, service.conversations
    answers: Answers = {}

    async def note(name: str, question: Callable[[], Awaitable[Any]]) -> None:
        try:
            answers[name] = await question()
        except AssistantError as exc:
            errors[f"{name.partition(' ')[0]}: {exc.code}"] += 1

    async def listed() -> list[str]:
        page, _ = await memories.list(limit=200)
        return [row.text for row in page]

    async def recalled(n: int) -> str:
        found = await memories.recall(f"What is the answer of keyword{n}?", k=1)
        return found[0].text if found else ""

    async def talked() -> list[list[str]]:
        page, _ = await chats.list()
        return [[turn.reply for turn in await chats.turns(chat.id)] for chat in page]

    await note("list", listed)
    await note("count", lambda: _count(memories))
    await note("talk", talked)
    for n in QUESTIONS:
        await note(f"recall {n}", lambda n=n: recalled(n))
    return answers


async def _count(memories: Any) -> int:
    return int((await memories.count()).count)


async def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    inner_child.install()
    whole, home = folder / "whole", folder / "home"
    right = await fill(whole)
    chance = random.Random(count)
    pages = (whole / "data/memory.db").stat().st_size // PAGE_BYTES
    chosen = range(pages) if count >= pages else sorted(chance.sample(range(pages), count))
    errors: Counter[str] = Counter()
    told: Counter[str] = Counter()
    problems: list[str] = []
    for page in chosen:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(whole, home)
        damaged = bytearray((home / "data/memory.db").read_bytes())
        damaged[page * PAGE_BYTES + chance.randrange(PAGE_BYTES)] ^= 1 << chance.randrange(8)
        (home / "data/memory.db").write_bytes(damaged)
        said, found = await _open_and_ask(home, right, errors)
        told[said] += 1
        problems += [f"page {page}: {one}" for one in found]
        if (home / "data/memory.db").read_bytes() != damaged:
            problems.append(f"page {page}: the file was changed")
    print(json.dumps({"pages": len(chosen), "of": pages, "states": told, "errors": errors,
                      "problems": problems[:20]}))  # fmt: skip


async def _open_and_ask(home: Path, right: Answers, errors: Counter[str]) -> tuple[str, list[str]]:
    """How it is said, and which answers were wrong."""
    try:
        service = await killing.opened(home)
    except AssistantError as exc:
        return f"refused: {exc.code}", []
    try:
        answers = await ask(service, errors)
        wrong = [name for name, answer in answers.items() if answer != right[name]]
        try:
            report = await service.memories.check(full=True)
        except AssistantError as exc:
            return f"check: {exc.code}", [f"wrong: {name}" for name in wrong]
        state = "check: damaged" if not report["ok"] else "check: nothing"
        return state, [f"wrong: {name}" for name in wrong]
    finally:
        await service.close()


if __name__ == "__main__":
    asyncio.run(main())
