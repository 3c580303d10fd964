"""The quick-ask window put together: for the resident process, and for tests of the real one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from assistant.clients.desktop import chips, paste, theme
from assistant.clients.desktop.asking import Asking
from assistant.clients.desktop.quick_ask import QuickAsk
from assistant.clients.desktop.tk_thread import TkThread
from assistant.clients.desktop.underneath import Underneath
from assistant.config import Paths, Settings


class Registry(Protocol):
    """Where actions are called by name: `Actions` of actions.py."""

    def register(self, name: str, work: Callable[..., Any], /) -> object: ...


def build(tk: TkThread, paths: Paths, settings: Settings) -> QuickAsk:
    """The window, made and hidden. Called in Tk's thread."""
    from assistant.clients.desktop.window import Window

    window = Window(tk.root, theme.palette(settings.theme))
    made = QuickAsk(
        window,
        Asking(paths, tk.call),
        tk.call,
        look=Underneath(tk.root).look,
        insert=paste.insert,
        offered=partial(chips.read, settings.ask_context),
    )
    window.keys = made
    return made


def register(actions: Registry, quick_ask: QuickAsk, tk: TkThread) -> None:
    """Offer what the window does: `ask` and `ask.toggle`, `ask.start` and `ask.stop`, from any thread."""
    for name, work in (
        ("ask", quick_ask.toggle),
        ("ask.toggle", quick_ask.toggle),
        ("ask.start", quick_ask.open),
        ("ask.stop", quick_ask.close),
    ):
        actions.register(name, partial(tk.call, work))
