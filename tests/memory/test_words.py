"""Word search: what counts is what may be found, in every script."""

from __future__ import annotations

import unicodedata

import pytest

from assistant.memory.language import detect, words_of
from assistant.memory.words import RARE_ROWS, content_words, words_in
from assistant.types import NewMemory


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Le résumé de Zoë", ["le", "résumé", "de", "zoë"]),
        ("बहन कहाँ रहती है", ["बहन", "कहाँ", "रहती", "है"]),
        ("சென்னை நகரம்", ["சென்னை", "நகரம்"]),
        ("서울에 산다", ["서울에", "산다"]),
        ("coffee ☕️, please_now", ["coffee", "please_now"]),
    ],
)
def test_words_keep_their_signs(form, text, words):
    wanted = [unicodedata.normalize("NFC", word) for word in words]
    assert words_in(unicodedata.normalize(form, text)) == wanted
    assert detect(unicodedata.normalize("NFD", text)) == detect(text)
    assert content_words("रहती", "hi") == ["रहती"]


def test_a_letter_that_grows_in_lower_case_does_not_cut_its_word():
    """Of "İstanbul" would be left the Italian article "i"."""
    first, second = words_of("İstanbul'da İzmir")
    assert "".join(c for c in first if c.isalnum() or c == "'") == "istanbul'da"
    assert second.endswith("zmir")
    assert detect("İstanbul") == "und"


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("My résumé is in the drawer", "résumé"),
        ("मेरी बहन पुणे में रहती है", "रहती"),
        ("동생은 서울에 산다", "서울에"),
        ("妹はガレージにいる、ガ レ", "ガ"),
    ],
)
async def test_either_form_of_a_word_finds_either_form_of_a_text(memory, stored, asked, text, word):
    async with memory("gguf:none") as service:
        added = await service.memories.add(NewMemory(unicodedata.normalize(stored, text)))
        await service.memories.add(NewMemory("र ह त sum 서 울"))
        question = unicodedata.normalize(asked, word)
        found = await service.memories.recall(question, k=1, last_resort_s=0)
        assert [m.id for m in found] == [added.id]


async def test_closed_and_foreign_rows_make_no_word_common(memory):
    async with memory("gguf:none") as service:
        store = service.memories
        row = await store.add(NewMemory("The zebra code is 0"))
        for n in range(1, 4 * RARE_ROWS):
            row = await store.edit(row.id, text=f"The zebra code is {n}")
        await store.add_many([NewMemory(f"zebra {n}", scope="work") for n in range(9)])
        found = await store.recall("zebra", k=3, gate=True, scope="home", last_resort_s=0)
        assert [m.id for m in found] == [row.id]  # rare among what may be found: evidence
        assert len(await store.recall("zebra", k=20, last_resort_s=0)) == 10


async def test_the_newest_of_very_many_rows_counts(memory):
    async with memory("gguf:none") as service:
        store = service.memories
        await store.add_many([NewMemory(f"Ana said {n}", scope="old") for n in range(1100)])
        row = await store.add(NewMemory("Ana likes tulips"))
        await store.add_many([NewMemory(f"filler {n}") for n in range(20)])
        found = await store.recall("and what about Ana", k=1, gate=True, scope="x", last_resort_s=0)
        assert [m.id for m in found] == [row.id]


@pytest.mark.parametrize(
    "question",
    [
        "What was on 9999-12-31?",
        "31 december 9999",
        "in december 9999",
        "january 0000",
        "winter 0000",
        "in winter 9999",
        "0000-00-00 and 2024-02-31",
        "year 2099",
        "999 years ago",
    ],
)
async def test_a_time_that_cannot_be_is_no_time(memory, question):
    async with memory("gguf:none") as service:
        await service.memories.add(NewMemory("the end of december"))
        await service.memories.recall(question, k=1, last_resort_s=0)
        for moment in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"):
            await service.memories.recall("yesterday", k=1, as_of=moment, last_resort_s=0)


async def test_no_kind_is_nothing(memory):
    async with memory() as service:
        await service.memories.add(NewMemory("hello"))
        assert await service.memories.recall("hello", k=1, kinds=[]) == []
