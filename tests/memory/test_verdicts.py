"""Pure: which questions the judge is asked, of which rows, and what is left then."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from assistant.memory.question import understand
from assistant.memory.recall import Evidence
from assistant.memory.verdicts import LEAST, MOST, for_a_fact, passing

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def asked(text):
    return for_a_fact(understand(text, [], NOW))


@pytest.mark.parametrize(
    "question",
    [
        "Where does Ana live?",
        "what's the name of the vet",
        "And when is Tom's birthday?",
        "The name of Ana's cat?",
        "Does Lorenzo eat meat?",
        "Où habite ma sœur ?",
        "C’est quoi le code du portail ?",
        "À qui ai-je prêté la perceuse ?",
        "Wie heißt der Hund von Opa?",
        "wo wohnt mein bruder",
        "¿Cuándo es el cumpleaños de la abuela?",
        "a quién le presté el taladro",
        "What would Kwame like to eat?",
        "Who can mend the camper?",
        "When will the roof be done?",
        "Wer kann den Rasenmäher reparieren?",
    ],
)
def test_a_plain_question_for_a_fact_is_judged(question):
    assert asked(question)


@pytest.mark.parametrize(
    "text",
    [
        "What should I cook for Ana tonight?",
        "What could I give Tom for his birthday?",
        "Can you help me with the letter to my landlord?",
        "What do you know about Ana?",
        "Any ideas for Saturday?",
        "I am going to see Ana on Sunday.",
        "Write a card for Ana",
        "Tell me about Ines",
        "I had a long day. Where did I put the keys?",
        "Que devrais-je offrir à maman ?",
        "Qu'est-ce que tu sais de Karim ?",
        "Was könnte ich Oma schenken?",
        "¿Qué puedo cocinar para Nuria?",
        "What would you give Tom?",
        "What could be wrong with the car?",
        "Was soll ich anziehen?",
        "Comment pourrais-je m'excuser auprès de Tom ?",
        "Gdzie mieszka moja siostra i jak się nazywa jej nowy pies, którego kupiła wczoraj?",
        "Where does Ana live " + "and who lives there with her " * 5 + "?",
    ],
)
def test_advice_texts_and_statements_are_not(text):
    assert not asked(text)


NEAR = 0.2


def evidence(**more):
    """Three rows: one as near as the gate wants, one near it, one without a vector."""
    given = {
        "seqs": np.array([7, 8, 9]),
        "score": np.array([1.0, 0.9, 0.8], np.float32),
        "own": np.array([0.2, 0.17, np.nan], np.float32),
        "named": np.zeros(3, np.float32),
        "shares": np.array([0.5, 0.5, 0.5], np.float32),
        "apart": np.zeros(3, np.float32),
    }
    return Evidence(**given | more)


def judged(logits, others=(False, False, True), long=(), **more):
    return passing(evidence(**more), NEAR, logits, np.array(others), long).tolist()


def test_what_answers_passes_and_what_does_not_falls():
    assert judged({7: MOST, 8: LEAST}) == [True, False, True]
    assert judged({7: LEAST, 8: MOST}) == [False, True, True]


def test_what_was_not_judged_or_has_no_vector_is_left_as_it_was():
    assert judged({7: MOST}, others=(False, True, False)) == [True, True, False]
    assert judged({9: LEAST}, others=(False, False, True)) == [False, False, True]


def test_where_nothing_that_was_read_answers_only_what_could_not_be_read_is_left():
    own = np.array([0.2, 0.17, 0.16], np.float32)
    assert judged({7: LEAST, 8: LEAST}, own=own) == [False, False, False]
    assert judged({7: LEAST, 8: LEAST}, own=own, long=(9,)) == [False, False, True]
    assert judged({7: LEAST, 8: MOST}, own=own) == [False, True, True]
    # Without a vector, what the judge says of it is not weighed.
    assert judged({7: LEAST, 8: LEAST, 9: LEAST}) == [False, False, True]


def test_a_logit_beyond_the_bounds_says_no_more():
    assert judged({7: 100.0, 8: -100.0}) == judged({7: MOST, 8: LEAST})


def test_a_far_row_needs_a_surer_judge():
    near, far = (
        judged({7: -0.6}, own=np.array([own, 0.1, np.nan], np.float32)) for own in (0.4, 0.1)
    )
    assert (near[0], far[0]) == (True, False)
    assert judged({7: MOST}, own=np.array([0.1, 0.1, np.nan], np.float32))[0]
