"""Guessing with a draft model, against a pretended one that knows what comes next, and at what price."""

import itertools

import numpy as np
import pytest

from assistant.engine.batch import FULL, OK
from assistant.engine.costs import Costs
from assistant.engine.draft import CLOSE, LONGEST, LOOKS, PIECE, PIECE_S, Draft
from assistant.engine.pairing import ENDS, PADDING, difference
from assistant.engine.payoff import best, worth_checking
from assistant.engine.trust import PATIENCE, Trust

WORDS = 1000
END = 999


def cpu(rows):
    """Rows are dear, as with few cores: four cost 2.4 times one."""
    prices = (1.0, 1.75, 2.2, 2.4, 4.2, 5.2, 6.2, 8.8, 10.7)
    return float(np.interp(rows, (1, 2, 3, 4, 8, 12, 16, 24, 32), prices))


def gpu(rows):
    return 1.0 + rows / 1000


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Drafter:
    """Says `text[n]` after n tokens, as sure of it as `chance` says; a row costs `row_s` seconds."""

    context = cells = 4096

    def __init__(self, clock, text, *, row_s=0.001, wrong=(), unsure=()):
        self.clock = clock
        self.text = text
        self.row_s = row_s
        self.wrong = set(wrong)
        self.unsure = set(unsure)
        self.held = {}
        self.batches = []
        self.fails = False

    def decode(self, rows):
        self.clock.now += self.row_s * len(rows)
        self.batches.append(len(rows))
        for row in rows:
            held = self.held.setdefault(row.sequence, [])
            assert row.position == len(held), "out of step with its cache"
            held.append(row.token)
        if self.fails:
            return FULL
        self.after = len(rows) - 1, rows[-1].position + 1
        assert sum(map(len, self.held.values())) <= self.cells
        return OK

    def logits(self, row):
        last, at = self.after
        assert row == last
        logits = np.zeros(WORDS, np.float32)
        token = self.text[at] if at < len(self.text) else END
        logits[token if at not in self.wrong else (token + 1) % END] = (
            5.0 if at in self.unsure else 20.0
        )
        return logits

    def is_end(self, token):
        return token == END

    def keep(self, sequence, length):
        del self.held.setdefault(sequence, [])[length:]
        return True


def ready(model):
    """A draft that knows its prices, as when it was just loaded."""
    draft = Draft(model, 2, model.clock)
    draft.measure()
    model.batches.clear()
    return draft


class Caller:
    cancelled = False


class Stream:
    def __init__(self, tokens, number=1, refs=()):
        self.tokens = list(tokens)
        self.number = number
        self.refs = set(refs)
        self.draft_at = 0
        self.caller = Caller()


def words(seed, count=3000):
    return [int(word) for word in np.random.default_rng(seed).integers(0, END, count)]


@pytest.fixture
def clock():
    return Clock()


def costs(price=gpu, row_s=0.010):
    """A model whose prices are known: a row takes 10 ms."""
    found = Costs()
    for _ in range(60):
        for rows in (1, 2, 3, 4, 8, 12, 16, 24, 32):
            found.took(rows, row_s * price(rows))
    return found


def play(draft, stream, text, steps, price):
    """Answer with what the draft guesses, as the scheduler would; the guesses of each step."""
    made = []
    for _ in range(steps):
        draft.begin()
        guesses = draft.propose(stream, 31, price)
        made.append(len(guesses))
        at = len(stream.tokens)
        held = next((n for n, g in enumerate(guesses) if g != text[at + n]), len(guesses))
        stream.tokens += text[at : at + held + 1]
        if guesses:
            draft.took(len(guesses), held)
    return made


# --- what guesses are worth ------------------------------------------------------------------


def test_the_better_guesses_hold_the_more_are_made():
    lengths = [
        best(LONGEST, gpu, sure=0.95, holds=holds, step=0.1)[0] for holds in (0.3, 0.6, 0.8, 0.95)
    ]
    assert lengths == sorted(lengths)
    assert lengths[0] >= 1
    assert lengths[-1] > 2 * lengths[0]


def test_a_dear_step_makes_them_fewer_and_in_the_end_none():
    found = [best(LONGEST, gpu, sure=0.9, holds=0.9, step=step) for step in (0.05, 0.2, 0.4, 1.0)]
    sizes, gains = zip(*found)
    assert list(sizes) == sorted(sizes, reverse=True)
    assert list(gains) == sorted(gains, reverse=True)
    assert found[0][1] > 2.0
    assert found[-1] == (0, 1.0)


