"""What our windows share: a flat card without a title bar, its fonts and buttons."""

from __future__ import annotations

import contextlib
import sys
import tkinter as tk
from collections.abc import Callable
from tkinter import font as tkfont

from assistant.clients.desktop.theme import Palette

_FAMILIES = ("Inter", "Segoe UI", "SF Pro Text", "Cantarell", "Noto Sans", "DejaVu Sans")
_FIXED = ("JetBrains Mono", "Cascadia Mono", "SF Mono", "Noto Sans Mono", "DejaVu Sans Mono")


def family(root: tk.Tk) -> str:
    """The font for text: the first of the good ones that is there."""
    return _available(root, _FAMILIES, "TkDefaultFont")


def fixed(root: tk.Tk) -> str:
    """The font for code."""
    return _available(root, _FIXED, "TkFixedFont")


def frame(top: tk.Toplevel, colours: Palette) -> tk.Frame:
    """What everything stands in, a line's width from the edge."""
    made = tk.Frame(top, background=colours.back)
    made.pack(fill="both", expand=True, padx=1, pady=1)
    return made


def button(
    parent: tk.Misc,
    colours: Palette,
    font: str,
    text: str,
    command: Callable[[], object],
    *,
    strong: bool = False,
) -> tk.Button:
    """A button; `strong` is what is most often wanted, or what is on."""
    return tk.Button(
        parent, text=text, command=command, relief="flat", borderwidth=0, padx=8, pady=3,
        highlightthickness=1, highlightbackground=colours.line, highlightcolor=colours.accent,
        font=(font, 10), cursor="hand2", takefocus=True,
        background=colours.accent if strong else colours.back,
        foreground=colours.on_accent if strong else colours.text,
        activebackground=colours.selected, activeforeground=colours.text,
        disabledforeground=colours.faint,
    )  # fmt: skip


def undecorated(top: tk.Toplevel) -> None:
    """Without a title bar, but with the focus: override-redirect windows get none on X11."""
    top.attributes("-topmost", True)
    if sys.platform in ("win32", "darwin"):
        top.overrideredirect(True)
        return
    top.attributes("-type", "utility")
    top.update_idletasks()
    with contextlib.suppress(Exception):  # no python-xlib: it has a title bar
        from assistant.clients.desktop import selection

        display = selection.connect()
        inner = display.create_resource_object("window", top.winfo_id())
        outer = inner.query_tree().parent
        hints = display.get_atom("_MOTIF_WM_HINTS")
        outer.change_property(hints, hints, 32, [2, 0, 0, 0, 0])  # MWM_HINTS_DECORATIONS: none
        display.sync()
        display.close()


def _available(root: tk.Tk, families: tuple[str, ...], other: str) -> str:
    there = set(tkfont.families(root))
    named = next((family for family in families if family in there), None)
    return named or str(tkfont.nametofont(other, root).actual("family"))
