"""What is learned from is well-formed, and none of it is in what it is judged by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.answering import COUNTS, LINES, lines
from tests.bench.precision import Life, development, held_out, near_misses

TOLD = Path(__file__).parents[1] / "data" / "answers_told.txt"


def plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def of(life: Life) -> Iterator[str]:
    for question, text in life.asked:
        yield from (question, text)
    yield from life.never


def pairs() -> Iterator[str]:
    for row in TOLD.read_text("utf-8").splitlines():
        if row and row[:1] != "#":
            yield from row.split("|")


@pytest.fixture(scope="module")
def learned():
    return {plain(text) for line in lines() for part in line for some in part for text in some}


def test_a_line_is_eight_different_texts():
    rows = [row for row in LINES.read_text("utf-8").splitlines() if row[:1] != "#"]
    assert len(rows) == len(set(rows)) > COUNTS[-1]
    assert [
        row for row in rows if len({plain(part) for part in row.split(" | ")} - {""}) != 8
    ] == []


@pytest.mark.parametrize("life", [development, near_misses, held_out])
def test_no_text_of_a_life_that_judges_is_learned_from(learned, life):
    assert {plain(text) for text in of(life())} & learned == set()


def test_no_pair_that_rules_are_held_to_is_learned_from(learned):
    texts = {plain(text) for text in pairs()}
    assert len(texts) > 1_000
    assert texts & learned == set()
