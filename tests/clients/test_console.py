"""What the command line shows of work that takes a while."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from assistant.clients import console
from assistant.types import Event


@pytest.fixture
def shown(monkeypatch):
    screen = Console(file=io.StringIO(), width=100, markup=False)
    monkeypatch.setattr(console, "err", screen)
    return lambda: screen.file.getvalue()


def step(name, done, total, **more):
    return Event(1, "progress", {"step": name, "done_bytes": done, "total_bytes": total} | more)


def test_a_step_whose_end_nobody_knows_shows_what_is_done_and_no_made_up_end(shown):
    last = step("store", 0, 0, records=1_234)
    assert (
        console.follow([step("read", 50, 200), step("read", 200, 200), last], "notes") == last.data
    )
    assert "notes: store, 1,234 records" in shown()
    assert "bytes" not in shown()


def test_a_step_with_an_end_shows_it(shown):
    done = Event(2, "done", {"added": 3})
    events = [step("download", 0, 0), step("download", 50, 200), step("done", 200, 200), done]
    assert console.follow(events, "tiny") == done.data
    assert "tiny: done" in shown()
    assert "200/200 bytes" in shown()


def test_work_of_this_process_is_shown_in_the_same_way(shown):
    with console.steps("restore") as show:
        show("copy", 10, 40)
        show("compare", 0, 0)
    assert "restore: compare" in shown()
    assert "bytes" not in shown()