def test_where_rows_are_dear_only_the_sure_pay():
    assert best(LONGEST, cpu, sure=0.85, holds=0.8, step=0.35) == (0, 1.0)
    size, gain = best(LONGEST, cpu, sure=0.99, holds=0.99, step=0.1)
    assert size >= 3
    assert gain > 1.2


def test_the_gain_is_what_playing_it_gives():
    """The formula against chance itself: guesses thrown with the same odds and paid at the same prices."""
    sure, holds, step = 0.9, 0.8, 0.15
    size, gain = best(LONGEST, cpu, sure=sure, holds=holds, step=0.01)
    rng = np.random.default_rng(7)
    said = spent = 0.0
    for _ in range(40_000):
        drawn = steps = 0
        while drawn < size:
            steps += 1
            if rng.random() > sure:
                break
            drawn += 1
        right = 0
        while right < drawn and rng.random() < holds:
            right += 1
        said += right + 1
        spent += steps * 0.01 + cpu(drawn + 1)
    assert size > 0
    assert said / spent == pytest.approx(gain, rel=0.02)
    assert best(LONGEST, cpu, sure=sure, holds=holds, step=step)[1] < gain


def test_never_more_than_there_is_room_for():
    assert best(2, gpu, sure=0.99, holds=0.99, step=0.01)[0] == 2
    assert best(0, gpu, sure=0.99, holds=0.99, step=0.01) == (0, 1.0)


def test_one_guess_that_costs_nearly_a_token_is_not_checked():
    assert worth_checking(1, cpu, holds=0.6, spent=0.0) == 0
    assert worth_checking(1, gpu, holds=0.6, spent=0.1) == 1
    assert worth_checking(3, cpu, holds=0.99, spent=0.3) == 3


def test_rests_grow_up_to_a_bound_and_success_ends_that():
    trust = Trust(0.8, doublings=3)
    rests = []
    for _ in range(6):
        trust.give_up()
        rests.append(trust.rest)
        for n in range(trust.rest):
            assert trust.resting, f"awake after {n} tokens"
            trust.passed()
        assert not trust.resting
    assert rests == [PATIENCE * n for n in (1, 2, 4, 8, 8, 8)]
    trust.paid()
    trust.give_up()
    assert trust.rest == PATIENCE


# --- the draft -------------------------------------------------------------------------------


def test_a_good_draft_is_followed_far_and_each_token_read_once(clock):
    text = words(1)
    model = Drafter(clock, text)
    stream = Stream(text[:40])
    made = play(ready(model), stream, text, 40, costs())
    assert made[-1] >= 8
    assert len(stream.tokens) > 200
    assert sum(model.batches) <= len(stream.tokens) + made[-1]


def test_wrong_guesses_leave_the_cache_and_the_draft_goes_on(clock):
    text = words(2)
    model = Drafter(clock, text, wrong=range(60, 600, 7))
    stream = Stream(text[:40])
    draft = ready(model)
    made = play(draft, stream, text, 60, costs())
    assert 0 < draft.report()["accepted"] < draft.report()["drafted"]
    assert any(made[-20:])
    held = model.held[0]
    assert held[: len(stream.tokens) - 1] == stream.tokens[: len(held)][: len(stream.tokens) - 1]


def test_it_stops_where_it_is_unsure_and_before_the_end(clock):
    text = words(3, 60)
    model = Drafter(clock, text, unsure=[45])
    draft = ready(model)
    stream = Stream(text[:42])
    play(draft, stream, text, 2, costs())
    del stream.tokens[42:]
    assert draft.propose(stream, 31, costs()) == text[42:45]
    stream.tokens = text[:58]
    for _ in range(3):
        guesses = draft.propose(stream, 31, costs())
    assert guesses == text[58:60], "the end of the text is no guess"


def test_only_what_the_grammar_takes_is_guessed(clock):
    text = words(4)
    draft = ready(Drafter(clock, text))
    stream = Stream(text[:20])
    play(draft, stream, text, 3, costs())
    at = len(stream.tokens)

    def allowed(tokens):
        return min(len(tokens), 2)

    assert draft.propose(stream, 31, costs(), allowed=allowed) == text[at : at + 2]


