"""The scheduler with a real draft model: the same text, sooner; and nothing that it does is undone by it."""

import functools

import pytest
from engine.batching import CheapRows, Engine, assert_same_up_to_a_tie

from assistant.config import load_paths
from assistant.engine.catalogue import Catalogue
from assistant.engine.draft import LOOKS
from assistant.engine.grammar import Grammars
from assistant.engine.pairing import difference
from assistant.types import Message, Part, Sampling

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def pair(tiny_model):
    """The tiny model as its own draft: it guesses right but for rounding."""
    engine = Engine(tiny_model)
    engine.draft_with(tiny_model)
    yield engine
    engine.close()


@pytest.fixture
def engine(pair, tiny_model, monkeypatch):
    """With nothing read yet, and prices at which guesses pay."""
    for slot in [*pair.slots, pair.slots.root]:
        pair.slots.cut(slot, 0)
    pair.slots.forgotten.clear()
    draft = pair.scheduler.draft
    for seat in draft._seats._all:
        draft._seats.empty(seat)
        seat.owner = None
    draft._trust.paid()
    draft._give_up()
    draft._trust._rest = 0
    monkeypatch.setattr(pair.scheduler, "_costs", CheapRows())
    return pair


def limit(tokens, **rest):
    return Sampling(temperature=0, max_tokens=tokens, **rest)


def alone(engine, ask):
    """What is said without the draft model."""
    draft, engine.scheduler.draft = engine.scheduler.draft, None
    try:
        return ask()
    finally:
        engine.scheduler.draft = draft
        for slot in engine.slots:
            engine.slots.cut(slot, 0)


STORY = "Write a short story about a lighthouse keeper and his dog."


def test_a_model_that_guesses_for_itself_is_right_and_the_text_the_same(engine, monkeypatch):
    monkeypatch.setattr("assistant.engine.draft.UNSURE", 0.0)
    ask = functools.partial(engine.ask, STORY, limit(80), lookup=False)
    plain = alone(engine, ask)
    steps = engine.scheduler.timing.steps
    drafted = ask()
    assert drafted.finished.drafted > 40
    assert drafted.finished.accepted >= 0.9 * drafted.finished.drafted
    assert engine.scheduler.timing.steps - steps < 40
    assert_same_up_to_a_tie(engine, plain, drafted)


def test_two_streams_are_drafted_and_three_are_not(engine):
    texts = [STORY, "Explain how a clock works.", "Describe the sea."]
    two = [engine.submit(text, limit(40), lookup=False) for text in texts[:2]]
    engine.run()
    assert all(listener.finished.accepted > 0 for listener in two)
    before = engine.scheduler.draft.report()["drafted"]
    three = [engine.submit(text, limit(12), lookup=False) for text in texts]
    engine.run(until=lambda: all(listener.generation.answering for listener in three))
    assert len(engine.scheduler.running) == 3
    engine.run(until=lambda: any(listener.ended for listener in three))
    assert engine.scheduler.draft.report()["drafted"] == before
    engine.run()
    assert all(listener.error is None for listener in [*two, *three])


def test_what_was_read_before_goes_first(engine):
    page = "The river Loire is long. The river Seine is in Paris. The river Rhone is in Lyon. " * 3
    before = engine.scheduler.draft.report()["drafted"]
    copied = engine.ask(page + "The river", limit(60), unfinished=True)
    by_draft = engine.scheduler.draft.report()["drafted"] - before
    assert copied.finished.accepted > 20
    assert by_draft < 0.5 * copied.finished.drafted, "the draft model was asked for what is a copy"


def test_sampled_answers_are_the_models_own(engine):
    warm = Sampling(temperature=0.8, seed=11, max_tokens=60)
    ask = functools.partial(engine.ask, STORY, warm, lookup=False)
    plain = alone(engine, ask)
    drafted = ask()
    assert 0 < drafted.finished.accepted < drafted.finished.drafted
    # The same dice fall on the same rows; batches of another shape may round one across.
    assert drafted.text[:20] == plain.text[:20]


def test_stop_strings_and_limits_hold(engine):
    ask = functools.partial(engine.ask, STORY, lookup=False)
    whole = ask(limit(40))
    word = whole.text.split()[8]
    cut = ask(limit(40, stop=(word,)))
    assert cut.text == whole.text[: whole.text.index(word)]
    for tokens in (1, 2, 7):
        assert ask(limit(tokens)).finished.tokens_out == tokens


def test_a_grammar_is_kept(engine):
    grammar = Grammars(engine.llama.vocabulary)
    lark = 'start: "{\\"name\\": \\"" /[a-z]{3,12}/ "\\", \\"colours\\": [" /[0-9]{1,3}/ "]}"'
    listener = engine.submit("A name and a number, as JSON.", limit(60), lookup=False)
    listener.generation.matcher = grammar.matcher(lark)
    engine.run()
    assert listener.error is None
    assert listener.text.startswith('{"name": "')
    assert listener.text.endswith("]}")
    assert listener.finished.reason == "stop"


