"""The parts of recall: languages, words, times, neighbours, scans."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from assistant.memory import when
from assistant.memory.centre import PRIORED, Centre, Prior, shipped_prior, unit
from assistant.memory.codes import Codes
from assistant.memory.embed import E5_MODEL
from assistant.memory.finder import FEW, WAITING, _few_wait
from assistant.memory.language import detect
from assistant.memory.recall import understand
from assistant.memory.scan import Signs, _turns, best, nearest
from assistant.memory.words import content_words
from assistant.types import NewMemory

NOW = datetime(2026, 3, 18, 15, 0, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where does my sister live?", "en"),
        ("Où habite ma sœur ?", "fr"),
        ("Wo wohnt meine Schwester?", "de"),
        ("¿Dónde vive mi hermana?", "es"),
        ("Dove vive mia sorella?", "it"),
        ("Onde mora a minha irmã?", "pt"),
        ("Waar woont mijn zus?", "nl"),
        ("Где живёт моя сестра?", "ru"),
        ("我妹妹住在哪里？", "zh"),
        ("妹はどこに住んでいますか", "ja"),
        ("내 여동생은 어디에 살아요?", "ko"),
        ("أين تعيش أختي؟", "ar"),
        ("मेरी बहन कहाँ रहती है?", "hi"),
        ("7719", "und"),
        ("", "und"),
    ],
)
def test_language(text, language):
    assert detect(text) == language


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Where does my sister live?", ["sister", "live"]),
        ("What's Ana's favourite?", ["ana", "favourite"]),
        ("Qu'est-ce que j'ai mangé hier ?", ["mangé", "hier"]),
        ("What is it?", []),
        ('"NEAR" AND foo* -bar', ["near", "foo", "bar"]),
    ],
)
def test_content_words(text, words):
    assert content_words(text, detect(text)) == words


@pytest.mark.parametrize(
    ("question", "inside", "outside"),
    [
        ("What did I do in 2023?", "2023-06-01", "2024-06-01"),
        ("Where were we in May 2024?", "2024-05-20", "2024-09-01"),
        ("What happened on 7 May 2023?", "2023-05-07", "2023-06-07"),
        ("What happened on May 7th, 2023?", "2023-05-07", "2023-06-07"),
        ("What did I say yesterday?", "2026-03-17", "2026-02-01"),
        ("What did I say last week?", "2026-03-10", "2026-01-10"),
        ("What did we do last month?", "2026-02-10", "2025-12-10"),
        ("What did we do last spring?", "2025-04-05", "2026-03-05"),
        ("What do we do this spring?", "2026-03-05", "2025-04-05"),
        ("Qu'avons-nous fait au printemps dernier ?", "2025-04-05", "2026-03-05"),
        ("What did we do last winter?", "2025-12-20", "2025-06-20"),
        ("Who moved half a year ago?", "2025-09-16", "2025-03-18"),
        ("Who called a few days ago?", "2026-03-15", "2026-02-01"),
        ("What broke a couple of weeks ago?", "2026-03-04", "2025-12-20"),
        ("Was ist vor ein paar Tagen passiert?", "2026-03-15", "2026-02-01"),
        ("Wen habe ich vor zwei Wochen getroffen?", "2026-03-04", "2026-01-01"),
        ("¿Qué compré hace tres meses?", "2025-12-20", "2026-03-10"),
        ("What did I eat in the last two weeks?", "2026-03-06", "2026-01-01"),
        ("What did I read over the past few months?", "2026-01-10", "2025-09-01"),
        ("Qu'ai-je lu ces derniers jours ?", "2026-03-16", "2026-02-10"),
        ("Qu'ai-je lu ces trois derniers mois ?", "2026-01-10", "2025-09-10"),
        ("Was habe ich in den letzten zwei Wochen gemacht?", "2026-03-06", "2026-01-01"),
        ("¿Qué hice en las últimas dos semanas?", "2026-03-06", "2026-01-01"),
        ("What did we do last weekend?", "2026-03-14", "2026-03-09"),
        ("Qui est venu le week-end dernier ?", "2026-03-15", "2026-03-09"),
        ("Wer kam letztes Wochenende?", "2026-03-15", "2026-03-09"),
        ("¿Quién vino el fin de semana pasado?", "2026-03-15", "2026-03-09"),
        ("Where were we at Christmas?", "2025-12-25", "2025-10-25"),
        ("Où étions-nous à Noël 2024 ?", "2024-12-25", "2025-12-25"),
        ("Wo waren wir an Weihnachten?", "2025-12-25", "2025-10-25"),
        ("Wer hat gestern angerufen?", "2026-03-17", "2026-02-01"),
        ("Was war letzte Woche?", "2026-03-10", "2026-01-10"),
        ("Was haben wir letzten Monat gemacht?", "2026-02-10", "2025-12-10"),
        ("Was haben wir im Mai 2024 gemacht?", "2024-05-10", "2024-08-10"),
        ("Was war am 3. März 2025?", "2025-03-03", "2025-05-03"),
        ("Was haben wir letzten Sommer gemacht?", "2025-07-10", "2026-02-10"),
        ("Wer rief am Montag an?", "2026-03-16", "2026-02-16"),
        ("¿Qué hicimos el verano pasado?", "2025-07-10", "2026-02-10"),
        ("¿Qué pasó el 3 de mayo de 2025?", "2025-05-03", "2025-07-03"),
        ("¿Quién llamó ayer?", "2026-03-17", "2026-02-01"),
        ("¿Qué hicimos el año pasado?", "2025-06-10", "2026-03-10"),
        ("Who called on Monday?", "2026-03-16", "2026-02-16"),
        ("What did I eat two weeks ago?", "2026-03-04", "2026-01-01"),
        ("Qu'ai-je fait hier ?", "2026-03-17", "2026-02-01"),
        ("Où étions-nous en juin 2025 ?", "2025-06-10", "2025-10-10"),
        ("Qu'avons-nous fait l'été dernier ?", "2025-07-10", "2026-02-10"),
        ("Qui a appelé il y a trois jours ?", "2026-03-15", "2026-01-15"),
        ("What was said on 2025-12-24?", "2025-12-24", "2025-11-01"),
        ("What do we do in August?", "2019-08-03", "2019-09-03"),
    ],
)
def test_time_words(question, inside, outside):
    spans = when.spans(question, NOW)

    def fit(day):
        moment = int(datetime.fromisoformat(day + "T12:00:00+00:00").timestamp())
        return max(float(span.fits(np.array([moment]))[0]) for span in spans)

    assert fit(inside) == 1.0
    assert fit(outside) == 0.0


@pytest.mark.parametrize(
    "question",
    [
        "Where does my sister live?",
        "May I smoke?",
        "It fell on 31 February",
        "I march on",
        "9999999",
        "Who got a bike for 2000 euros?",
        "Which car cost $2010?",
        "Where did we walk 2000 km?",
        "Il a été malade, pourquoi ?",
    ],
)
def test_no_time_words(question):
    assert when.spans(question, NOW) == ()


def test_here_is_not_yesterday():
    assert understand("Wer wohnt hier?", [], NOW).spans == ()
    assert understand("Qui est venu hier ?", [], NOW).spans


def test_names_of_speakers_stay_out_of_the_vector():
    question = understand("What did Ben's sister Zoe tell Ann Lee?", ["Ann Lee", "Ben"], NOW)
    assert question.bare == "What did sister Zoe tell ?"
    assert question.speakers == {"ann", "lee", "ben"}
    assert question.names == {"zoe"}
    assert understand("Ann?", ["Ann"], NOW).bare == "Ann?"


def test_signs_and_codes_find_what_exact_search_finds():
    rng = np.random.default_rng(1)
    middles = rng.standard_normal((200, 384))
    rows = middles[rng.integers(0, 200, 20_000)] + rng.standard_normal((20_000, 384))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    signs, slots = Signs(len(rows), 384), np.arange(len(rows))
    signs.write(slots, rows)
    codes = Codes(len(rows), Centre(shipped_prior(E5_MODEL)))
    codes.write(slots, np.zeros(len(rows), np.int8), rows)
    centred = codes.centred(slots)
    allowed = np.ones(len(rows), bool)
    allowed[::7] = False
    hits = 0
    for query in centred[:40]:
        exact = np.where(allowed, centred @ query, -2)
        near = nearest(signs.distances(query, len(rows)), allowed, 1_000)
        assert len(near) == 1_000
        assert allowed[near].all()
        found = best(near, codes.cosines(query, near), 10)
        assert (np.diff(exact[found]) <= 1e-6).all()
        hits += len(set(np.argsort(-exact)[:10]) & set(found))
    assert hits / 400 > 0.95
    nothing = np.zeros(len(rows), bool)
    assert len(nearest(signs.distances(rows[0], len(rows)), nothing, 10)) == 0


@pytest.mark.parametrize("dim", [100, 384])
def test_signs_are_compared_in_all_three_views(dim):
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((5_000, dim)).astype(np.float32)
    signs, slots = Signs(1, dim), np.arange(len(rows))
    signs.grow(len(rows))
    signs.write(slots, rows)
    views = [rows, *(rows @ turn for turn in _turns(dim))]
    differing = sum(((view > 0) != (view[17] > 0)).sum(axis=1) for view in views)
    # A number next to zero may round either way.
    assert abs(signs.distances(rows[17], len(rows)).astype(int) - differing).max() <= 3
    assert signs.distances(rows[17], 20)[17] <= 3


@pytest.mark.parametrize("dim", [3, 384, 1_000])
def test_cosines_to_codes_are_those_to_the_vectors(dim):
    """Whichever instructions this processor has."""
    rng = np.random.default_rng(dim)
    rows = unit(rng.standard_normal((700, dim)).astype(np.float32))
    nothing = np.zeros((len(PRIORED), dim), np.float32).tobytes()
    centre = Centre(Prior("m", dim, nothing, nothing, 0.1))
    codes = Codes(len(rows), centre)
    codes.write(np.arange(len(rows)), np.zeros(len(rows), np.int8), rows)
    some = rng.permutation(len(rows))[:600]
    centred = codes.centred(np.arange(len(rows)))
    query = rows[5]
    found = codes.cosines(query, some)
    assert np.abs(found - centred[some] @ query).max() < 2e-5
    assert np.abs(found - rows[some] @ query).max() < 0.01
    assert len(codes.cosines(query, some[:0])) == 0
    assert not codes.cosines(np.zeros(dim, np.float32), some).any()


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 5_000])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 1.0])
def test_the_nearest_by_signs_are_as_many_as_asked_for(rows, share):
    rng = np.random.default_rng(rows)
    distances = rng.integers(100, 300, rows).astype(np.uint16)
    allowed = rng.random(rows) < share
    for count in (1, 10, 1_000):
        found = nearest(distances, allowed, count)
        assert len(found) == min(count, allowed.sum())
        assert allowed[found].all()
        worst = np.sort(distances[allowed])[: len(found)]
        assert np.array_equal(np.sort(distances[found])[:count], worst[:count])


async def test_neighbours_of_a_hit_are_pulled_in(memory, settled):
    async with memory() as service:
        lines = ["Did you ever find your umbrella?", "Yes, in the cellar!", "Good for you."]
        rows = [
            NewMemory(text, thread="chat", said_at=f"2026-01-01T00:00:0{n}Z", speaker=who)
            for n, (text, who) in enumerate(zip(lines, ("Ann", "Ben", "Ann"), strict=True))
        ]
        other = [NewMemory(f"noise {n}", thread="other") for n in range(30)]
        await service.memories.add_many([*other, *reversed(rows)])
        await settled(service)
        found = await service.memories.recall("umbrella", k=2)
        assert sorted(m.text for m in found) == lines[:2]


async def test_who_and_when_break_ties(memory, settled):
    async with memory() as service:
        store = service.memories
        ann, ben = await store.add_many(
            [
                NewMemory("I went to the market", speaker="Ann", said_at="2025-01-10"),
                NewMemory("I went to the market", speaker="Ben", said_at="2025-08-10"),
            ]
        )
        await settled(service)
        assert (await store.recall("Did Ben go to the market?", k=1))[0].id == ben.id
        assert (await store.recall("Did Ann go to the market?", k=1))[0].id == ann.id
        august = await store.recall("Who went to the market in August 2025?", k=1)
        assert august[0].id == ben.id


async def test_whether_few_rows_wait_is_told_without_counting_them_all(memory):
    async with memory("gguf:none") as service:
        store = service.memories
        assert await store.read(_few_wait)
        await store.add_many([NewMemory(f"pebble {n}", thread="t") for n in range(FEW)])
        assert await store.read(_few_wait)
        await store.add(NewMemory("one too many"))
        assert not await store.read(_few_wait)

        def plan(db):
            rows = db.execute(f"EXPLAIN QUERY PLAN {WAITING}", [FEW + 1])
            return " ".join(str(row[3]) for row in rows)

        assert "memories_pending" in await store.read(plan)


async def test_nothing_is_found_in_nothing(memory):
    async with memory() as service:
        assert await service.memories.recall("anything?", k=5) == []
        assert await service.memories.recall("anything?", k=0) == []
        assert await service.memories.recall("anything?", k=5, gate=True) == []


def test_a_day_begins_at_midnight_where_the_user_is():
    sydney = timezone(timedelta(hours=10))
    (span,) = when.spans("What did I do yesterday?", datetime(2026, 6, 10, 1, 0, tzinfo=sydney))
    assert span.start == datetime(2026, 6, 8, 14, 0, tzinfo=UTC).timestamp()
    (day,) = when.spans("on 9 June 2026", datetime(2026, 6, 10, 1, 0, tzinfo=sydney))
    assert day == span


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="no way to set the zone here")
async def test_yesterday_is_the_users_yesterday(memory, monkeypatch):
    monkeypatch.setenv("TZ", "Etc/GMT-10")
    time.tzset()
    try:
        async with memory("gguf:none", clock=lambda: "2026-06-09T15:00:00Z") as service:
            rows = await service.memories.add_many(
                [
                    NewMemory("the walk, long", said_at="2026-06-08T10:00:00Z"),
                    NewMemory("the walk, wide", said_at="2026-06-09T10:00:00Z"),
                    NewMemory("the walk, slow", said_at="2026-06-09T14:30:00Z"),
                ]
            )
            found = await service.memories.recall("The walk of yesterday", k=1, last_resort_s=0)
            assert found[0].id == rows[1].id
    finally:
        monkeypatch.undo()
        time.tzset()


async def test_without_vectors_a_rare_word_is_evidence_beside_long_rows_of_common_ones(memory):
    async with memory("gguf:none") as service:
        store = service.memories
        long = "what people know of the weather and what they would know of the sea " * 3
        await store.add_many([NewMemory(f"{long}{n}") for n in range(40)])
        wanted = await store.add(NewMemory("zormffgix: shut"))
        found = await store.recall("What do you know about zormffgix?", k=5, gate=True)
        assert [one.id for one in found] == [wanted.id]


@pytest.mark.parametrize("gate", [False, True])
async def test_what_was_asked_before_is_answered_in_one_visit_less(
    memory, settled, monkeypatch, gate
):
    """Its vector is known: a draft, and the same words when they are sent."""
    async with memory() as service:
        store, finder = service.memories, service.memories.finder
        await store.add_many(
            [NewMemory(f"The {what} is in the cellar") for what in ("kite", "sledge")]
        )
        await settled(service)
        visits, run, me = [], finder._readers.run, asyncio.current_task()

        def counted(work):
            visits.append(asyncio.current_task() is me)
            return run(work)

        monkeypatch.setattr(finder._readers, "run", counted)
        found, needed = [], []
        for _ in range(2):
            visits.clear()
            found.append(await store.recall("Where is the sledge?", k=2, gate=gate, patience_s=10))
            needed.append(sum(visits))
        assert found[0] == found[1]
        assert found[0][0].text == "The sledge is in the cellar"
        assert needed == ([3, 2] if gate else [2, 1])
