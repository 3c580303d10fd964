"""What a batch costs, on machines that cost what we say."""

import numpy as np
import pytest

from assistant.engine.costs import ALONE, BETWEEN, PATIENCE, PAUSE_S, SIZES, Costs


def cpu(rows):
    """The starter model on two cores: 20 ms for one row, some 7 ms for each one more."""
    return 0.020 + 0.007 * (rows - 1)


def epyc(rows):
    """Measured: the starter model on two cores of an EPYC, one next token wanted."""
    sizes = (1, 2, 3, 4, 8, 12, 16, 32, 64, 128, 256)
    ms = (16, 29, 34, 45, 51, 62, 66, 124, 250, 430, 860)
    return float(np.interp(rows, sizes, ms)) / 1000


def gpu(rows):
    return 0.010 + 0.00001 * rows


def settle(cost, streams, steps=400, last=100):
    """The pieces of a prompt in the last of many steps beside `streams` streams."""
    costs = Costs()
    sizes = []
    quiet = 0
    costs.took(streams, cost(streams))
    for _ in range(steps):
        size = costs.beside(streams, quiet=quiet)
        costs.took(streams + size, cost(streams + size), read=bool(size))
        quiet = 0 if size else quiet + 1
        sizes.append(size)
    return sizes[-last:]


def test_alone_a_prompt_is_read_fast():
    assert Costs().beside(0) == ALONE
    assert Costs().beside(0, 200) == 200
    assert Costs().beside(0, 3_000) == ALONE


@pytest.mark.parametrize("streams", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("price", [cpu, epyc])
def test_a_cpu_reads_a_prompt_and_a_stream_hardly_notices(streams, price):
    sizes = settle(price, streams, steps=1_000, last=500)
    gaps = sorted(price(streams + size) for size in sizes)
    assert gaps[475] <= PATIENCE * 1.05 * price(streams), "nineteen gaps of twenty are short"
    assert gaps[-4] <= max(PAUSE_S, PATIENCE * price(streams)) * 1.05
    few = max(n for n in range(1, 40) if price(streams + n) <= PATIENCE * price(streams))
    assert sum(sizes) / sum(gaps) > 0.4 * few / price(streams + few), "the prompt is starved"


@pytest.mark.parametrize("streams", [1, 4])
def test_a_gpu_reads_hundreds_for_the_price_of_one(streams):
    sizes = settle(gpu, streams)
    assert sizes.count(0) <= 4, "a look at what is usual"
    assert sorted(sizes)[4] >= 200


def test_what_is_usual_is_looked_at_while_a_prompt_is_read():
    def settled(slow):
        costs, sizes = Costs(), []
        for _ in range(40):
            costs.took(1, (60.0 if slow else 15.0) * epyc(1))
        for _ in range(300):
            size = costs.beside(1, quiet=0)
            costs.took(1 + size, 15.0 * epyc(1 + size), read=bool(size))
            sizes.append(size)
        return sizes[-100:]

    assert max(settled(slow=True)) <= max(settled(slow=False))
    assert settled(slow=True).count(0) <= 4, "it costs next to nothing"


def test_even_when_each_token_is_dear_the_prompt_goes_on():
    assert sum(settle(lambda rows: 0.020 * rows**2, 1)) > 0


def test_a_neighbour_that_went_is_forgotten():
    costs = Costs()
    for _ in range(50):
        costs.took(1, 0.010)
        costs.took(8, 0.500, read=True)
    before = costs.beside(1)
    for _ in range(1_000):
        size = costs.beside(1)
        costs.took(1 + size, gpu(1 + size), read=True)
        costs.took(1, 0.010)
    assert costs.beside(1) > before


def test_ratios_are_this_machines():
    costs = Costs()
    assert costs(32) > costs(8) >= costs(5) > costs(4) > costs(1) == 1.0
    for _ in range(100):
        for rows in SIZES:
            costs.took(rows, gpu(rows))
    assert costs(32) == pytest.approx(gpu(32) / gpu(1))
    costs.took(9, 9.0)
    assert costs(9) < 1.2
    assert costs(512) < 3


def taking_turns(price, streams, steps=400):
    """How many computed at a time in the last 100 of many steps."""
    costs, sizes = Costs(), []
    for _ in range(steps):
        count = costs.group(streams)
        costs.took(count, price(count))
        sizes.append(count)
    return sizes[-100:]


AMD = {1: 15.9, 2: 37.1, 3: 46.8, 4: 51.3, 5: 68.5, 6: 68.0, 7: 68.0, 8: 67.2}
"""Milliseconds, measured: the starter model on two cores of an EPYC."""


@pytest.mark.parametrize(("streams", "best"), [(1, 1), (2, 1), (4, 4), (5, 4), (8, 8)])
def test_streams_take_turns_where_that_is_faster(streams, best):
    sizes = taking_turns(AMD.__getitem__, streams)
    assert sizes.count(best) > 90


@pytest.mark.parametrize("streams", [1, 2, 5, 8, 14])
def test_on_a_gpu_all_streams_go_together(streams):
    assert taking_turns(gpu, streams).count(streams) > 90


def test_nobody_takes_no_turn():
    assert Costs().group(0) == 0


def test_what_a_prompt_costs_says_nothing_of_answers():
    costs = Costs()
    costs.took(1, 0.010)
    for _ in range(50):
        costs.took(4, 9.0, read=True)
    assert costs(4) < 4
    assert costs.beside(1) < 3


def test_where_small_pieces_are_dear_streams_pause_now_and_then():
    sizes = settle(epyc, 1, steps=1000, last=500)
    pauses = [size for size in sizes if size]
    assert 500 / (BETWEEN + 2) <= len(pauses) <= 500 / 20, "one gap in twenty may be long, no more"
    assert sorted(pauses)[len(pauses) // 2] >= 23
    assert max(epyc(1 + size) for size in pauses) <= PAUSE_S


def test_pauses_do_not_starve_a_prompt():
    spent = sum(epyc(1 + size) for size in settle(epyc, 1, steps=1000, last=500))
    assert sum(settle(epyc, 1, steps=1000, last=500)) / spent > 40, "tokens of the prompt a second"


def test_a_large_model_reads_a_little_in_each_step():
    sizes = settle(lambda rows: 15 * epyc(rows), 1)
    assert sizes.count(0) <= 4, "a look at what is usual"
    assert sorted(sizes)[4] >= 1
