"""The wake word's log: what is kept, what a user's marks change."""

import pytest

from assistant.core.wake import BYTES_S, Hit, Word, after
from assistant.core.wakings import KEPT, Waking, Wakings, tuned
from assistant.errors import WakeWordOff, WakingNotFound

WORD = Word()


class Store:
    def __init__(self, kept=None):
        self.kept, self.writes = kept, 0

    async def read(self):
        return self.kept

    async def write(self, log):
        self.kept, self.writes = log, self.writes + 1


def heard(probability, *, wrong=False, accepted=True):
    return Waking("w", "", "hey_jarvis", probability, 1.0, accepted, wrong)


async def test_it_is_off_unless_it_is_turned_on():
    with pytest.raises(WakeWordOff):
        _ = Wakings(Store(), "off").word


async def test_what_is_noted_is_there_after_a_restart_and_holds_no_words():
    store = Store()
    first = Wakings(store, "hey_jarvis")
    one = await first.note(Hit(1.0, 0.9, "Hey Jarvis, my secret", True), WORD)
    await first.mark(one.id, wrong=True)
    again = Wakings(store, "hey_jarvis")
    await again.load()
    assert [(w.id, w.wrong, w.accepted) for w in again.log.items] == [(one.id, True, True)]
    assert b"secret" not in store.kept
    with pytest.raises(WakingNotFound):
        await again.mark("w_none", wrong=True)
    broken = Wakings(Store(b"{"), "hey_jarvis")
    await broken.load()
    assert broken.log.items == ()


async def test_false_ones_by_the_hour():
    wakings = Wakings(Store(), "hey_jarvis")
    assert wakings.false_per_hour() is None
    for _ in range(1800):
        await wakings.listened(bytes(BYTES_S))
    assert wakings.false_per_hour() == 0
    ids = [(await wakings.note(Hit(0, 0.8, "hey jarvis", ok), WORD)).id for ok in (1, 1, 0)]
    for one in ids:
        await wakings.mark(one, wrong=True)
    assert wakings.false_per_hour() == pytest.approx(4)  # what was not accepted woke nobody


async def test_the_log_has_an_end_and_its_rate_stays():
    wakings = Wakings(Store(), "hey_jarvis")
    for _ in range(KEPT + 50):
        await wakings.listened(bytes(60 * BYTES_S))
        await wakings.mark((await wakings.note(Hit(0, 0.8, "x", True), WORD)).id, wrong=True)
    assert len(wakings.log.items) == KEPT
    assert wakings.false_per_hour() == pytest.approx(60, rel=0.05)


@pytest.mark.parametrize(
    ("wakings", "threshold"),
    [
        ([], 0.5),
        ([heard(0.9), heard(0.95)], 0.5),
        ([heard(0.6, wrong=True), heard(0.95)], 0.605),
        ([heard(0.6, wrong=True), heard(0.7, wrong=True), heard(0.95)], 0.705),
        ([heard(0.9, wrong=True), heard(0.6)], 0.5),  # one spared is not worth one lost
        ([heard(0.9, wrong=True)] * 3 + [heard(0.6)], 0.905),
        ([heard(0.9, wrong=True, accepted=False)], 0.5),
        ([heard(1.0, wrong=True)], 0.5),  # or nothing would ever wake it
    ],
)
def test_marks_tune_the_threshold(wakings, threshold):
    assert tuned(wakings, 0.5) == pytest.approx(threshold)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Hey Jarvis, what time is it?", "what time is it?"), ("Hey, Jarvis.", ""), ("", ""),
        ("A Jarvis what's up", "what's up"), ("What time is it?", "What time is it?"),
        ("Tell Jarvis to wait", "to wait"), ("Ask the harvest team", "Ask the harvest team"),
    ],
)  # fmt: skip
def test_what_comes_after_the_phrase(text, rest):
    assert after(text, "hey jarvis") == rest