def test_always_wrong_costs_little_and_is_tried_ever_more_rarely(clock):
    text = words(5, 5000)
    model = Drafter(clock, text, wrong=range(5000))
    draft = ready(model)
    made = play(draft, Stream(text[:20]), text, 3000, costs())
    tried = [at for at, count in enumerate(made) if count]
    gaps = [b - a for a, b in itertools.pairwise(tried) if b - a >= PATIENCE]
    assert gaps == sorted(gaps)
    assert gaps[-1] > 8 * gaps[0]
    assert len(tried) < 0.15 * len(made)


def test_where_no_length_pays_the_draft_model_only_looks_at_its_price_now_and_then(clock):
    text = words(6)
    model = Drafter(clock, text, row_s=0.009)
    made = play(ready(model), Stream(text[:20]), text, 200, costs(cpu))
    assert made == [0] * 200
    assert 0 < len(model.batches) <= 3 * LOOKS
    assert set(model.batches) == {1}
    assert not any(model.held.values()), "what was read for its price stays"


def test_a_bad_moment_while_it_was_measured_does_not_silence_it(clock):
    text = words(6, 5000)
    model = Drafter(clock, text, row_s=0.500)
    draft = ready(model)
    model.row_s = 0.001
    made = play(draft, Stream(text[:20]), text, 100, costs())
    assert made[:PATIENCE] == [0] * PATIENCE
    assert sum(made[-50:]) > 500


def test_one_piece_is_read_in_a_step_however_many_answers_there_are(clock):
    text = words(8, 4000)
    draft = ready(model := Drafter(clock, text, row_s=0.0002))
    streams = [Stream(text[:1000], 1), Stream(text[:1200], 2)]
    for _ in range(3):
        draft.begin()
        model.batches.clear()
        assert [draft.propose(stream, 30, costs()) for stream in streams] == [[], []]
        assert len(model.batches) == 1


def test_a_draft_that_became_good_is_found_again(clock):
    text = words(7, 5000)
    model = Drafter(clock, text, wrong=range(400))
    draft = ready(model)
    play(draft, Stream(text[:20]), text, 900, costs())
    assert draft.report()["accepted"] > 1000


# --- what it has not read yet ----------------------------------------------------------------


def test_a_prompt_is_read_in_bounded_pieces_one_a_step(clock):
    text = words(8, 4000)
    model = Drafter(clock, text, row_s=0.0002)
    draft = ready(model)
    stream = Stream(text[:2000])
    slow = costs(row_s=0.100)
    made = play(draft, stream, text, 30, slow)
    longest = max(model.batches)
    assert PIECE < longest <= 256
    first = next(at for at, count in enumerate(made) if count)
    assert first >= 2000 // 256
    assert all(made[first:])
    dear = Drafter(clock, text, row_s=0.002)
    play(ready(dear), Stream(text[:300]), text, 4, costs(row_s=2.0))
    assert max(dear.batches) > 100, "a step of two seconds hides a longer piece"
    slower = Drafter(clock, text, row_s=0.009)
    play(ready(slower), Stream(text[:100]), text, 4, costs(row_s=0.150))
    assert max(slower.batches) * 0.009 <= PIECE_S


def test_a_prompt_that_cannot_pay_is_not_read(clock):
    text = words(9, 4000)
    model = Drafter(clock, text, row_s=0.002)
    draft = ready(model)
    play(draft, Stream(text[:30]), text, 5, costs())
    before = sum(model.batches)
    long = Stream(text[:3500], number=2)
    assert play(draft, long, text, 60, costs()) == [0] * 60
    assert sum(model.batches) == before
    short = Stream(text[:30], number=3)
    assert any(play(draft, short, text, 5, costs())), "one long prompt kept it from all others"


def test_few_tokens_are_left_to_gain_from(clock):
    text = words(10)
    model = Drafter(clock, text, row_s=0.001)
    draft = ready(model)
    play(draft, Stream(text[:30]), text, 5, costs())
    before = sum(model.batches)
    draft.propose(Stream(words(11)[:300], number=2), 31, costs(), left=4)
    assert sum(model.batches) == before
    draft.propose(Stream(words(11)[:300], number=2), 31, costs(), left=1000)
    assert sum(model.batches) > before


def test_the_next_turn_reads_only_what_is_new(clock):
    text = words(12)
    model = Drafter(clock, text)
    draft = ready(model)
    stream = Stream(text[:100])
    play(draft, stream, text, 20, costs())
    draft.leave(stream)
    before = sum(model.batches)
    turn = Stream(text[: len(stream.tokens) + 10], number=2)
    play(draft, turn, text, 1, costs())
    assert sum(model.batches) - before <= 10 + CLOSE + LONGEST