def test_who_leaves_frees_the_draft_too(engine):
    listener = engine.submit(STORY, limit(200), lookup=False, chat="c_1")
    engine.run(until=lambda: listener.generation.accepted > 0)
    listener.cancelled = True
    engine.scheduler.step()
    assert listener.ended
    assert [seat.owner for seat in engine.scheduler.draft._seats._all] == [None, None]
    again = engine.ask(STORY, limit(20), lookup=False)
    assert again.finished.accepted > 0


def test_an_aborted_step_leaves_both_in_step(engine):
    ask = functools.partial(engine.ask, STORY, limit(40), lookup=False)
    whole = alone(engine, ask)
    listener = engine.submit(STORY, limit(40), lookup=False)
    engine.run(until=lambda: listener.generation.accepted > 0)
    decode, codes = engine.llama.decode, [2]
    engine.llama.decode = lambda rows: codes.pop() if codes else decode(rows)
    try:
        engine.run()
    finally:
        del engine.llama.decode
    assert not codes
    assert_same_up_to_a_tie(engine, whole, listener)


def test_what_is_forgotten_leaves_the_draft_before_its_answer_is_done(engine):
    message = Message(
        "user", (Part("[Note: Ana lives in Lyon.]\n", "m_1"), Part(STORY, "question"))
    )
    listener = engine.submit([message], limit(60), lookup=False, chat="c_1")
    engine.run(until=lambda: listener.generation.accepted > 0)
    seats = engine.scheduler.draft._seats._all
    assert any("m_1" in seat.refs for seat in seats)
    engine.scheduler.forget({"m_1"})
    read = engine.scheduler.draft.report()["read"]
    assert not any(seat.tokens for seat in seats)
    engine.run()
    assert listener.error is None
    assert engine.scheduler.draft.report()["read"] == read, "it was read again"
    assert not any(seat.tokens for seat in seats)


def test_a_chats_next_turn_is_drafted_from_what_was_read(engine):
    asked = Message.of("user", STORY * 12, "t_1")
    first = engine.ask([asked], limit(30), lookup=False, chat="c_1")
    before = engine.scheduler.draft.report()["read"]
    assert before >= first.read.tokens > 150
    turn = [
        asked,
        Message.of("assistant", first.text, "t_1"),
        Message.of("user", "And then?", "question"),
    ]
    second = engine.ask(turn, limit(20), lookup=False, chat="c_1")
    assert second.finished.accepted > 0
    read = engine.scheduler.draft.report()["read"] - before
    assert read < second.read.tokens - first.read.tokens + 60
    assert read < second.read.tokens


class DearDraft(CheapRows):
    """The model that answers is so quick that no draft can be."""

    def seconds(self, rows):
        return 1e-9 * rows


def test_a_draft_that_cannot_pay_is_left_alone(engine, monkeypatch):
    engine.ask(STORY, limit(8), lookup=False)
    monkeypatch.setattr(engine.scheduler, "_costs", DearDraft())
    before = engine.scheduler.draft.report()
    listener = engine.ask(STORY, limit(60), lookup=False)
    after = engine.scheduler.draft.report()
    assert listener.finished.drafted == 0
    assert listener.finished.tokens_out == 60
    assert after["read"] - before["read"] <= 2 * LOOKS, "more than a look at its price"


@pytest.mark.slow
def test_the_small_model_with_the_starter_as_its_draft(starter_model, monkeypatch):
    catalogue = Catalogue(load_paths().models)
    if catalogue.state(catalogue.get("small")) != "present":
        pytest.skip("the model small is not on this machine")
    engine = Engine(catalogue.resolve("small").path, threads=2)
    try:
        engine.draft_with(starter_model, threads=2)
        assert difference(engine.llama, engine.companion) == ""
        monkeypatch.setattr(engine.scheduler, "_costs", CheapRows())
        ask = functools.partial(engine.ask, STORY, limit(48), lookup=False)
        plain = alone(engine, ask)
        drafted = ask()
        assert drafted.finished.drafted > 10
        assert drafted.finished.accepted > 0.5 * drafted.finished.drafted
        assert_same_up_to_a_tie(engine, plain, drafted)
    finally:
        engine.close()


def test_other_vocabularies_are_seen(engine, starter_model):
    other = Engine(starter_model, context=256)
    try:
        assert "vocabulary" in difference(engine.llama, other.llama)
        assert "vocabulary" in difference(other.llama, engine.llama)
        assert difference(other.llama, other.llama) == ""
    finally:
        other.close()
