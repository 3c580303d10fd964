"""SIGKILL at random moments of remembering, correcting, forgetting and importing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from faults import scripts


def test_kills_lose_nothing_and_leave_nothing_half_done(tmp_path, full):
    kills = 1_000 if full else 200
    # Two at once: each waits for the disk most of the time.
    with ThreadPoolExecutor() as pool:
        runs = list(
            pool.map(lambda n: scripts.run("killing", tmp_path / str(n), kills // 2, n), range(2))
        )
    print(runs)
    assert sum(one["kills"] for one in runs) == kills
    # It did tell, and most kills fell while it did.
    assert sum(one["acknowledged"] for one in runs) > 5 * kills
    assert sum(one["starts"] for one in runs) > 0.8 * kills
    if full:
        assert max(one["slowest_start_s"] for one in runs) <= scripts.START_S
