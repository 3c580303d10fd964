"""The program of a desktop session, put together: one at a time, Tk in the main thread, the rest a loop."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from assistant import __version__
from assistant.clients.desktop.desk import Desk
from assistant.config import Paths, Settings
from assistant.errors import AlreadyRunning, DesktopError, NoDisplay, TrayRunning
from assistant.instance import Instance, Running, find

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


def run(
    paths: Paths,
    settings: Settings,
    told: Callable[[str], None],
    ready: Callable[[dict[str, Any]], None],
) -> None:
    """Until it is told to end, by its menu, an order or a signal. In the main thread.

    Raises TrayRunning if there is one, DesktopError if nothing can be shown here.
    """
    lock = Instance(paths.desktop_lock)
    try:
        lock.acquire()
    except AlreadyRunning as exc:
        raise already(paths) from exc
    try:
        lock.announce(Running(os.getpid(), 0, __version__))
        _Resident(paths, settings, told, ready).run()
    finally:
        lock.release()


def already(paths: Paths) -> TrayRunning:
    """That there is one, and which."""
    holder = find(paths.desktop_lock)
    return (
        TrayRunning(f"Nestor's icon is already running (pid {holder.pid}).")
        if holder
        else TrayRunning()
    )


class _Resident:
    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        told: Callable[[str], None],
        ready: Callable[[dict[str, Any]], None],
    ) -> None:
        self._paths, self._settings, self._told, self._ready = paths, settings, told, ready
        self._fault: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._desk: Desk | None = None
        self._made = threading.Event()
        self._tk: Any = None
        self._write: Any = None
        self._toast: Any = None

    def run(self) -> None:
        """See the module's."""
        quick_ask = self._window()
        thread = threading.Thread(target=self._loop_thread, args=(quick_ask,), name="desk")
        self._mind_signals()
        thread.start()
        if self._tk is not None:
            self._tk.run()
        thread.join()
        if self._fault is not None:
            raise self._fault

    def _window(self) -> Any:
        """Quick-ask, made and hidden; None where there are no windows, and the user is told why."""
        from assistant.clients.desktop import quick, theme, write
        from assistant.clients.desktop.tk_thread import TkThread, on_display_lost

        try:
            self._tk = TkThread()
        except DesktopError as exc:
            self._told(f"{exc.message} {exc.hint}")
            return None
        on_display_lost(lambda: self._told(NoDisplay("The display is gone.").message))
        from assistant.clients.desktop.toast import Toast

        self._write = write.build(self._tk, self._paths, self._settings)
        self._toast = Toast(self._tk, theme.palette(self._settings.theme))
        return quick.build(self._tk, self._paths, self._settings)

    def _loop_thread(self, quick_ask: Any) -> None:
        try:
            asyncio.run(self._desk_runs(quick_ask))
        except BaseException as exc:  # noqa: BLE001 - raised again in the main thread
            self._fault = exc
        finally:
            self._made.set()
            if self._tk is not None:
                self._tk.stop()

    async def _desk_runs(self, quick_ask: Any) -> None:
        from assistant.clients.desktop import quick, remember, voice, write

        desk = Desk(self._paths, self._settings, self._told)
        if quick_ask is not None:
            quick.register(desk.actions, quick_ask, self._tk)
            write.register(desk.actions, self._write, self._tk)
            remember.register(desk.actions, remember.Remember(self._paths, self._toast.show))
        if voice.available():
            speech = voice.Voice(self._paths, self._settings, desk)
            desk.at_end(speech.close)
            await speech.start()
        self._loop, self._desk = asyncio.get_running_loop(), desk
        self._made.set()
        await desk.run(self._ready)

    def _mind_signals(self) -> None:
        for name in _SIGNALS:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._signalled)
        if self._tk is not None:
            self._tk.wake_on_signals()

    def _signalled(self, *_: object) -> None:
        self._made.wait(1)
        if self._loop is not None and self._desk is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._desk.end)
