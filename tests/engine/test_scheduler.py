"""The scheduler with a real model: streams side by side, prompts reused, classes, cancel, overflow."""

import functools

import msgspec
import pytest
from engine.batching import GREEDY, CheapRows, Engine, Foursomes, assert_same_up_to_a_tie

from assistant.engine.states import States
from assistant.errors import Stopped
from assistant.types import Message, Part, Sampling

pytestmark = pytest.mark.model

QUESTIONS = [
    "Name three rivers of France.",
    "What is the capital of Italy?",
    "Write a haiku about rain.",
    "Count from one to twenty.",
    "Explain photosynthesis shortly.",
    "Who wrote Don Quixote?",
    "Give a recipe for pancakes.",
    "Translate 'good morning' into Spanish.",
]
SYSTEM = Message.of("system", "You are Nestor, a helpful private assistant. " * 6, "system")


@pytest.fixture(scope="module")
def shared_engine(tiny_model):
    engine = Engine(tiny_model)
    yield engine
    engine.close()


@pytest.fixture
def engine(shared_engine):
    """The module's engine, with an empty cache."""
    for slot in [*shared_engine.slots, shared_engine.slots.root]:
        shared_engine.slots.cut(slot, 0)
    assert shared_engine.slots.used == 0
    shared_engine.slots.forgotten.clear()
    return shared_engine


def limit(tokens, **rest):
    return Sampling(temperature=0, max_tokens=tokens, **rest)


def user(text, ref="question"):
    return Message.of("user", text, ref)


def test_eight_streams_say_what_each_says_alone(engine):
    alone = []
    for question in QUESTIONS:
        for slot in [*engine.slots, engine.slots.root]:
            engine.slots.cut(slot, 0)
        alone.append(engine.ask(question, limit(24), lookup=False))
    together = [engine.submit(question, limit(24), lookup=False) for question in QUESTIONS]
    engine.run(until=lambda: len(engine.scheduler.running) == 8)
    assert len(engine.scheduler.running) == 8
    engine.run()
    for one, other in zip(alone, together):
        assert other.error is None
        assert other.finished.tokens_out == one.finished.tokens_out or one.text != other.text
        assert_same_up_to_a_tie(engine, one, other)
    assert len({listener.text for listener in together}) == 8


def test_sampled_streams_keep_their_seeds_apart(engine):
    warm = [Sampling(temperature=1.2, seed=n, max_tokens=16) for n in range(4)]
    first = [engine.submit("Tell me a joke.", s, lookup=False) for s in warm]
    engine.run()
    assert len({listener.text for listener in first}) > 1


def test_a_new_chat_reads_the_shared_beginning_once(engine):
    first = engine.ask([SYSTEM, user("Hi there.")], limit(4), chat="c_1")
    shared = first.generation.prompt.shared
    assert shared > 40
    assert first.read.cached == 0
    second = engine.ask([SYSTEM, user("What is tea?")], limit(4), chat="c_2")
    assert second.read.cached >= shared
    for slot in engine.slots:
        engine.slots.cut(slot, 0)
    third = engine.ask([SYSTEM, user("And coffee?")], limit(4), chat="c_3")
    assert third.read.cached >= shared, "the beginning left with the chats"


def test_chats_that_come_together_wait_for_their_beginning(engine):
    asked = [engine.submit([SYSTEM, user(f"Say {n}.")], limit(3), chat=f"c_{n}") for n in range(6)]
    engine.run()
    shared = asked[0].generation.prompt.shared
    cached = [listener.read.cached for listener in asked]
    assert cached[0] == 0
    assert all(held >= shared for held in cached[1:]), cached


