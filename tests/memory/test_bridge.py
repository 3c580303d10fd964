"""A question in one language, a memory in another: the bridge, and what words and length say there."""

from __future__ import annotations

import numpy as np
import pytest

from assistant.memory import bridge
from assistant.memory.centre import Centre, Prior, shipped_prior, unit
from assistant.memory.embed import E5_MODEL
from assistant.memory.question import Question
from assistant.memory.signals import FOREIGN_WORDS, NAMES, signals
from assistant.memory.slots import Filter, Row
from assistant.memory.vectors import Index
from assistant.memory.words import Found

NO_ROWS = np.zeros(0, np.int64)


def rows_of(*langs):
    return [
        Row(n, f"m_{n}", "note", "", None, None, lang, n, n, length=10 + 90 * n)
        for n, lang in enumerate(langs)
    ]


def index_of(prior, *langs):
    index = Index()
    index.add(rows_of(*langs))
    index.start(Centre(prior))
    vectors = unit(np.random.default_rng(3).standard_normal((len(langs), prior.dim)))
    index.put_vectors(list(range(len(langs))), vectors)
    return index, vectors


def candidates_of(index, question, language):
    return index.candidates(question, language, NO_ROWS, Filter(), 10)


def asking(language):
    return Question("?", language, "?", ("key",), frozenset(), frozenset(), ())


def words_of(candidates, language, *, seqs=(), scores=(), share=1.0):
    found = Found(
        np.array(seqs, np.int64),
        np.array(scores, np.float32),
        np.full(len(seqs), share, np.float32),
        NO_ROWS,
        NO_ROWS,
    )
    columns = signals(asking(language), candidates, found, 0.1)
    return columns[:, NAMES.index("words")], columns[:, NAMES.index("own")]


def test_a_matrix_at_a_byte_a_number_is_nearly_the_same():
    rng = np.random.default_rng(0)
    matrix = 0.5 * np.eye(64) + 0.02 * rng.standard_normal((64, 64))
    back = bridge.packed("m", matrix).matrix()
    assert np.linalg.norm(back - matrix) < 0.01 * np.linalg.norm(matrix)


def test_the_shipped_bridge_is_for_the_built_in_model_alone():
    assert bridge.shipped(E5_MODEL).shape == (384, 384)
    assert bridge.shipped("st/other") is None


@pytest.mark.parametrize(
    ("asked", "abroad"),
    [("en", [False, True, True, False]), ("fr", [True, False, True, False]), ("und", [False] * 4)],
)
def test_only_rows_known_to_be_in_another_language_are_reached_over_the_bridge(asked, abroad):
    index, vectors = index_of(shipped_prior(E5_MODEL), "en", "fr", "de", "und")
    found = candidates_of(index, vectors[0], asked)
    assert found.foreign.tolist() == abroad
    both = index._centre.asked(asked, vectors[0])
    assert not np.allclose(both.near, both.abroad, atol=0.05)
    centred = index._codes.centred(found.slots)
    wanted = np.where(abroad, centred @ both.abroad, centred @ both.near)
    assert np.allclose(found.own, wanted, atol=1e-5)


def test_another_model_has_no_bridge():
    known = shipped_prior(E5_MODEL)
    other = Prior("st/other", known.dim, known.passages, known.questions, known.noise)
    index, vectors = index_of(other, "en", "fr")
    both = index._centre.asked("en", vectors[0])
    assert both.near is both.abroad


def test_a_word_that_two_languages_share_counts_for_less():
    index, vectors = index_of(shipped_prior(E5_MODEL), "en", "fr")
    found = candidates_of(index, vectors[1], "en")
    words, _ = words_of(found, "en", seqs=[0, 1], scores=[3.0, 3.0])
    assert words.tolist() == pytest.approx([1.0, FOREIGN_WORDS])


def test_length_says_nothing_about_a_row_in_another_language():
    index, vectors = index_of(shipped_prior(E5_MODEL), "en", "fr", "en", "und")
    found = candidates_of(index, vectors[1], "en")
    nothing = Found(NO_ROWS, np.zeros(0, np.float32), np.zeros(0, np.float32), NO_ROWS, NO_ROWS)
    long = signals(asking("en"), found, nothing, 0.1)[:, NAMES.index("length")]
    assert long[1] == 0.0
    assert long[0] < -0.9 < 0.1 < long[2] < long[3]
