"""The quick-ask window itself, in Tk: made once and kept hidden, so that showing it takes milliseconds."""

from __future__ import annotations

import tkinter as tk
import webbrowser
from collections.abc import Callable
from typing import Any, Protocol

from assistant.clients.desktop import card
from assistant.clients.desktop.answer import Answer
from assistant.clients.desktop.chips import Chip
from assistant.clients.desktop.theme import Palette

PAUSE_MS = 300
"""Without a keystroke, until what is typed goes ahead."""
QUESTION_LINES = 6
_HINT = "Ask Nestor…"


class Keys(Protocol):
    """What the window's keys and buttons do: QuickAsk."""

    def ask(self) -> Any: ...
    def close(self) -> Any: ...
    def stop(self) -> Any: ...
    def fresh(self) -> Any: ...
    def copy(self) -> Any: ...
    def insert(self) -> Any: ...
    def to_phone(self) -> Any: ...
    def older(self) -> Any: ...
    def newer(self) -> Any: ...
    def paused(self) -> Any: ...
    def attach(self, chip: Chip) -> Any: ...
    def attach_first(self) -> Any: ...


class Window(card.Card):
    """See `View` of quick_ask.py. `keys` is set before it is shown."""

    keys: Keys

    def __init__(self, root: tk.Tk, colours: Palette) -> None:
        super().__init__(root, colours, "Nestor")
        self._typing: str | None = None
        self._build()
        self._made()
        self._bind()

    # --- View ----------------------------------------------------------------------------

    def question(self) -> str:
        """What is typed."""
        return str(self._question.get("1.0", "end-1c"))

    def set_question(self, text: str, *, select: bool = False) -> None:
        """Put this there instead."""
        self._question.delete("1.0", "end")
        self._question.insert("1.0", text)
        self._question.mark_set("insert", "end-1c")
        if select:
            self._question.tag_add("sel", "1.0", "end-1c")
        self._typed()

    def offer(self, offered: list[Chip], attached: Chip | None) -> None:
        """Show what can be attached, and what is."""
        for child in self._chips.winfo_children():
            child.destroy()
        for chip in offered:
            on = chip == attached
            button = self._button(
                self._chips, f"{'✓' if on else '+'} {chip.label}", self._attaching(chip), strong=on
            )
            button.pack(side="left", padx=(0, 6))
        self._chips.pack(**self._chips_at) if offered else self._chips.pack_forget()
        self._fit()

    def begin(self, question: str) -> None:
        """An empty answer to this."""
        self._asked.configure(text=question)
        self._answer.clear()
        self._body.pack(fill="both", expand=True, after=self._chips_anchor)
        self._fit()

    def add(self, text: str) -> None:
        """More of the answer."""
        self._answer.add(text)
        self._fit()

    def clear(self) -> None:
        """No answer."""
        self._answer.clear()
        self._body.pack_forget()
        self._fit()

    def busy(self, running: bool) -> None:
        """Whether an answer is being written."""
        self._stop.pack(side="right", padx=(6, 0)) if running else self._stop.pack_forget()

    # --- building it ---------------------------------------------------------------------

    def _build(self) -> None:
        colours = self._colours
        self._question = tk.Text(
            self._card, height=1, width=10, wrap="word", undo=True, relief="flat", borderwidth=0,
            highlightthickness=0, padx=18, pady=16, font=(self._family, 15), spacing3=2,
            background=colours.back, foreground=colours.text, insertbackground=colours.accent,
            insertwidth=2, selectbackground=colours.selected, selectforeground=colours.text,
        )  # fmt: skip
        self._question.pack(fill="x")
        self._first = self._question
        self._hint = tk.Label(
            self._question, text=_HINT, font=(self._family, 15), background=colours.back,
            foreground=colours.faint, cursor="xterm",
        )  # fmt: skip
        anchor = tk.Frame(self._card, background=colours.line, height=1)
        anchor.pack(fill="x")
        self._chips_anchor = anchor
        self._chips = tk.Frame(self._card, background=colours.back)
        self._chips_at: dict[str, Any] = {
            "fill": "x", "padx": 18, "pady": (0, 12), "before": anchor,
        }  # fmt: skip
        self._body = tk.Frame(self._card, background=colours.back)
        self._asked = tk.Label(
            self._body, anchor="w", justify="left", wraplength=card.WIDTH - 40, padx=18,
            font=(self._family, 11), background=colours.back, foreground=colours.faint,
        )  # fmt: skip
        self._asked.pack(fill="x", pady=(12, 0))
        self._answer = Answer(
            self._body, colours, self._family, card.fixed(self._root), self._follow, self.say
        )
        actions = self._foot(beside=330)
        for text, name in (
            ("Copy", "copy"), ("Insert", "insert"), ("To phone", "to_phone"), ("New", "fresh"),
        ):  # fmt: skip
            self._button(actions, text, self._doing(name)).pack(side="left", padx=(6, 0))
        self._stop = self._button(actions, "Stop", self._doing("stop"), strong=True)

    def _bind(self) -> None:
        keys: dict[str, str] = {
            "<Escape>": "close", "<Control-period>": "stop", "<Control-n>": "fresh",
            "<Control-Shift-C>": "copy", "<Control-Return>": "insert", "<Control-p>": "to_phone",
            "<Alt-a>": "attach_first",
        }  # fmt: skip
        for key, name in keys.items():
            self._top.bind(key, self._breaking(name))
        question = self._question
        question.bind("<Return>", self._breaking("ask"))
        question.bind("<KP_Enter>", self._breaking("ask"))
        question.bind("<Shift-Return>", lambda event: None)
        question.bind("<Control-Return>", self._breaking("insert"))
        question.bind("<Control-n>", self._breaking("fresh"))  # Tk: the next line
        question.bind("<Control-p>", self._breaking("to_phone"))  # Tk: the line before
        question.bind("<Up>", self._up)
        question.bind("<Down>", self._down)
        question.bind("<Tab>", self._next)
        question.bind("<Prior>", lambda event: self._scroll(-1))
        question.bind("<Next>", lambda event: self._scroll(1))
        question.bind("<<Modified>>", self._modified)
        self._hint.bind("<Button-1>", lambda event: question.focus_set())

    def _doing(self, name: str) -> Callable[[], object]:
        return lambda: getattr(self.keys, name)()

    def _attaching(self, chip: Chip) -> Callable[[], object]:
        return lambda: self.keys.attach(chip)

    def _breaking(self, name: str) -> Callable[[Any], str]:
        return card.breaking(self._doing(name))

    # --- typing --------------------------------------------------------------------------

    def _up(self, _event: object) -> str | None:
        if self._question.index("insert").startswith("1."):
            self.keys.older()
            return "break"
        return None

    def _down(self, _event: object) -> str | None:
        last = str(self._question.index("end-1c")).partition(".")[0]
        if str(self._question.index("insert")).partition(".")[0] == last:
            self.keys.newer()
            return "break"
        return None

    def _next(self, event: Any) -> str:
        event.widget.tk_focusNext().focus_set()
        return "break"

    def _scroll(self, pages: int) -> str:
        self._answer.text.yview_scroll(pages, "pages")
        return "break"

    def _modified(self, _event: object) -> None:
        if self._question.edit_modified():
            self._question.edit_modified(False)
            self._typed()

    def _typed(self) -> None:
        if self.question():
            self._hint.place_forget()
        else:
            self._hint.place(x=-2, y=-2)
        self._fit()
        if self._typing is not None:
            self._root.after_cancel(self._typing)
        self._typing = self._root.after(PAUSE_MS, self._paused)

    def _paused(self) -> None:
        self._typing = None
        if self.visible and self.question().strip():
            self.keys.paused()

    def _follow(self, address: str) -> None:
        webbrowser.open(address)

    def _limit(self, screen_height: int) -> None:
        self._answer.limit(int(screen_height * 0.5))
        counted = self._question.count("1.0", "end", "displaylines")
        lines = counted[0] if isinstance(counted, tuple) else int(counted or 1)
        wanted = max(1, min(lines, QUESTION_LINES))
        if int(self._question.cget("height")) != wanted:
            self._question.configure(height=wanted)
