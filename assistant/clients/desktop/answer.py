"""An answer in a Tk text widget: Markdown that grows, drawn block by block, as high as it needs to be."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Any

from assistant.clients.desktop.markdown import LINK, Block, Stream
from assistant.clients.desktop.theme import Palette


class Answer:
    """The widget packs itself into `parent`. `follow` opens a link; `say` shows where it leads."""

    def __init__(
        self,
        parent: tk.Misc,
        colours: Palette,
        family: str,
        fixed: str,
        follow: Callable[[str], object],
        say: Callable[[str], object],
    ) -> None:
        self._colours = colours
        self._follow = follow
        self._say = say
        self._stream = Stream()
        self._marks: list[str] = []
        """Where each block begins."""
        self._most = 400
        self.text = tk.Text(
            parent, height=1, width=10, wrap="word", relief="flat", borderwidth=0, padx=18, pady=10,
            highlightthickness=0, font=(family, 12), spacing1=1, spacing3=3, state="disabled",
            background=colours.back, foreground=colours.text, cursor="xterm",
            selectbackground=colours.selected, selectforeground=colours.text, takefocus=True,
        )  # fmt: skip
        self.text.pack(fill="both", expand=True)
        self._tags(family, fixed)

    def clear(self) -> None:
        """Nothing."""
        self._stream = Stream()
        self._write(0, [])
        self.text.configure(height=1)

    def add(self, piece: str) -> None:
        """More Markdown. Who has scrolled up stays there."""
        following = float(self.text.yview()[1]) >= 0.999
        kept, blocks = self._stream.add(piece)
        self._write(kept, blocks)
        self._fit()
        if following:
            self.text.see("end")

    def limit(self, height: int) -> None:
        """It is at most so many pixels high."""
        if height != self._most:
            self._most = height
            self._fit()

    def _write(self, kept: int, blocks: list[Block]) -> None:
        text = self.text
        text.configure(state="normal")
        if kept < len(self._marks):
            text.delete(self._marks[kept], "end-1c")  # to "end" takes the line break before it too
            for mark in self._marks[kept:]:
                text.mark_unset(mark)
            del self._marks[kept:]
        for block in blocks:
            mark = f"block{len(self._marks)}"
            text.mark_set(mark, "end-1c")
            text.mark_gravity(mark, "left")
            if self._marks:
                text.insert("end", "\n", ("gap",))
            self._marks.append(mark)
            for span in block.spans:
                text.insert("end", span.text, self._drawn(span.tags))
        text.configure(state="disabled")

    def _drawn(self, tags: tuple[str, ...]) -> tuple[str, ...]:
        for tag in tags:
            if tag.startswith(LINK) and tag not in self.text.tag_names():
                self._link(tag)
        return (*tags, "link") if any(tag.startswith(LINK) for tag in tags) else tags

    def _link(self, tag: str) -> None:
        address = tag.removeprefix(LINK)
        self.text.tag_bind(tag, "<Enter>", lambda event: self._over(address))
        self.text.tag_bind(tag, "<Leave>", lambda event: self._over(""))
        self.text.tag_bind(tag, "<Button-1>", lambda event: self._follow(address))

    def _over(self, address: str) -> None:
        self.text.configure(cursor="hand2" if address else "xterm")
        self._say(address)

    def _fit(self) -> None:
        """As high as its text; lines differ in height, so it is measured in pixels."""
        self.text.update_idletasks()
        counted: Any = self.text.count("1.0", "end", "ypixels")
        pixels = counted[0] if isinstance(counted, tuple) else int(counted or 0)
        line = max(1, self.text.tk.call("font", "metrics", self.text.cget("font"), "-linespace"))
        shown = min(pixels, self._most)
        self.text.configure(height=max(1, -(-shown // (line + 4))))

    def _tags(self, family: str, fixed: str) -> None:
        text, colours = self.text, self._colours
        text.tag_configure("bold", font=(family, 12, "bold"))
        text.tag_configure("italic", font=(family, 12, "italic"))
        text.tag_configure("struck", overstrike=True)
        text.tag_configure("mono", font=(fixed, 11), background=colours.code)
        text.tag_configure(
            "code", font=(fixed, 11), background=colours.code, lmargin1=10, lmargin2=10, wrap="char",
            lmargincolor=colours.back,
        )  # fmt: skip
        text.tag_configure("faint", foreground=colours.faint)
        text.tag_configure("quote", foreground=colours.faint, lmargin1=14, lmargin2=14)
        text.tag_configure("gap", font=(family, 5))
        text.tag_configure("link", foreground=colours.accent, underline=True)
        for level, size in ((1, 17), (2, 15), (3, 13)):
            text.tag_configure(f"h{level}", font=(family, size, "bold"), spacing1=4)
        for depth in range(1, 5):
            text.tag_configure(f"indent{depth}", lmargin1=18 * depth - 10, lmargin2=18 * depth + 6)
        text.tag_raise("sel")
