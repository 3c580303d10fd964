"""What a batch costs, on machines that cost what we say."""

import pytest

from assistant.engine.costs import ALONE, PATIENCE, SIZES, Costs


def cpu(rows):
    """The starter model on two cores: 20 ms for one row, some 7 ms for each one more."""
    return 0.020 + 0.007 * (rows - 1)


def gpu(rows):
    return 0.010 + 0.00001 * rows


def settle(cost, streams, steps=400):
    """The chunks of the last 100 of many steps beside `streams` streams."""
    costs = Costs()
    sizes = []
    costs.took(streams, cost(streams))
    for _ in range(steps):
        size = costs.beside(streams)
        costs.took(streams + size, cost(streams + size))
        sizes.append(size)
    return sizes[-100:]


def test_alone_a_prompt_is_read_fast():
    assert Costs().beside(0) == ALONE
    assert Costs().beside(0, 200) == 200
    assert Costs().beside(0, 3_000) == ALONE


@pytest.mark.parametrize("streams", [1, 2, 3, 4, 8])
def test_a_cpu_reads_little_and_a_stream_hardly_notices(streams):
    sizes = settle(cpu, streams)
    slow = [size for size in sizes if cpu(streams + size) > PATIENCE * 1.05 * cpu(streams)]
    assert len(slow) <= 5
    assert sum(sizes) >= 100, "the prompt is starved"


@pytest.mark.parametrize("streams", [1, 4])
def test_a_gpu_reads_hundreds_for_the_price_of_one(streams):
    assert min(settle(gpu, streams)) >= 200


def test_even_when_each_token_is_dear_the_prompt_goes_on():
    assert set(settle(lambda rows: 0.020 * rows**2, 1)) == {1}


def test_a_neighbour_that_went_is_forgotten():
    costs = Costs()
    for _ in range(50):
        costs.took(1, 0.010)
        costs.took(8, 0.500)
    before = costs.beside(1)
    for _ in range(1_000):
        size = costs.beside(1)
        costs.took(1 + size, gpu(1 + size))
        costs.took(1, 0.010)
    assert costs.beside(1) > before


def test_ratios_are_this_machines():
    costs = Costs()
    assert costs(32) > costs(8) > costs(5) > costs(4) > costs(1) == 1.0
    for _ in range(100):
        for rows in SIZES:
            costs.took(rows, gpu(rows))
    assert costs(32) == pytest.approx(gpu(32) / gpu(1))
    costs.took(5, 9.0)
    assert costs(5) < 1.2
    assert costs(512) < 3
