"""What teaches the judge: torch has the weights of the embedder, pairs are what they are said to be, and
none of what is learned from is in what it is judged by."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from assistant.memory.embed import E5, E5_MODEL
from assistant.memory.judge import SEPARATOR, SHIPPED, Taught
from tests.bench.judging import teach, told_apart
from tests.bench.layers import Model, Tokens, packed, padded, read, rounded, unpacked
from tests.bench.names import Named, Unnamed, without_name
from tests.bench.pairs import Lines, dossiers, lines, texts
from tests.bench.precision import Life, development, held_out, near_misses

TOLD = Path(__file__).parents[1] / "data" / "answers_told.txt"
ASKED = (
    ("Where does Ottoline keep her bees?", "Ottoline keeps her bees behind the chapel"),
    ("How many bees does Ottoline have?", "Ottoline keeps her bees behind the chapel"),
    ("Wie heißt der Hund von Opa?", "Opas Dackel hört auf den Namen Waldi"),
)
TEXTS = (
    "Where does Ana live?",
    "Où habite ma sœur ?",
    "Wo wohnt Großvater eigentlich, und mit wem?",
)


@pytest.fixture(scope="module")
def model():
    return Model(read()).eval()


def test_an_untaught_model_ships_what_is_in_the_file(model):
    taught = model.shipped()
    assert taught.model == E5_MODEL
    assert taught.layers == bytes(model.weights.raw[taught.offset :])


def test_what_ships_is_taught_on_from_where_it_is(model):
    taught = msgspec.msgpack.decode(SHIPPED.read_bytes(), type=Taught)
    on = Model(model.weights.laid_over(taught)).eval()
    on.set_head(taught)
    assert on.shipped().layers == taught.layers
    rows = Tokens(model.weights)([f"query: {asked}{SEPARATOR}{note}" for asked, note in ASKED])
    with torch.no_grad():
        made = on(*padded(rows)).numpy()
    runtime = E5()
    theirs = [np.frombuffer(runtime.judge(asked, [note]), np.float32)[0] for asked, note in ASKED]
    assert np.abs(made - theirs).max() < 0.3


def test_torch_makes_the_vectors_that_the_engine_makes(model):
    rows = Tokens(model.weights)([f"query: {text}" for text in TEXTS])
    with torch.no_grad():
        made = model.vectors(*padded(rows)).numpy()
    theirs = np.frombuffer(E5().embed(TEXTS, "query"), np.float32).reshape(len(TEXTS), -1)
    assert (made * theirs).sum(axis=1).min() > 0.999


def test_four_bits_are_packed_as_they_are_rounded():
    values = torch.randn(4 * 32, generator=torch.Generator().manual_seed(1))
    blocks = np.frombuffer(packed(values), np.uint8)
    assert np.array_equal(unpacked(blocks), rounded(values).numpy())
    assert np.abs(unpacked(blocks) - values.numpy()).max() < 0.3


def test_of_a_line_each_question_is_answered_by_its_own_notes_only():
    every = [*lines()[:200], *dossiers()[:10]]
    own = {(q, note) for line in every for qs, notes in line for q in qs for note in notes}
    pairs = Lines(every).round(random.Random(3))
    assert {answers for *_, answers in pairs} == {0.0, 1.0}
    known = {text for pair in own for text in pair}
    as_written = [pair for pair in pairs if {*pair[:2]} <= known]
    assert len(as_written) > 0.6 * len(pairs) > 1_000
    assert all(((question, note) in own) == bool(answers) for question, note, answers in as_written)


def test_a_name_that_is_swapped_in_one_of_them_answers_no_more_and_in_both_still_does():
    one = (
        (("Where does Ana live?", "Which town is Ana in?"), ("So Ana lives in Porto", "it is Porto for Ana")),
        (("Who feeds Ana's cat?",), ("The boy next door feeds it for Ana",)),
        (("What does Ana eat?",), ("She is no friend of fish, our Ana",)),
    )  # fmt: skip
    other = tuple(
        tuple(tuple(text.replace("Ana", "Max") for text in texts) for texts in part) for part in one
    )
    rng, named = random.Random(1), Named([one, other, *[EMPTY] * 100])
    swapped = [pair for _ in range(50) for pair in named.swapped(0, rng)]
    assert {answers for *_, answers in swapped} == {0.0, 1.0}
    for question, note, answers in swapped:
        names = [set(re.findall("Ana|Max", text)) for text in (question, note)]
        assert (names[0] == names[1] == {"Max"}) == bool(answers), (question, note)
        assert answers or {*names[0], *names[1]} == {"Ana", "Max"}


def test_nothing_is_told_apart_before_it_is_taught(model):
    area, silent = told_apart(model)
    assert (area, silent) == (0.0, 0.0)  # all logits are 0


@pytest.mark.parametrize(
    ("question", "left"),
    [
        ("When is Nora's wedding?", "When is the wedding?"),
        ("Where is the party for Nora?", "Where is the party?"),
        ("Quand est le mariage de Nora ?", "Quand est le mariage ?"),
        ("Wann ist die Hochzeit von Nora?", "Wann ist die Hochzeit?"),
        ("When is Ivo's wedding?", None),
        ("Nora's cat?", None),
    ],
)
def test_a_name_that_the_note_says_can_be_left_out_of_the_question(question, left):
    found = without_name(question, "Nora says yes on the fifth of June")
    assert (found and found[0]) == left


def test_what_leaves_open_who_is_meant_is_answered_by_its_note_and_by_no_other():
    one = (
        (("When is Nora's wedding?",), ("Nora says yes on the fifth of June",)),
        (("Where is Nora's wedding?",), ("Nora marries on a boat",)),
        (("Who sings for them?",), ("a choir sings for Nora",)),
    )
    rng, unnamed = random.Random(1), Unnamed([one])
    made = {pair for _ in range(50) for pair in unnamed.left_out(0, rng)}
    dates, places, songs = (notes[0] for _, notes in one)
    assert made == {
        (f"{word} is the wedding?", note, float(note == own))
        for word, own in (("When", dates), ("Where", places))
        for note in (dates, places, songs)
    }


def test_some_seconds_of_teaching_change_the_layers_and_the_head_and_nothing_else():
    fresh, some = Model(read()), Lines(lines()[:40])
    words, before = fresh.words[0].clone(), fresh.layers[0].query.weight.detach().clone()
    teach(fresh, some, 0.1)
    after = fresh.layers[0].query.weight
    assert torch.isfinite(after).all()
    assert not torch.equal(after, before)
    assert fresh.head.weight.any()
    assert torch.equal(fresh.words[0], words)


EMPTY = tuple(((f"{n}?",), (f"{n + 3}.",)) for n in range(3))


def plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def of(life: Life) -> Iterator[str]:
    for question, text in life.asked:
        yield from (question, text)
    yield from life.never


def held_to() -> Iterator[str]:
    for row in TOLD.read_text("utf-8").splitlines():
        if row and row[:1] != "#":
            yield from row.split("|")


@pytest.fixture(scope="module")
def learned():
    return {plain(text) for line in lines() for part in line for some in part for text in some}


def test_a_line_is_eight_different_texts():
    rows = texts()
    assert len(rows) == len(set(rows)) > 2_000
    assert [
        row for row in rows if len({plain(part) for part in row.split(" | ")} - {""}) != 8
    ] == []


def test_a_dossier_is_some_facts_of_four_texts_that_stand_nowhere_else():
    facts = [fact for one in dossiers() for fact in one]
    parts = [plain(text) for fact in facts for some in fact for text in some]
    assert {len(questions) * len(notes) for questions, notes in facts} == {4}
    assert {len(one) for one in dossiers()} <= set(range(4, 11))
    assert len(parts) == len(set(parts)) > 10_000
    others = {plain(part) for row in texts() for part in row.split(" | ")}
    assert others & set(parts) == set()


@pytest.mark.parametrize("life", [development, near_misses, held_out])
def test_no_text_of_a_life_that_judges_is_learned_from(learned, life):
    assert {plain(text) for text in of(life())} & learned == set()


def test_no_pair_that_rules_are_held_to_is_learned_from(learned):
    held = {plain(text) for text in held_to()}
    assert len(held) > 1_000
    assert held & learned == set()
