"""Whom a question and a row in another language speak of, and what it changes."""

from __future__ import annotations

import numpy as np
import pytest

from assistant.memory import subjects
from assistant.memory.persons import Persons, read, strangers
from assistant.memory.question import Question
from assistant.memory.recall import WEIGHTS
from assistant.memory.signals import FOREIGN_WORDS, NAMES, signals
from assistant.memory.slots import Candidates
from assistant.memory.words import Found
from assistant.types import NewMemory

NO_ROWS = np.zeros(0, np.int64)
ME = Persons(me=True)


def somebody(role, *more):
    return Persons(more == ("me",), frozenset([role]), frozenset([role]))


@pytest.mark.parametrize(
    ("text", "persons"),
    [
        ("Where do I live?", ME),
        ("Où est-ce que j'habite ?", ME),
        ("Wo wohne ich?", ME),
        ("¿Dónde vivo?", ME),
        ("Which town is my home?", ME),
        ("We live in Bergen", ME),
        ("Das Ladegerät liegt bei mir", ME),
        ("My grandmother lives in Cádiz", somebody("grandmother")),
        ("Ma grand-mère habite à Cadix", somebody("grandmother")),
        ("Oma wohnt in Cádiz", somebody("grandmother")),
        ("En Cádiz vive mi abuela", somebody("grandmother")),
        ("My grandmother showed me how to knit", somebody("grandmother", "me")),
        ("The station is near the harbour", Persons()),
        # Words that are a relative in one language and something else in the text's own.
        ("Quel est son livre ?", Persons()),
        ("Frau Seidel hat den Schlüssel", Persons(loose=frozenset(["wife"]))),
        ("My mother-in-law paints", ME),
        ("Le chien aboie", Persons(loose=frozenset(["dog"]))),
        ("", Persons()),
    ],
)
def test_whom_a_text_speaks_of(text, persons):
    assert read(text) == persons


def test_a_name_is_one_that_is_known():
    assert read("Jonas wohnt in Kassel", names=frozenset(["jonas"])).names == {"jonas"}
    assert read("Jonas wohnt in Kassel") == Persons()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("Where do I live?", "Mi abuela vive ahora en Cádiz"),
        ("Where do I live?", "Ma tante habite à Rennes"),
        ("Où est-ce que j'habite ?", "My brother lives in Antwerp"),
        ("Wo wohne ich?", "Ma sœur habite à Lyon"),
        ("¿Dónde vivo?", "Mein Cousin wohnt in Bremen"),
        ("Where does my sister live?", "Ich wohne in Bergen"),
        ("Où habite ma sœur ?", "Mein Bruder wohnt in Bremen"),
        ("Wo wohnt meine Schwester?", "My uncle lives in Faro"),
        ("¿Dónde vive mi hermana?", "I live in Bergen"),
        ("Where do I live?", "Jonas wohnt in Bremen"),
        ("Where does Nora live?", "Jonas wohnt in Bremen"),
        ("Where does Nora live?", "J'habite à Rennes"),
    ],
)
def test_of_somebody_else(asked, told):
    names = frozenset(["jonas", "nora"])
    assert strangers(read(asked, names=names), read(told, names=names))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("Where do I live?", "J'habite à Bergen"),
        ("Où est-ce que j'habite ?", "Ich wohne in Bergen"),
        ("Wo wohne ich?", "I live in Bergen"),
        ("¿Dónde vivo?", "Ich wohne in Bergen"),
        ("Where do I live?", "Vivo en Bergen"),
        ("Where does my sister live?", "Mi hermana vive en Lyon"),
        ("Wo wohnt meine Schwester?", "Ma sœur habite à Lyon"),
        ("Where did grandfather work?", "Opa war Schlosser"),
        ("Who taught me to knit?", "Ma tante m'a montré comment tricoter"),
        ("What did I give my sister?", "Mi hermana tiene el reloj"),
        ("What did I give Nora?", "Nora hat die Uhr"),
        ("Where do I park?", "El aparcamiento está detrás de la estación"),
        ("Where is the key?", "Mein Bruder hat den Schlüssel"),
        # One person may well have both.
        ("Where does my cousin live?", "Jonas wohnt in Bremen"),
        ("Where does Jonas live?", "Mi primo vive en Bremen"),
    ],
)
def test_in_doubt_it_is_nobody_else(asked, told):
    names = frozenset(["jonas", "nora"])
    assert not strangers(read(asked, names=names), read(told, names=names))


# --- what it changes -------------------------------------------------------------------------


def three(others):
    """A row of the question's own language with its word, and two foreign ones that mean the same."""
    cosines = np.array([0.5, 0.6, 0.48], np.float32)
    nothing = np.full(3, -1)
    return Candidates(
        np.arange(3), np.arange(3), cosines, cosines, nothing, nothing, np.zeros(3, np.int64),
        np.ones(3, np.float32), np.zeros(3, bool), np.zeros(3, bool), np.ones(3, bool),
        np.array([False, True, True]), others,
    )  # fmt: skip


