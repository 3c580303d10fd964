"""What our windows share: a flat card without a title bar, its fonts, buttons, size and place."""

from __future__ import annotations

import contextlib
import sys
import tkinter as tk
from collections.abc import Callable
from tkinter import font as tkfont
from typing import Any

from assistant.clients.desktop.theme import Palette, Tone
from assistant.clients.desktop.underneath import Place

WIDTH = 680

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


class Card:
    """A window of ours, made once and kept hidden. Whoever extends it calls `_made` once all is in it."""

    _first: tk.Widget
    """What has the focus when it appears."""
    _status: tk.Label

    def __init__(self, root: tk.Tk, colours: Palette, title: str) -> None:
        self._root = root
        self._colours = colours
        self._place: Place | None = None
        self._top = tk.Toplevel(root, background=colours.line, class_="Nestor")
        self._top.withdraw()
        self._top.title(title)
        self._top.resizable(False, False)
        self._family = family(root)
        self._card = frame(self._top, colours)

    @property
    def visible(self) -> bool:
        """Whether it is shown."""
        return str(self._top.state()) == "normal"

    def show(self, place: Place) -> None:
        """Appear there, with the focus where something is typed."""
        self._place = place
        self._fit()
        self._top.deiconify()
        self._top.lift()
        self._top.focus_force()
        self._first.focus_set()
        self._top.update_idletasks()

    def hide(self) -> None:
        """Vanish."""
        self._top.withdraw()

    def say(self, text: str, tone: Tone = "quiet") -> None:
        """One line below everything."""
        colours = {"quiet": self._colours.faint, "good": self._colours.accent}
        self._status.configure(text=text, foreground=colours.get(tone, self._colours.bad))
        self._fit()

    def copy(self, text: str) -> None:
        """Put it in the clipboard."""
        self._root.clipboard_clear()
        self._root.clipboard_append(text)

    def _made(self) -> None:
        undecorated(self._top)

    def _foot(self, beside: int) -> tk.Frame:
        """The line below everything, with so much room for buttons; where they stand."""
        foot = tk.Frame(self._card, background=self._colours.field)
        foot.pack(fill="x", side="bottom")
        actions = tk.Frame(foot, background=self._colours.field)
        actions.pack(side="right", padx=12, pady=8)
        self._status = tk.Label(
            foot, anchor="w", justify="left", wraplength=WIDTH - beside, font=(self._family, 10),
            background=self._colours.field, foreground=self._colours.faint,
        )  # fmt: skip
        self._status.pack(side="left", padx=(18, 8), pady=8, fill="x", expand=True)
        return actions

    def _button(
        self, parent: tk.Misc, text: str, command: Callable[[], object], *, strong: bool = False
    ) -> tk.Button:
        return button(parent, self._colours, self._family, text, command, strong=strong)

    def _limit(self, screen_height: int) -> None:
        """Make what grows fit into a screen of this height."""
        raise NotImplementedError

    def _fit(self) -> None:
        """As high as what it shows, at most four fifths of the screen; in the upper part of it."""
        if self._place is None:
            return
        area = self._place.area
        width = min(WIDTH, area.width)
        self._limit(area.height)
        self._top.update_idletasks()
        height = min(self._card.winfo_reqheight() + 2, int(area.height * 0.8))
        x = area.x + (area.width - width) // 2
        y = area.y + area.height // 6
        self._top.geometry(f"{width}x{height}+{x}+{y}")


def breaking(work: Callable[[], object]) -> Callable[[Any], str]:
    """For a key of ours, which Tk does nothing else with."""

    def pressed(_event: object) -> str:
        work()
        return "break"

    return pressed


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
