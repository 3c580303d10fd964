"""Seeing what is typed at a prompt before it is sent, where the terminal's line editor lets us."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

PAUSE_S = 0.3
"""Without a keystroke, until the text is passed on."""
_AGAIN_S = 0.05
_HOOK = ctypes.CFUNCTYPE(ctypes.c_int)


def line(label: str, tell: Callable[[str], object]) -> str:
    """A line from the prompt; empty at its end or with Ctrl-C. `tell` as in `pauses`."""
    with pauses(tell):
        try:
            return input(label).strip()
        except (EOFError, KeyboardInterrupt):
            return ""


@contextlib.contextmanager
def pauses(tell: Callable[[str], object]) -> Iterator[None]:
    """While this lasts, `input()` passes the text typed so far on at each pause.

    Uses `PyOS_InputHook` of CPython, which readline and libedit call on the same thread while they
    wait for a key; without a terminal or a line editor nothing is passed on.
    """
    try:
        import readline  # also gives input() its line editing
    except ImportError:
        yield
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield
        return
    watch = _Watch(readline.get_line_buffer, tell)
    before = signal.signal(signal.SIGINT, watch.interrupt)
    watch.begin()
    try:
        yield
    finally:
        watch.end()
        signal.signal(signal.SIGINT, before)


class _Watch:
    """Called by the line editor about ten times a second while no key comes."""

    def __init__(self, line: Callable[[], str], tell: Callable[[str], object]) -> None:
        self._line = line
        self._tell = tell
        self._seen = self._told = ""
        self._since = time.monotonic()
        self._callback = _HOOK(self._look)
        self._hook = ctypes.c_void_p.in_dll(ctypes.pythonapi, "PyOS_InputHook")
        self._again: threading.Timer | None = None

    def begin(self) -> None:
        self._hook.value = ctypes.cast(self._callback, ctypes.c_void_p).value

    def end(self) -> None:
        self._hook.value = None
        if self._again is not None:
            self._again.cancel()

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Ctrl-C: the line editor calls the hook before it looks for signals, so this runs inside
        the hook, from where no exception comes out. Without the hook the next signal is its own.
        """
        if self._hook.value is None:
            raise KeyboardInterrupt
        self._hook.value = None
        main = threading.main_thread().ident or 0
        self._again = threading.Timer(_AGAIN_S, signal.pthread_kill, (main, signal.SIGINT))
        self._again.start()

    def _look(self) -> int:
        line, moment = self._line(), time.monotonic()
        if line != self._seen:
            self._seen, self._since = line, moment
        elif line != self._told and moment - self._since >= PAUSE_S:
            self._told = line
            # An exception here would be printed into the prompt.
            with contextlib.suppress(Exception):
                self._tell(line)
        return 0
