"""What the daemon notes of itself: what happened and where, never what was said."""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from logging.handlers import RotatingFileHandler
from types import TracebackType
from typing import Any

from assistant.config import Paths, Settings

log = logging.getLogger(__name__)

BYTES = 2 << 20
FILES = 3

_Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Discreet(logging.Formatter):
    """Exceptions by their types and places: a message may quote what a user wrote, a path or a token."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the exception below it, whatever another handler has made of it before."""
        own = logging.makeLogRecord(record.__dict__)
        own.exc_text = None
        return super().format(own)

    def formatException(self, ei: _Raised) -> str:  # noqa: N802 - logging's name
        """The chain of exceptions, each with the lines it passed."""
        lines: list[str] = []
        error, seen = ei[1], set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            passed = traceback.extract_tb(error.__traceback__)
            lines += [f"  {_short(one.filename)}:{one.lineno} in {one.name}" for one in passed]
            lines.append(f"{type(error).__module__}.{type(error).__qualname__}")
            error = error.__cause__ or error.__context__
        return "\n".join(lines)


def _short(path: str) -> str:
    return "/".join(path.replace("\\", "/").rsplit("/", 2)[-2:])


def log_to(paths: Paths, settings: Settings) -> None:
    """Log to the file, 0600, and to the output, from the level that is set."""
    file = RotatingFileHandler(paths.log, maxBytes=BYTES, backupCount=FILES, encoding="utf-8")
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    # uvicorn would log whole tracebacks; the guard logs what failed and where.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    logging.getLogger("assistant").setLevel(settings.log_level)
    for handler in (file, logging.StreamHandler()):
        handler.setFormatter(Discreet())
        root.addHandler(handler)
    paths.log.chmod(0o600)
    threading.excepthook = _thread_died


def unhandled(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """For the event loop, whose own words show a task with its error's message."""
    _died("in the loop", context.get("exception"))


def _thread_died(told: threading.ExceptHookArgs) -> None:
    _died("in a thread", told.exc_value)


def _died(where: str, error: BaseException | None) -> None:
    log.error("an error %s: %s", where, type(error).__name__ if error else "unknown")
    if error is not None:
        log.debug("details", exc_info=error)
