"""Facts: no stale answer, the fast path's speed, and what is learnt from talk with the real model.

The extraction asks the model exactly as the daemon does after a turn, and checks its records with the
memory's own code; `said.py` has the messages.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from assistant.config import Settings, load_paths
from assistant.core import learn
from assistant.memory.attributes import key
from assistant.memory.candidates import LEARNABLE
from assistant.memory.service import open_memory
from assistant.types import NewMemory, Turn, new_id
from tests.bench.nestor import MODEL
from tests.bench.progress import say
from tests.bench.said import SAID
from tests.bench.table import Row
from tests.memory import life
from tests.running import RunningDaemon

FAST_MS = 50.0
PRECISION = 0.9
CORRECTED = (
    ("I live in Aarhus", "I moved to Porto", "aarhus", "porto",
     ["Where do I live?", "In which city do I live?", "What is my home town?", "Where is my home?",
      "Which city am I based in?", "Where's my flat?", "What's my city?", "In what town is my place?",
      "Where do I reside?", "Tell me where I live.", "My city?", "Do you know where I live?",
      "Où est-ce que j'habite ?", "Dans quelle ville j'habite ?", "Où habité-je ?", "C'est où chez moi ?",
      "Quelle est ma ville ?", "Wo wohne ich?", "¿Dónde vivo?", "Dove abito?"]),
    ("My sister Ana works at Airbus", "Ana works at Michelin now", "airbus", "michelin",
     ["Where does my sister work?", "Where does Ana work?", "Who employs Ana?", "Which company is Ana with?",
      "What is my sister's employer?", "Ana's company?", "Where is my sister employed?",
      "For whom does Ana work?", "What firm does my sister work for?", "Does Ana have a job, and where?",
      "Tell me Ana's workplace.", "In which company is my sister?", "Où travaille ma sœur ?",
      "Où travaille Ana ?", "Chez qui travaille Ana ?", "Quelle est l'entreprise de ma sœur ?",
      "Qui emploie Ana ?", "Wo arbeitet Ana?", "¿Dónde trabaja mi hermana?", "Dove lavora mia sorella?"]),
)  # fmt: skip
COMMANDS = (
    "Remember that {name} lives in {place}", "Souviens-toi que {name} aime le thé de {place}",
    "What do you know about {name}?", "Que sais-tu de {name} ?", "Remember that {name} moved to {other}",
    "Where did {name} use to live?", "Forget that {name} lives in {other}", "Forget about {name}", "none",
)  # fmt: skip


def measure(home: Path, runs: int, series: dict[str, Any]) -> Iterator[Row]:
    """Stale answers, fast path, extraction. 5 minutes with the starter model on two cores."""
    yield from asyncio.run(_stale(home / "stale"))
    yield from _fast(home / "fast", runs)
    yield from _learnt(home / "learnt", series)


async def _stale(home: Path) -> list[Row]:
    paths = load_paths({"NESTOR_HOME": str(home)})
    paths.make()
    service = await open_memory(paths, Settings(embedder="e5", key_store="file"))
    old_ones = found = asked = 0
    try:
        await service.memories.add_many([NewMemory(text) for text in life.FACTS.values()])
        for old, new, *_ in CORRECTED:
            await service.memories.add(NewMemory(old))
            await service.memories.add(NewMemory(new))
        while (await service.memories.count()).pending:
            await asyncio.sleep(0.1)
        for old, new, was, _, questions in CORRECTED:
            for question in questions:
                rows = await service.memories.recall(question, k=6, patience_s=10)
                texts = [row.text for row in rows]
                asked += 1
                old_ones += any(was in text.casefold() or text == old for text in texts)
                found += new in texts
    finally:
        await service.close()
    note = f"{asked} questions among {len(life.FACTS)} other facts"
    return [
        Row(
            "a corrected fact, 20 paraphrases each: old value recalled",
            "times",
            [old_ones],
            most=0,
            note=note,
        ),
        Row("the same: new value among the first six", "share", [found / asked]),
    ]


def _fast(home: Path, runs: int) -> Iterator[Row]:
    """Through HTTP, durable before it is acknowledged; the model is a fake, and is never asked."""
    running = RunningDaemon(home).up()
    times = []
    try:
        running.ask("Remember that the first word is slow")
        names = ("Ana", "Tom", "Léa", "Yann", "Zoé", "Max", "Ida", "Noé", "Eva", "Leo")
        for n in range(max(2, runs)):
            conversation = running.conversation()
            for command in COMMANDS:
                text = command.format(
                    name=names[n % 10] + "abcdefghij"[n // 10 % 10], place="Lyon", other="Porto"
                )
                begun = time.perf_counter()
                seen = running.ask(text, conversation)
                times.append((time.perf_counter() - begun) * 1000)
                receipt = next(data for _, name, data in seen if name == "receipt")
                assert receipt["model"] == "none", text
    finally:
        running.stop()
    times.sort()
    p95 = times[int(len(times) * 0.95)]
    note = f"{len(times)} commands, HTTP and two commits each included"
    yield Row("said to the memory: answered and durable, p95", "ms", [p95], most=FAST_MS, note=note)
    yield Row("the same, each", "ms", times)


def _learnt(home: Path, series: dict[str, Any]) -> Iterator[Row]:
    running = RunningDaemon(home / "daemon", model=MODEL).up()
    try:
        proposed = [_propose(running, text, n) for n, (text, _) in enumerate(SAID)]
    finally:
        running.stop()
    for name, records in (("rules alone", [[] for _ in SAID]), (f"rules and {MODEL}", proposed)):
        right, wrong, missed = asyncio.run(_judge(home / name.replace(" ", "_"), records))
        series[f"learnt: wrong, {name}"] = wrong
        series[f"learnt: missed, {name}"] = missed
        offered = right + len(wrong)
        note = f"{offered} offered from {len(SAID)} messages, {len(wrong)} wrong"
        share = right / offered if offered else 0.0
        yield Row(
            f"offered to be learnt ({name}): right", "share", [share], least=PRECISION, note=note
        )
        all_ = right + len(missed)
        yield Row(f"to be learnt ({name}): found", "share", [right / all_], note=f"of {all_}")
    raw = sum(len(one) for one in proposed)
    yield Row(f"records that {MODEL} proposed before they were checked", "records", [raw])


def _propose(running: RunningDaemon, text: str, n: int) -> list[dict[str, str]]:
    """The model's records for a message, asked as core/learn.py asks."""
    if not learn.worth_reading(text):
        return []
    if n % 10 == 0:
        say(f"learnt: message {n} of {len(SAID)}")
    turn = Turn("t_1", "c_1", text, "done", "2026-01-01T00:00:00Z")
    messages = [{"role": m.role, "content": m.text} for m in learn.instructions(turn)]
    schema = {"name": "facts", "schema": learn._schema(LEARNABLE)}
    body = {
        "messages": messages, "temperature": 0, "max_tokens": learn.REPLY_TOKENS,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }  # fmt: skip
    answer = httpx.post(
        f"{running.url}/v1/chat/completions", json=body, timeout=120,
        headers={"Authorization": f"Bearer {running.token}"},
    )  # fmt: skip
    return learn.records(answer.raise_for_status().json()["choices"][0]["message"]["content"])


async def _judge(
    home: Path, proposed: list[list[dict[str, str]]]
) -> tuple[int, list[str], list[str]]:
    """How many suggestions are right, which are wrong, and which facts were missed."""
    paths = load_paths({"NESTOR_HOME": str(home)})
    paths.make()
    service = await open_memory(paths, Settings(embedder="fake", key_store="file"))
    right, wrong, missed = 0, [], []
    try:
        for (text, facts), records in zip(SAID, proposed, strict=True):
            chat = await service.conversations.create("", "system")
            turn = await service.conversations.start_turn(chat.id, new_id("t"), text)
            _, made = await service.suggestions.learn(turn.id, text, records)
            allowed = {(name.lstrip("?"), key(value)) for name, value in facts}
            got = {(one.attribute, key(one.value)) for one in made}
            right += len(got & allowed)
            wrong += [json.dumps([text, *one], ensure_ascii=False) for one in got - allowed]
            wanted = {(name, key(value)) for name, value in facts if not name.startswith("?")}
            missed += [json.dumps([text, *one], ensure_ascii=False) for one in wanted - got]
    finally:
        await service.close()
    return right, wrong, missed
