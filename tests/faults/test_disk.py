"""The disk is full, or refuses to write, to sync, to read: at every n-th call."""

from __future__ import annotations

import pytest
from faults import scripts


@pytest.fixture
def failing(disk, tmp_path, full):
    """Runs failing.py with one fault, at some or at all of the calls."""

    def run(fault):
        (tmp_path / "disk").mkdir()
        told = scripts.run(
            "failing", tmp_path, 400 if full else 25, fault,
            LD_PRELOAD=str(disk), DISK_DIR=str(tmp_path / "disk"),
        )  # fmt: skip
        print(fault, told)
        assert told["problems"] == []
        return told

    return run


def test_a_full_disk_is_said_and_it_goes_on_when_there_is_room(failing):
    told = failing("full")
    assert told["errors"]["disk_full"] > 0
    # What opening writes by itself, and whether before the first call that fails, is up to its threads.
    assert set(told["errors"]) <= {"disk_full", "opening: disk_full"}
    assert told["again"] > 0


@pytest.mark.parametrize("fault", ["write", "sync"])
def test_after_a_disk_error_nothing_is_promised_and_all_is_read(failing, fault):
    told = failing(fault)
    assert sum(n for code, n in told["errors"].items() if "store_error" in code) > 0
    assert {code.rpartition(": ")[2] for code in told["errors"]} <= {"store_error", "disk_full"}
    assert not [code for code in told["errors"] if code.startswith("reading")]


def test_a_log_that_cannot_be_cut_is_no_error(failing):
    assert failing("truncate")["errors"] == {}


def test_what_cannot_be_read_is_an_error_and_no_answer(failing):
    told = failing("read")
    opening = {code for code in told["errors"] if code.startswith("opening")}
    rest = {code.rpartition(": ")[2] for code in set(told["errors"]) - opening}
    assert rest <= {"store_error", "damaged"}
    # Of a first page that cannot be read nobody knows whether the key is to blame.
    assert {code.rpartition(": ")[2] for code in opening} <= {"store_error", "damaged", "key_wrong"}
    assert sum(n for code, n in told["errors"].items() if code.startswith("reading")) > 0


def test_no_room_for_a_new_file_is_an_error(failing):
    told = failing("create")
    assert told["errors"]
    assert {code.rpartition(": ")[2] for code in told["errors"]} <= {"store_error", "disk_full"}
