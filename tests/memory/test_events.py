"""Times told by an event."""

from __future__ import annotations

import pytest

from assistant.types import NewMemory

TOLD = (
    ("Bought a kite at the market", "2026-01-20T10:00:00Z"),
    ("We leave for our trip to Crete on 3 February", "2026-01-10T10:00:00Z"),
    ("Bought a drum at the market", "2026-02-20T10:00:00Z"),
    ("Bought a lamp at the market", "2025-06-01T10:00:00Z"),
)


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("What did I buy at the market before the trip?", "kite"),
        ("What did I buy at the market after our trip?", "drum"),
        ("What was bought at the market since our trip to Crete?", "drum"),
        ("Market before my trip to Crete", "kite"),
    ],
)
@pytest.mark.parametrize("embedder", ["gguf:none", "e5"])
async def test_before_and_after_what_a_memory_tells_of(memory, question, wanted, embedder):
    async with memory(embedder, clock=lambda: "2026-03-20T10:00:00Z") as service:
        await service.memories.add_many([NewMemory(text, said_at=at) for text, at in TOLD])
        wait = 10 if embedder == "e5" else 0
        found = await service.memories.recall(question, k=4, last_resort_s=wait, patience_s=wait)
        bought = [one.text for one in found if one.text.startswith("Bought")]
        assert wanted in bought[0]


@pytest.mark.parametrize(
    ("told", "question", "wanted"),
    [
        ("Das Konzert war am 3. Februar", "Was kaufte ich auf dem Markt vor dem Konzert?", "kite"),
        ("Le concert était le 3 février", "Acheté au marché market après le concert ?", "drum"),
        ("El concierto fue el 3 de febrero", "¿Qué compré, market, antes del concierto?", "kite"),
        ("El viaje fue el 3 de febrero", "¿Qué compré, market, antes del viaje?", "kite"),
        ("El viaje fue el 3 de febrero", "¿Qué compré, market, después del viaje?", "drum"),
        ("The concert was loud", "Market before the concert", "lamp"),
    ],
)
async def test_in_other_languages_and_by_when_it_was_told(memory, told, question, wanted):
    async with memory("gguf:none", clock=lambda: "2026-03-20T10:00:00Z") as service:
        rows = [NewMemory(text, said_at=at) for text, at in TOLD if "Crete" not in text]
        said = "2025-07-10T10:00:00Z" if "loud" in told else "2026-02-05T10:00:00Z"
        await service.memories.add_many([*rows, NewMemory(told, said_at=said)])
        found = await service.memories.recall(f"bought Markt {question}", k=4, last_resort_s=0)
        bought = [one.text for one in found if one.text.startswith("Bought")]
        assert wanted in bought[0]


async def test_an_event_nobody_told_of_changes_nothing(memory):
    async with memory("gguf:none", clock=lambda: "2026-03-20T10:00:00Z") as service:
        await service.memories.add_many([NewMemory(text, said_at=at) for text, at in TOLD])
        found = await service.memories.recall("kite before the opera", k=1, last_resort_s=0)
        assert "kite" in found[0].text