def test_two_answers_have_a_sequence_each_and_a_third_takes_the_one_that_is_free(clock):
    text, other = words(13), words(14)
    model = Drafter(clock, text)
    draft = ready(model)
    one, two = Stream(text[:30]), Stream(text[:50], number=2)
    for _ in range(6):
        for stream in (one, two):
            play(draft, stream, text, 1, costs())
    assert sorted(model.held) == [0, 1]
    draft.leave(one)
    before = list(model.held[1])
    play(draft, Stream(other[:30], number=3), other, 1, costs())
    assert model.held[1] == before, "a running answer lost its sequence"
    assert model.held[0] == other[: len(model.held[0])]


def test_cells_are_never_overdrawn(clock):
    text = words(15, 1200)
    model = Drafter(clock, text)
    model.cells = 500
    draft = ready(model)
    one, two = Stream(text[:300]), Stream(text[:280], number=2)
    for _ in range(30):
        for stream in (one, two):
            play(draft, stream, text, 1, costs())
    draft.leave(one)
    assert any(play(draft, Stream(text[:60], number=3), text, 8, costs()))


def test_a_context_that_is_too_short_is_left_alone(clock):
    text = words(16)
    model = Drafter(clock, text)
    model.context = 64
    draft = ready(model)
    assert not any(play(draft, Stream(text[:55]), text, 40, costs()))
    assert model.batches == []


def test_who_has_left_is_not_guessed_for(clock):
    text = words(17)
    model = Drafter(clock, text)
    draft = ready(model)
    stream = Stream(text[:20])
    play(draft, stream, text, 3, costs())
    before = len(model.batches)
    stream.caller.cancelled = True
    assert draft.propose(stream, 31, costs()) == []
    assert len(model.batches) <= before + 1


def test_a_batch_that_fails_costs_a_rest_and_nothing_else(clock):
    text = words(18)
    model = Drafter(clock, text)
    draft = ready(model)
    stream = Stream(text[:20])
    play(draft, stream, text, 3, costs())
    model.fails = True
    assert draft.propose(stream, 31, costs()) == []
    assert model.held[0] == []
    model.fails = False
    made = play(draft, stream, text, PATIENCE + 10, costs())
    assert made[:PATIENCE] == [0] * PATIENCE
    assert made[-1] > 0


def test_what_is_forgotten_leaves_the_draft_at_once(clock):
    text = words(19)
    model = Drafter(clock, text)
    draft = ready(model)
    one, two = Stream(text[:30], 1, {"c_1", "m_1"}), Stream(text[:30], 2, {"c_2"})
    for stream in (one, two):
        play(draft, stream, text, 3, costs())
    assert draft.forget({"m_unknown"}) == 0
    assert draft.forget({"m_1"}) == 1
    assert model.held[0] == []
    assert model.held[1]
    draft.leave(two)
    again = Stream(text[:30], 3, {"c_3"})
    play(draft, again, text, 3, costs())
    assert draft.forget({"c_2"}) == 0, "nothing of it is left"
    assert draft.forget({"c_3"}) == 1


# --- the same words --------------------------------------------------------------------------


class Vocabulary:
    def __init__(self, size, changed=()):
        self.vocabulary_size = size
        self.changed = set(changed)

    def piece(self, token, *, special=False):
        assert special
        return b"other" if token in self.changed else b"%d" % token

    def markers(self):
        return [self.vocabulary_size // 2 + 1]


@pytest.mark.parametrize(
    ("draft", "words"),
    [
        (Vocabulary(50_000), ""),
        (Vocabulary(50_000 - PADDING), ""),
        (Vocabulary(50_000 - PADDING - 1), "49871 tokens, not 50000"),
        (Vocabulary(50_001), "50001 tokens"),
        (Vocabulary(50_000, [0]), "token 0 is"),
        (Vocabulary(50_000, [ENDS - 1]), f"token {ENDS - 1} is"),
        (Vocabulary(50_000, [49_999]), "token 49999 is"),
        (Vocabulary(50_000, [25_001]), "token 25001 is"),
        (Vocabulary(50_000, range(20_000, 21_000)), "not the same"),
    ],
)
def test_vocabularies_are_compared(draft, words):
    found = difference(Vocabulary(50_000), draft)
    assert words in found
    assert bool(found) == bool(words)
