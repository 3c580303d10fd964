"""Stretches of speech from probabilities."""

import pytest

from assistant.speech.vad import FRAME, FRAME_S, Stretches, pieces, stretches

RATE = 16_000
NO_MARGIN = Stretches(margin_s=0)


def frames(*parts):
    return [p for p, seconds in parts for _ in range(round(seconds / FRAME_S))]


def seconds(found):
    return [(round(a / RATE, 2), round(b / RATE, 2)) for a, b in found]


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ([(0, 2)], []),
        ([(0, 0.96), (1, 0.96), (0, 0.96)], [(0.96, 1.92)]),
        ([(1, 0.96)], [(0, 0.96)]),
        ([(1, 0.32), (0, 0.32), (1, 0.32), (0, 0.96)], [(0, 0.96)]),  # a short pause
        ([(1, 0.32), (0, 0.64), (1, 0.32)], [(0, 0.32), (0.96, 1.28)]),  # a long one
        ([(0, 0.32), (1, 0.064), (0, 0.96)], []),  # a click
        ([(0, 0.32), (0.6, 0.32), (0.4, 0.96), (0, 0.96)], [(0.32, 1.6)]),  # fading
        ([(0.4, 2)], []),
    ],
)
def test_stretches(parts, found):
    given = frames(*parts)
    assert seconds(stretches(given, len(given) * FRAME, NO_MARGIN)) == found


def test_margins_stay_inside_and_do_not_overlap():
    given = frames((1, 0.32), (0, 0.64), (1, 0.32))
    whole = len(given) * FRAME
    assert stretches(given, whole, Stretches(margin_s=0.4)) == [(0, whole)]
    assert stretches(given, whole - 300, Stretches(margin_s=5)) == [(0, whole - 300)]


def test_pieces_end_in_pauses_unless_there_is_none():
    assert pieces([(0, 10), (20, 30), (50, 60)], 30) == [(0, 30), (50, 60)]
    assert pieces([(0, 100)], 30) == [(0, 30), (30, 60), (60, 90), (90, 100)]
    assert pieces([], 30) == []


@pytest.mark.parametrize("most", [7, 30, 1000])
def test_pieces_lose_nothing_and_are_short_enough(most):
    found = [(5, 40), (60, 61), (70, 200), (205, 206)]
    cut = pieces(found, most)
    assert all(0 < end - begin <= most for begin, end in cut)
    inside = {at for begin, end in cut for at in range(begin, end)}
    assert {at for begin, end in found for at in range(begin, end)} <= inside
    assert cut == sorted(cut)
