"""Errors in the log: their types and places at any level, their words at none."""

import asyncio
import logging
import threading

import pytest

from assistant import logs
from assistant.config import Settings, load_paths

SECRET = "what the user wrote"


def raised():
    try:
        try:
            raise ValueError(SECRET)
        except ValueError as exc:
            raise RuntimeError(f"around {SECRET}") from exc
    except RuntimeError as exc:
        return exc


@pytest.fixture
def whole(tmp_path, monkeypatch):
    """What is in the log file, read when called."""
    root, assistant = logging.getLogger(), logging.getLogger("assistant")
    before, level, own, hook = [*root.handlers], root.level, assistant.level, threading.excepthook
    paths = load_paths({"NESTOR_HOME": str(tmp_path)})
    paths.make()
    logs.log_to(paths, Settings(log_level="DEBUG"))
    yield lambda: paths.log.read_text("utf-8")
    for one in set(root.handlers) - set(before):
        root.removeHandler(one)
        one.close()
    root.setLevel(level)
    assistant.setLevel(own)
    threading.excepthook = hook


def test_an_error_is_told_by_type_and_place(whole):
    logging.getLogger("assistant.x").debug("details", exc_info=raised())
    assert SECRET not in whole()
    assert "builtins.RuntimeError" in whole()
    assert "builtins.ValueError" in whole()
    assert "tests/test_logs.py:" in whole()
    assert "in raised" in whole()


async def test_a_task_that_nobody_asked_how_it_went(whole):
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(logs.unhandled)

    async def fail():
        raise raised()

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task
    loop.set_exception_handler(before)
    assert "RuntimeError" in whole()
    assert SECRET not in whole()


def test_a_thread_that_died(whole):
    def fail():
        raise raised()

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert "an error in a thread: RuntimeError" in whole()
    assert SECRET not in whole()