def test_thirty_turns_read_only_what_is_new(engine, tiny_model):
    long = Engine(tiny_model, context=4096)
    try:
        history = [SYSTEM]
        last = 0
        for n in range(30):
            note = Part(f"[Note of 3 May 2026: The {n}th friend lives in town {n}.]\n", f"m_{n}")
            question = Message("user", (note, Part(f"Where does friend {n} live?", "question")))
            listener = long.ask([*history, question], limit(12), chat="c_1")
            new = listener.read.tokens - last
            # The end of the last answer is part of the new prompt: a token or two more.
            assert listener.read.cached >= last - 1, f"turn {n} read {new} tokens again"
            last = listener.read.tokens + listener.finished.tokens_out
            history += [question, Message.of("assistant", listener.text)]
        assert listener.read.cached > 1000
    finally:
        long.close()


def test_a_draft_read_ahead_is_not_read_again(engine):
    block = Part("[Note of 3 May 2026: Ana lives in Lyon.]\n\n", "m_1")
    draft = Message("user", (block, Part("Where does", "question")))
    warm = engine.submit([SYSTEM, draft], unfinished=True, answer=False, chat="c_1")
    engine.run()
    assert warm.finished.tokens_out == 0
    assert warm.text == ""
    asked = Message("user", (block, Part("Where does Ana live?", "question")))
    listener = engine.ask([SYSTEM, asked], limit(4), chat="c_1")
    new = listener.read.tokens - listener.read.cached
    assert new <= len(engine.llama.encode(b" Ana live?")) + 8


def test_asking_ends_what_reads_ahead_for_the_same_chat(engine):
    text = "One two three four five six seven. " * 60
    warm = engine.submit([SYSTEM, user(text)], unfinished=True, answer=False, chat="c_1")
    engine.scheduler.step()
    listener = engine.submit([SYSTEM, user(text + "Why?")], limit(3), chat="c_1")
    assert isinstance(warm.error, Stopped)
    engine.run()
    assert listener.read.cached > 100, "what was read ahead was lost"


def test_background_work_waits_and_takes_nothing_from_chats(engine):
    chats = [engine.ask([SYSTEM, user(f"Say {n}.")], limit(8), chat=f"c_{n}") for n in range(3)]
    held = {slot.chat: list(slot.tokens) for slot in engine.slots if slot.chat}
    summary = engine.submit("Summarise: " + "tea " * 150, limit(8), priority="background")
    engine.run(until=lambda: summary.generation.held > 0)
    asked = engine.submit([SYSTEM, user("Quick?")], limit(8), chat="c_9")
    engine.run(until=lambda: asked.ended)
    assert not summary.ended, "background work was finished first"
    engine.run()
    assert summary.ended
    assert summary.error is None
    for chat, tokens in held.items():
        assert engine.slots.of_chat(chat).tokens == tokens
    assert all(chat.error is None for chat in chats)


def test_ambient_work_gives_way_between_two_steps(engine):
    ambient = engine.submit("Write a long story.", limit(40), priority="ambient")
    engine.run(until=lambda: ambient.generation.chosen > 3)
    asked = engine.submit("Say yes.", limit(8))
    engine.scheduler.step()
    before = ambient.generation.chosen
    engine.run(until=lambda: asked.ended)
    assert ambient.generation.chosen == before
    engine.run()
    assert ambient.finished.tokens_out > before


def test_devices_take_turns(engine):
    mine = [engine.submit(f"Count to {n}.", limit(4 + n), device="mine") for n in range(12)]
    engine.scheduler.step()
    theirs = engine.submit("Say yes.", limit(4), device="phone")
    engine.run(until=lambda: theirs.generation.slot is not None)
    waiting = [listener.generation in engine.admission.waiting for listener in mine]
    assert sum(waiting) >= 3, "the phone waited for more than a free place"
    engine.run()
    assert all(listener.error is None for listener in [*mine, theirs])


