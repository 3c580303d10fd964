"""A question with who is meant, as the judge reads it."""

from __future__ import annotations

import pytest

from assistant.memory.naming import spelled_out
from assistant.types import NewMemory

TOLD = (
    "My sister is Ana",
    "My brother's name is Timo",
    "Ben works in Ghent",
    "My sister lives in Nice",
    "My uncle is Will",
)


@pytest.mark.parametrize(
    ("question", "spelled"),
    [
        ("Where does my sister live?", "Where does my sister Ana live?"),
        ("What's my brother's job?", "What's my brother Timo's job?"),
        ("Où habite ma sœur ?", "Où habite ma sœur Ana ?"),
        ("Where does Ana live?", "Where does my sister Ana live?"),
        ("where does ana live?", "where does my sister ana live?"),
        ("Where does my sister Ana live?", "Where does my sister Ana live?"),
        ("Where does Ben work?", "Where does Ben work?"),
        ("Where does my aunt live?", "Where does my aunt live?"),
        ("Who is the sister of Tom?", "Who is the sister of Tom?"),
        ("Where will the party be?", "Where will the party be?"),
        ("What time is it?", "What time is it?"),
    ],
)
async def test_both_names_are_there(memory, question, spelled):
    async with memory() as service:
        await service.memories.add_many([NewMemory(text, "fact") for text in TOLD])
        assert await service.memories.read(lambda db: spelled_out(db, question)) == spelled


async def test_of_two_brothers_both_are_named(memory):
    async with memory() as service:
        told = ("My brother Timo lives in Ghent", "My brother Max lives in Bruges")
        await service.memories.add_many([NewMemory(text, "fact") for text in told])
        said = await service.memories.read(lambda db: spelled_out(db, "Is my brother well?"))
        assert said == "Is my brother Max or Timo well?"
