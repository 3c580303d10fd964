"""The one thread that Tk runs in, and how others reach it. Raises NoDisplay or ExtraMissing at the start."""

from __future__ import annotations

import contextlib
import ctypes
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from assistant.errors import ExtraMissing, NoDisplay

Work = Callable[[], object]
_POLL_MS = 10
"""Where Tk cannot wait for a pipe (Windows)."""
_LOST = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


class TkThread:
    """Made, and run, in the main thread: macOS allows no other."""

    def __init__(self) -> None:
        self.root = _root()
        self.root.withdraw()
        self._work: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._ends: tuple[int, int] | None = None
        if sys.platform == "win32":
            self.root.after(_POLL_MS, self._poll)
        else:
            self._ends = os.pipe()
            for end in self._ends:
                os.set_blocking(end, False)
            self.root.tk.createfilehandler(self._ends[0], 2, self._woken)  # 2: TCL_READABLE

    def call(self, work: Work) -> None:
        """Do this in Tk's thread, soon. From any thread; work that fails is printed, and others go on."""
        self._work.put(work)
        if self._ends is not None:
            with contextlib.suppress(
                BlockingIOError, OSError
            ):  # full: it is awake; closed: it ended
                os.write(self._ends[1], b".")

    def run(self) -> None:
        """Until `stop`."""
        try:
            self.root.mainloop()
        finally:
            self._close()

    def stop(self) -> None:
        """End `run`. From any thread."""
        self.call(self.root.quit)

    def wake_on_signals(self) -> None:
        """Let Python see a signal at once; else Tk waits for a window's next event. In the main thread."""
        if self._ends is not None:
            signal.set_wakeup_fd(self._ends[1], warn_on_full_buffer=False)

    def _woken(self, *_: object) -> None:
        assert self._ends is not None
        with contextlib.suppress(BlockingIOError):
            os.read(self._ends[0], 4096)
        self._do()

    def _poll(self) -> None:
        self._do()
        self.root.after(_POLL_MS, self._poll)

    def _do(self) -> None:
        while True:
            try:
                work = self._work.get_nowait()
            except queue.Empty:
                return
            try:
                work()
            except Exception:  # noqa: BLE001 - as Tk does with its own callbacks
                self.root.report_callback_exception(*sys.exc_info())

    def _close(self) -> None:
        ends, self._ends = self._ends, None
        if ends is not None:
            if threading.current_thread() is threading.main_thread():
                signal.set_wakeup_fd(-1)
            self.root.tk.deletefilehandler(ends[0])
            for end in ends:
                os.close(end)
        self.root.destroy()


def _root() -> Any:
    try:
        import tkinter
    except ImportError as exc:
        raise ExtraMissing(
            "This Python has no Tk, so there are no windows.",
            "Install it: apt-get install python3-tk, dnf install python3-tkinter, or brew install"
            " python-tk.",
        ) from exc
    try:
        return tkinter.Tk(className="Nestor")
    except tkinter.TclError as exc:
        raise NoDisplay from exc


_kept: list[object] = []
"""What C calls must stay."""


def on_display_lost(told: Work) -> None:
    """Call this when the X server goes away, which ends the process: Xlib gives no way to live on."""
    if sys.platform in ("win32", "darwin"):
        return

    def lost(_display: object) -> int:
        told()
        os._exit(1)

    with contextlib.suppress(OSError):
        library = ctypes.CDLL("libX11.so.6")
        called = _LOST(lost)
        _kept.append(called)
        library.XSetIOErrorHandler(called)