def test_who_leaves_frees_the_slot(engine):
    for moment in ("waiting", "reading", "answering"):
        listener = engine.submit([SYSTEM, user("Tell a story. " * 60)], limit(200), chat="c_1")
        if moment != "waiting":
            engine.run(
                until=lambda m=moment, g=listener.generation: (
                    g.held > 0 and (m == "reading" or g.answering)
                )
            )
        listener.cancelled = True
        engine.scheduler.step()
        assert listener.ended
        assert not engine.scheduler.busy
        assert not any(slot.busy for slot in engine.slots)


def test_an_aborted_step_loses_nothing(engine):
    whole = engine.ask([user("Tell me about tea. " * 40)], limit(8), lookup=False)
    for slot in engine.slots:
        engine.slots.cut(slot, 0)
    listener = engine.submit([user("Tell me about tea. " * 40)], limit(8), lookup=False)
    engine.llama.abort(True)
    engine.run()
    assert listener.text == whole.text


def test_chats_beyond_the_cells_are_read_again_or_come_from_disk(tiny_model, tmp_path):
    states = States(tmp_path, bytes(32), "tiny", 1 << 30, reserve_bytes=0)
    engine = Engine(tiny_model, context=512, states=states)
    try:
        text = "The quick brown fox jumps over the lazy dog. " * 30
        first = engine.ask([SYSTEM, user(text)], limit(4), chat="c_1")
        answer = Message.of("assistant", first.text)
        other = engine.ask([SYSTEM, user(text.upper()[:900])], limit(4), chat="c_2")
        assert engine.slots.of_chat("c_1") is None, "both fitted: the test is too small"
        states.flush(10)
        back = engine.ask([SYSTEM, user(text), answer, user("And?")], limit(4), chat="c_1")
        assert back.read.cached >= first.read.tokens
        assert other.error is None
        assert engine.slots.used <= engine.slots.cells
    finally:
        engine.close()
        states.close()


def test_words_that_were_not_sent_do_not_go_to_disk(tiny_model, tmp_path):
    states = States(tmp_path, bytes(32), "tiny", 1 << 30, reserve_bytes=0)
    engine = Engine(tiny_model, context=512, states=states)
    try:
        block = Part("The quick brown fox jumps over the lazy dog. " * 20, "m_1")
        draft = Message("user", (block, Part("I secretly love", "draft")))
        warm = engine.submit([SYSTEM, draft], unfinished=True, answer=False, chat="c_1")
        engine.run()
        held = engine.slots.of_chat("c_1")
        assert len(held.tokens) == warm.read.tokens
        engine.admission.save_idle(0.0)
        states.flush(10)
        saved, _ = states.best(warm.generation.tokens, "c_1")
        words = len(engine.llama.encode(b"I secretly love"))
        assert len(saved.tokens) // 4 == warm.read.tokens - words
    finally:
        engine.close()
        states.close()


def test_more_chats_than_cells_all_get_their_answer(tiny_model):
    engine = Engine(tiny_model, context=512, cells=640)
    try:
        asked = [
            engine.submit(f"Tale {n}: " + "once upon a time " * 60, limit(60)) for n in range(6)
        ]
        engine.run()
        assert [listener.error for listener in asked] == [None] * 6
        assert all(listener.finished.tokens_out > 0 for listener in asked)
        assert engine.slots.used <= 640
    finally:
        engine.close()


def test_a_draft_that_was_read_already_is_done_at_once(engine):
    draft = [SYSTEM, user("What is", "draft")]
    for _ in range(3):
        warm = engine.submit(draft, unfinished=True, answer=False, chat="c_1")
        assert engine.run() < 5
        assert warm.error is None
        assert warm.ended


def test_streams_that_take_turns_come_forward_alike(engine, monkeypatch):
    monkeypatch.setattr(engine.scheduler, "_costs", Foursomes())
    listeners = [engine.submit(f"Count to {n}.", limit(20), lookup=False) for n in range(5)]
    engine.run(lambda: min(one.generation.chosen for one in listeners) >= 6)
    chosen = [one.generation.chosen for one in listeners]
    assert max(chosen) - min(chosen) <= 1
    engine.run()
    assert all(one.finished.tokens_out == 20 for one in listeners)


