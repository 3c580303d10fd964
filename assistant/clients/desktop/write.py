"""Write For Me put together: for the resident process, and for tests of the real one."""

from __future__ import annotations

from functools import partial

from assistant.clients.desktop import field, paste, theme
from assistant.clients.desktop.quick import Registry
from assistant.clients.desktop.rewriting import Rewriting
from assistant.clients.desktop.tk_thread import TkThread
from assistant.clients.desktop.underneath import Underneath
from assistant.clients.desktop.write_for_me import WriteForMe
from assistant.config import Paths, Settings


def build(tk: TkThread, paths: Paths, settings: Settings) -> WriteForMe:
    """The window, made and hidden. Called in Tk's thread."""
    from assistant.clients.desktop.write_window import WriteWindow

    window = WriteWindow(tk.root, theme.palette(settings.theme))
    made = WriteForMe(
        window,
        Rewriting(paths, tk.call),
        tk.call,
        look=Underneath(tk.root).look,
        read=field.read,
        replace=paste.replace,
    )
    window.keys = made
    return made


def register(actions: Registry, write_for_me: WriteForMe, tk: TkThread) -> None:
    """Offer what the window does: `write` and `write.toggle`, `write.start` and `write.stop`."""
    for name, work in (
        ("write", write_for_me.toggle),
        ("write.toggle", write_for_me.toggle),
        ("write.start", write_for_me.open),
        ("write.stop", write_for_me.close),
    ):
        actions.register(name, partial(tk.call, work))
