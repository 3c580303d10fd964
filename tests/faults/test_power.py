"""The power goes: whatever was not synced is kept, lost or torn. See cut.py."""

from __future__ import annotations

import random

import pytest
from faults import cut, scripts


@pytest.fixture
def recorded(disk, tmp_path):
    """Records a telling, and opens what `cuts` cuts leave of it."""

    def record(rounds, cuts, seed, *synchronous):
        home, log = tmp_path / f"home{seed}{synchronous}", tmp_path / f"log{seed}{synchronous}"
        home.mkdir()
        scripts.run(
            "recording", home, rounds, seed, *synchronous,
            LD_PRELOAD=str(disk), DISK_DIR=str(home), DISK_LOG=str(log),
        )  # fmt: skip
        told = scripts.run("cutting", log, home, tmp_path / "scratch", cuts, seed)
        print(told)
        return told

    return record


def test_power_cuts_lose_nothing_that_was_acknowledged(recorded, full):
    for seed in range(5 if full else 1):
        told = recorded(25, 200, seed)
        assert told["acknowledged"] > 100
        assert told["cuts_with"] == {}, told["examples"]
        if full:
            assert told["slowest_start_s"] <= scripts.START_S


def test_the_cuts_have_teeth(recorded, full):
    """With synchronous=NORMAL the same cuts lose some of what was acknowledged."""
    told = recorded(25, 60, 1, "NORMAL")
    assert told["cuts_with"].get("lost", 0) + told["cuts_with"].get("back", 0) > 5
    assert "half" not in told["cuts_with"]


# --- the disk itself ---------------------------------------------------------------------------


def op(kind, path="/d/a", offset=0, data=b""):
    return cut.Op(kind, path, offset, data)


def found(ops, seed):
    disk = cut.Disk()
    for one in ops:
        disk.do(one)
    return disk.found(random.Random(seed))


def test_what_was_synced_is_found_and_of_the_rest_anything():
    old, new = b"o" * 8192, b"n" * 8192
    ops = [
        op(cut.Call.CREATE),
        op(cut.Call.WRITE, data=old),
        op(cut.Call.SYNC),
        op(cut.Call.SYNC, "/d"),
    ]
    assert {bytes(found(ops, n)["/d/a"]) for n in range(50)} == {old}
    seen = {bytes(found([*ops, op(cut.Call.WRITE, data=new)], n)["/d/a"]) for n in range(200)}
    assert {old, new} < seen
    torn = seen - {old, new}
    assert torn
    assert all(len(set(one[n : n + 512])) == 1 for one in torn for n in range(0, 8192, 512))


def test_a_name_is_safe_once_its_folder_was_synced():
    ops = [op(cut.Call.CREATE), op(cut.Call.WRITE, data=b"x"), op(cut.Call.SYNC)]
    assert {"/d/a" in found(ops, n) for n in range(50)} == {True, False}
    ops += [op(cut.Call.SYNC, "/d"), op(cut.Call.RENAME, data=b"/d/b")]
    assert {tuple(found(ops, n)) for n in range(50)} == {("/d/a",), ("/d/b",)}
    assert {tuple(found([*ops, op(cut.Call.SYNC, "/d")], n)) for n in range(50)} == {("/d/b",)}


def test_half_a_record_counts_as_not_done():
    head = cut._HEAD.pack(cut.Call.WRITE, 4, 7, 3)
    whole = head + b"/d/a" + b"xyz"
    assert cut.read(whole * 2) == [op(cut.Call.WRITE, offset=7, data=b"xyz")] * 2
    for length in range(1, len(whole)):
        assert len(cut.read(whole + whole[:length])) == 1