def abroad(candidates, *, seqs=(0,), share=1.0):
    found = Found(
        np.array(seqs, np.int64), np.ones(len(seqs), np.float32),
        np.full(len(seqs), share, np.float32), NO_ROWS, NO_ROWS,
    )  # fmt: skip
    asked = Question("?", "en", "?", ("live",), frozenset(), frozenset(), ())
    columns = signals(asked, candidates, found, 0.1)
    return columns[:, NAMES.index("abroad")].tolist()


def test_meaning_stands_for_words_that_another_language_cannot_have():
    assert abroad(three(None)) == pytest.approx([0.0, 1.0, 0.8])
    # As far as words count at all.
    assert abroad(three(None), share=0.25) == pytest.approx([0.0, 0.5, 0.4])
    assert abroad(three(None), seqs=()) == [0.0] * 3


def test_with_a_word_that_it_shares_it_has_no_more_than_the_best_row():
    assert abroad(three(None), seqs=(0, 1)) == pytest.approx([0.0, 1 - FOREIGN_WORDS, 0.8])
    assert WEIGHTS["abroad"] == WEIGHTS["words"]


def test_not_in_a_row_about_somebody_else():
    others = np.array([False, True, False])
    assert abroad(three(others)) == pytest.approx([0.0, 0.0, 0.8])


RELATIVES = (
    "My brother lives in Antwerp",
    "Ma tante habite à Namur",
    "Mein Cousin Jonas wohnt jetzt in Kassel",
    "Mi abuela vive ahora en Cádiz",
)
CHATTER = (
    "The lawnmower costs more than Katrin thought.",
    "Wanda a parlé du piano mardi.",
    "Der Zug nach Hause hatte Verspätung.",
    "A Katrin le gusta el piano.",
)


@pytest.mark.parametrize("gate", [False, True])
@pytest.mark.parametrize(
    ("question", "own", "relatives"),
    [
        ("Where do I live?", "I live in Bergen", RELATIVES[1:]),
        ("Où est-ce que j'habite ?", "J'habite à Bergen", (RELATIVES[0], *RELATIVES[2:])),
        ("Wo wohne ich?", "Ich wohne in Bergen", (*RELATIVES[:2], RELATIVES[3])),
        ("¿Dónde vivo?", "Vivo en Bergen", RELATIVES[:3]),
    ],
)
async def test_the_users_own_row_is_before_what_is_said_of_others_elsewhere(
    memory, settled, question, own, relatives, gate
):
    async with memory("e5") as service:
        rows = (*relatives, *CHATTER, own)
        await service.memories.add_many([NewMemory(text) for text in rows])
        await settled(service)
        found = await service.memories.recall(question, k=3, gate=gate, patience_s=10)
        assert found[0].text == own


@pytest.mark.parametrize(
    ("question", "row"),
    [
        ("Where does my grandmother live?", RELATIVES[3]),
        ("Où habite ma grand-mère ?", RELATIVES[3]),
        ("Wo wohnt meine Oma?", RELATIVES[3]),
        ("Where does my cousin live?", RELATIVES[2]),
        ("¿Dónde vive mi primo?", RELATIVES[2]),
        ("Wo wohnt meine Tante?", RELATIVES[1]),
        ("Où habite mon frère ?", RELATIVES[0]),
    ],
)
async def test_a_relative_is_found_in_any_language(memory, settled, question, row):
    async with memory("e5") as service:
        rows = ("I live in Bergen", *RELATIVES, *CHATTER)
        await service.memories.add_many([NewMemory(text) for text in rows])
        await settled(service)
        found = await service.memories.recall(question, k=3, patience_s=10)
        assert row in [one.text for one in found[:2]]


async def test_somebody_known_by_name_is_somebody_else_too(memory, settled):
    async with memory("e5") as service:
        await service.knowledge.remember("My cousin Jonas lives in Kassel")
        rows = ("Jonas wohnt jetzt in Bremen", *CHATTER)
        await service.memories.add_many([NewMemory(text) for text in (*rows, "I live in Bergen")])
        await settled(service)
        found = await service.memories.recall("Where do I live?", k=3, patience_s=10)
        assert found[0].text == "I live in Bergen"
        about = await service.memories.recall("Where does Jonas live?", k=3, patience_s=10)
        assert "Jonas" in about[0].text


async def test_only_names_that_were_told_are_known(memory):
    async with memory() as service:
        await service.knowledge.remember("My cousin Jonas Berg lives in Kassel")

        def told(db):
            return subjects.told(db, ["jonas", "jonas berg", "berg", "kassel"])

        assert await service.memories._readers.run(told) == {"jonas", "jonas berg"}
        assert await service.memories._readers.run(lambda db: subjects.told(db, [])) == frozenset()
