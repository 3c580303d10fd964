"""A text and its changes in Tk, as it is written: what goes is struck out, what comes is marked."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from typing import Any

from assistant.clients.desktop.rewriting import Change
from assistant.clients.desktop.theme import Palette

_PENDING = "pending"
"""Where what is not settled yet begins."""


class Preview:
    """The widget packs itself into `parent`."""

    def __init__(self, parent: tk.Misc, colours: Palette, family: str) -> None:
        self._most = 300
        self.text = text = tk.Text(
            parent, height=1, width=10, wrap="word", relief="flat", borderwidth=0, padx=18, pady=10,
            highlightthickness=0, font=(family, 12), spacing1=1, spacing3=3, state="disabled",
            background=colours.back, foreground=colours.text, cursor="xterm",
            selectbackground=colours.selected, selectforeground=colours.text, takefocus=True,
        )  # fmt: skip
        text.pack(fill="both", expand=True)
        text.tag_configure("delete", foreground=colours.bad, overstrike=True)
        text.tag_configure("insert", background=colours.selected)
        text.tag_configure("raw", foreground=colours.faint)
        text.tag_raise("sel")
        text.mark_set(_PENDING, "1.0")
        text.mark_gravity(_PENDING, "left")

    def show(self, changes: Sequence[Change]) -> None:
        """These, in place of everything."""
        self._from("1.0", changes)

    def add(self, piece: str) -> None:
        """More of what is not settled yet."""
        self._write(piece, "raw")
        self.fit()
        self.text.see("end")

    def settle(self, changes: Sequence[Change]) -> None:
        """These, in place of what is not settled yet."""
        self._from(_PENDING, changes)
        self.text.see("end")

    def limit(self, height: int) -> None:
        """It is at most so many pixels high."""
        if height != self._most:
            self._most = height
            self.fit()

    def fit(self) -> None:
        """As high as its text."""
        self.text.update_idletasks()
        counted: Any = self.text.count("1.0", "end", "ypixels")
        pixels = counted[0] if isinstance(counted, tuple) else int(counted or 0)
        line = max(1, self.text.tk.call("font", "metrics", self.text.cget("font"), "-linespace"))
        self.text.configure(height=max(1, -(-min(pixels, self._most) // (line + 4))))

    def _from(self, place: str, changes: Sequence[Change]) -> None:
        self.text.configure(state="normal")
        self.text.delete(place, "end")
        for change in changes:
            self._write(change.text, change.op)
        self.text.mark_set(_PENDING, "end-1c")
        self.text.configure(state="disabled")
        self.fit()

    def _write(self, text: str, tag: str) -> None:
        self.text.configure(state="normal")
        self.text.insert("end-1c", text, (tag,))
        self.text.configure(state="disabled")
