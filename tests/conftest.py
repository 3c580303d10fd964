"""Fixtures every part of the suite may use."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running import STARTED

from assistant.config import load_paths
from assistant.engine.catalogue import Catalogue
from assistant.errors import Conflict
from assistant.instance import find


def _pulled(model_id: str) -> Path:
    """A catalogue model's file, fetched into the models folder unless it is there."""
    catalogue = Catalogue(load_paths().models)
    while True:
        try:
            for _ in catalogue.pull(model_id):
                pass
            return catalogue.resolve(model_id).path
        except Conflict:  # another run of the suite is fetching it
            time.sleep(1)


@pytest.fixture(scope="session")
def tiny_model() -> Path:
    """SmolLM2-135M: quick, and its answers are useless."""
    return _pulled("tiny")


@pytest.fixture(scope="session")
def starter_model() -> Path:
    """Qwen2.5-Coder-0.5B: the embedded default."""
    return _pulled("starter")


@pytest.fixture(scope="session", autouse=True)
def nobody_is_left() -> Iterator[None]:
    """A daemon that a test leaves running would compute beside the next run."""
    yield
    left = {process.pid: home for process, home in STARTED if process.poll() is None}
    for _, home in STARTED:  # a client may have started one more
        if running := find(home / "data/daemon.lock"):
            left[running.pid] = home
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, f"started by tests and left running: {[*map(str, left.values())]}"


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str, str, str], None]:
    """Notes what was measured and what was asked for: a line of the table at the end of a run."""
    return lambda what, found, limit: record_property("figure", (what, found, limit))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One table of all figures."""
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, [])]
    rows = {
        tuple(value)
        for report in reports
        for name, value in getattr(report, "user_properties", [])
        if name == "figure" and report.when == "call"
    }
    if not rows:
        return
    terminalreporter.section("figures")
    wide = [max(len(row[column]) for row in rows) for column in range(2)]
    for what, found, limit in sorted(rows):
        terminalreporter.line(f"{what:<{wide[0]}}  {found:<{wide[1]}}  {limit}")