def test_only_the_latest_idle_chats_stay_in_the_cache(engine):
    for n in range(7):
        engine.ask(f"Say {n}.", limit(2), chat=f"c_{n}")
    engine.admission.trim()
    assert {slot.chat for slot in engine.slots if slot.chat} == {"c_3", "c_4", "c_5", "c_6"}


def test_with_every_slot_a_chats_background_work_still_has_one(engine, monkeypatch):
    monkeypatch.setattr(engine.admission, "idle_slots", 99)
    for n in range(20):
        engine.ask(f"Say {n}.", limit(2), chat=f"c_{n}")
    assert not any(slot.chat for slot in engine.slots if slot.background)
    summary = engine.ask("Summarise: tea and cake.", limit(4), priority="background")
    assert summary.finished.tokens_out > 0
    assert sum(bool(slot.chat) for slot in engine.slots) == len(engine.slots.all) - 1


def test_background_work_larger_than_what_is_kept_for_it_ends_too(tiny_model, tmp_path):
    states = States(tmp_path, bytes(32), "tiny", 1 << 30, reserve_bytes=0)
    engine = Engine(tiny_model, context=1024, cells=1200, states=states)
    try:
        for n in range(4):
            engine.ask(
                [SYSTEM, user(f"Tale {n}: " + "once upon a time " * 30)], limit(4), chat=f"c_{n}"
            )
        summary = engine.submit("Summarise: " + "tea " * 500, limit(8), priority="background")
        assert engine.run() < 100
        assert summary.error is None
    finally:
        engine.close()
        states.close()


def test_two_large_system_prompts(engine):
    for word in ("tea ", "oak "):
        system = Message.of("system", f"You like {word}. " + word * 600, "system")
        listener = engine.submit([system, user("Why?")], limit(4))
        assert engine.run() < 100
        assert listener.error is None
        assert listener.finished.tokens_out > 0


def test_who_had_to_wait_in_between_still_says_no_more_than_asked(engine, monkeypatch):
    booked = []
    costs, took = engine.scheduler._costs, engine.scheduler._costs.took
    monkeypatch.setattr(
        costs, "took", lambda *of, read=False: (booked.append((of[0], read)), took(*of, read=read))
    )
    listener = engine.submit("Tell a story.", limit(12), chat="c_1", lookup=False)
    engine.run(until=lambda: listener.generation.chosen == 5)
    engine.scheduler._running.remove(listener.generation)
    engine.admission.park(listener.generation)
    engine.run()
    assert listener.finished.tokens_out == 12
    assert all(read == (rows > 1) for rows, read in booked), "a prompt was booked as answers"
    slot = engine.slots.of_chat("c_1")
    assert slot.tokens == listener.generation.tokens[: len(slot.tokens)]


def test_what_is_forgotten_while_it_waits_is_not_kept_either(engine):
    message = Message("user", (Part("[Note: Ana]\n", "m_7"), Part("Who?", "question")))
    listener = engine.submit([message], limit(4), chat="c_7")
    engine.scheduler.forget({"m_7"})
    engine.run()
    assert listener.ended
    assert engine.slots.of_chat("c_7") is None
    assert not any("m_7" in slot.refs for slot in engine.slots)


def test_an_abort_meant_for_another_step_takes_no_label_away(engine):
    listener = engine.submit([SYSTEM, user("Hello")], limit(3), chat="c_8")
    engine.llama.abort(True)
    engine.run()
    assert engine.slots.of_chat("c_8") is not None
    assert listener.finished.tokens_out == 3


