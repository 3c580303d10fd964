"""A short notice of our own in a corner of the screen, which takes no focus and goes by itself."""

from __future__ import annotations

import sys
import tkinter as tk

from assistant.clients.desktop import card
from assistant.clients.desktop.theme import Palette, Tone
from assistant.clients.desktop.tk_thread import TkThread

SHOWN_MS = 2_500
WIDTH = 340
_EDGE = 24


class Toast:
    """Made once and kept hidden; in Tk's thread. `show` may be called from any."""

    def __init__(self, tk_thread: TkThread, colours: Palette) -> None:
        self._tk, self._colours = tk_thread, colours
        self._ending: str | None = None
        self._top = top = tk.Toplevel(tk_thread.root, background=colours.line, class_="Nestor")
        top.withdraw()
        top.title("Nestor: notice")
        top.overrideredirect(True)
        top.attributes("-topmost", True)
        if sys.platform not in ("win32", "darwin"):
            top.attributes("-type", "notification")
        inner, family = card.frame(top, colours), card.family(tk_thread.root)
        self._title, self._text = (
            tk.Label(
                inner, anchor="w", justify="left", wraplength=WIDTH - 40, padx=16, font=(family, size),
                background=colours.back, foreground=colours.text,
            )
            for size in (12, 10)
        )  # fmt: skip
        self._title.pack(fill="x", pady=(10, 0))
        self._text.pack(fill="x", pady=(2, 10))

    def show(self, title: str, text: str, tone: Tone) -> None:
        """Show this now, in place of what was shown."""
        self._tk.call(lambda: self._show(title, text, tone))

    def _show(self, title: str, text: str, tone: str) -> None:
        colours = {"good": self._colours.accent, "bad": self._colours.bad}
        self._title.configure(text=title, foreground=colours.get(tone, self._colours.text))
        self._text.configure(text=text)
        top = self._top
        top.update_idletasks()
        x = top.winfo_screenwidth() - WIDTH - _EDGE
        top.geometry(f"{WIDTH}x{top.winfo_reqheight()}+{x}+{_EDGE}")
        top.deiconify()
        top.lift()
        if self._ending is not None:
            top.after_cancel(self._ending)
        self._ending = str(top.after(SHOWN_MS, top.withdraw))
