"""What is remembered of a common word is what FTS5 would say now."""

from __future__ import annotations

import random

import pytest
from sqlite_utils import Database

from assistant.memory import postings
from assistant.memory.postings import COMMON, Postings
from assistant.types import NewMemory


@pytest.fixture
def db():
    found = Database(memory=True)
    found.execute("CREATE VIRTUAL TABLE memories_fts USING fts5(text)")
    return found


def _tell(db, *texts):
    for text in texts:
        db.execute("INSERT INTO memories_fts(text) VALUES (?)", [text])


def test_what_is_remembered_is_what_is_there(db):
    rng, known = random.Random(1), Postings()
    for _ in range(40):
        some = [rng.choice(["tea", "tea and cake", "cake", "rain"]) for _ in range(40)]
        _tell(db, *some)
        for word in ("tea", "cake", "and", "snow"):
            newest = db.execute("SELECT max(rowid) FROM memories_fts").fetchone()[0]
            fresh = Postings().rows(db, word, newest).tolist()
            # The last but one is asked by a reader who saw less.
            for seen in (newest, newest, newest - 40, newest):
                assert known.rows(db, word, seen).tolist() == fresh
    assert len(known.rows(db, "tea", newest)) > COMMON


def test_only_new_rows_are_asked_for_again(db, monkeypatch):
    _tell(db, *["tea"] * COMMON, "rain")
    known, asked = Postings(), []
    newest = postings._newest

    def heard(db, word, after, most):
        asked.append((word, after))
        return newest(db, word, after, most)

    monkeypatch.setattr(postings, "_newest", heard)
    for word, since in (("tea", 1), ("tea", 1), ("tea", 2), ("tea", 2), ("rain", 1), ("rain", 1)):
        known.rows(db, word, COMMON + since)
    assert asked == [("tea", -1), ("tea", COMMON), ("rain", -1), ("rain", -1)]


def test_the_rows_of_a_rare_word_come_with_their_count(db):
    _tell(db, *["tea"] * (COMMON - 1), *["rain"] * COMMON)
    known = Postings()
    count, few = known.count(db, "tea", 2 * COMMON)
    assert (count, few.tolist()) == (COMMON - 1, list(range(1, COMMON)))
    assert known.count(db, "rain", 2 * COMMON) == (COMMON, None)
    count, few = known.count(db, "snow", 2 * COMMON)
    assert (count, len(few)) == (0, 0)


def test_the_newest_are_kept_and_the_oldest_word_goes(db, monkeypatch):
    monkeypatch.setattr(postings, "POSTINGS", COMMON + 9)
    monkeypatch.setattr(postings, "LISTS", 2)
    _tell(db, *["tea cake rain"] * (COMMON + 20))
    known = Postings()
    for word in ("tea", "cake", "tea", "rain"):
        assert known.rows(db, word, COMMON + 20).tolist() == list(range(11, COMMON + 21))
    assert list(known._rows) == ["tea", "rain"]
    _tell(db, "tea")
    assert known.rows(db, "tea", COMMON + 21).tolist() == list(range(12, COMMON + 22))
    assert set(known._rows) == {"tea", "rain"}


def test_a_count_is_made_again_when_the_memory_has_grown(db):
    _tell(db, *["tea"] * COMMON)
    known = Postings()
    assert known.count(db, "tea", COMMON) == (COMMON, None)
    _tell(db, *["tea"] * COMMON)
    assert known.count(db, "tea", COMMON + COMMON // 20) == (COMMON, None)  # near enough
    assert known.count(db, "tea", 2 * COMMON) == (2 * COMMON, None)


@pytest.mark.parametrize("ask", ["_newest", "_counted"])
def test_what_was_under_way_when_something_was_forgotten_is_not_kept(db, monkeypatch, ask):
    """Else the list would be full of rows that are gone, and what is there would not be found."""
    _tell(db, *["tea"] * COMMON)
    known, real = Postings(), getattr(postings, ask)

    def meanwhile(*how):
        found = real(*how)
        known.forget()
        return found

    monkeypatch.setattr(postings, ask, meanwhile)
    assert known.count(db, "tea", COMMON)[0] == len(known.rows(db, "tea", COMMON)) == COMMON
    assert not (known._rows if ask == "_newest" else known._counts)


async def test_a_common_word_finds_what_was_just_told_and_nothing_of_it_outlives_forgetting(memory):
    async with memory("gguf:none") as service:
        store = service.memories
        rows = [NewMemory(f"tea on day {n}") for n in range(COMMON)]
        told = await store.add_many(rows)
        assert await store.recall("tea", k=1, last_resort_s=0)
        assert set(store.finder.postings._rows) == {"tea"}
        new = await store.add(NewMemory("oolong tea"))
        found = await store.recall("oolong tea", k=1, last_resort_s=0)
        assert [one.id for one in found] == [new.id]
        await store.forget(ids=[told[0].id])
        assert not store.finder.postings._rows
        assert not store.finder.postings._counts