def test_what_is_forgotten_leaves_the_cache_when_its_answer_is_done(engine):
    message = Message("user", (Part("[Note: Ana]\n", "m_1"), Part("Who?", "question")))
    listener = engine.submit([message], limit(30), chat="c_1")
    engine.run(until=lambda: listener.generation.answering)
    assert engine.scheduler.forget({"m_1"}) == 1
    engine.run()
    assert engine.slots.of_chat("c_1") is None
    engine.ask("Who?", limit(4), chat="c_2")
    assert engine.scheduler.forget({"m_unknown"}) == 0
    assert engine.scheduler.forget({"c_2"}) == 1
    assert engine.slots.of_chat("c_2") is None


def test_the_account_of_cells_is_llama_cpps(engine):
    """What we count as used is what the cache would have to find: fill it to the last cell."""
    for n in range(5):
        engine.ask([SYSTEM, user(f"Say {n}. " * (n + 1))], limit(6), chat=f"c_{n}")
    distinct = set()
    for slot in [*engine.slots, engine.slots.root]:
        assert len(slot.cells) == len(slot.tokens)
        distinct |= set(slot.cells)
    assert engine.slots.used == len(distinct)
    for slot in [*engine.slots, engine.slots.root]:
        engine.slots.cut(slot, 0)
    assert engine.slots.used == 0


@pytest.fixture
def guessing(engine, monkeypatch):
    monkeypatch.setattr(engine.scheduler, "_costs", CheapRows())
    return engine


def test_guesses_change_nothing_but_the_time(guessing):
    engine = guessing
    page = "The river Loire is long. The river Seine is in Paris. The river Rhone is in Lyon. " * 2
    question = [user(page * 3 + "The river")]
    without = engine.ask(question, limit(60), lookup=False, unfinished=True)
    for slot in engine.slots:
        engine.slots.cut(slot, 0)
    before = engine.scheduler.timing.drafted, engine.scheduler.timing.accepted
    guessed = engine.ask(question, limit(60), lookup=True, unfinished=True)
    told = guessed.finished.drafted, guessed.finished.accepted
    after = engine.scheduler.timing.drafted, engine.scheduler.timing.accepted
    assert told == (after[0] - before[0], after[1] - before[1]), "the last batch is not told"
    assert guessed.finished.drafted > 0
    assert 0 < guessed.finished.accepted <= guessed.finished.drafted
    assert_same_up_to_a_tie(engine, without, guessed)
    slot = max(engine.slots, key=lambda s: s.used_at)
    assert slot.tokens == guessed.generation.tokens[: len(slot.tokens)], "a wrong guess stayed"


def test_two_streams_guess_at_once(guessing):
    engine = guessing
    page = "One two three. Four five six. Seven eight nine. Ten eleven twelve. " * 3
    asked = [engine.submit([user(w + page)], limit(40), unfinished=True) for w in ("So: ", "Now: ")]
    engine.run()
    assert all(listener.finished.accepted > 0 for listener in asked)
    for listener in asked:
        assert listener.error is None
        slot = next(s for s in engine.slots if s.tokens[:30] == listener.generation.tokens[:30])
        assert slot.tokens == listener.generation.tokens[: len(slot.tokens)]


def test_stop_strings_and_limits_hold_while_guessing(guessing):
    engine = guessing
    page = "alpha beta gamma delta epsilon zeta eta theta iota kappa. " * 3
    ask = functools.partial(engine.ask, [user(page)], unfinished=True)
    whole = ask(limit(30))
    assert whole.finished.accepted > 0
    word = whole.text.split()[4]
    cut = ask(limit(30, stop=(word,)))
    assert cut.text == whole.text[: whole.text.index(word)]
    assert ask(limit(7)).finished.tokens_out == 7


def test_every_token_is_told_once(engine):
    listener = engine.ask("Tell me about Paris.", limit(20))
    said = b"".join(
        engine.llama.piece(t) for t in listener.generation.tokens[listener.read.tokens :]
    )
    assert said.decode("utf-8", "replace").startswith(listener.text)
    assert listener.finished.tokens_out in (20, listener.generation.chosen)
    assert isinstance(msgspec.to_builtins(listener.finished), dict)
    assert GREEDY.temperature == 0
