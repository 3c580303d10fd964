"""The window of Write For Me, in Tk: made once and kept hidden."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from assistant.clients.desktop import card
from assistant.clients.desktop.preview import Preview
from assistant.clients.desktop.rewriting import Change, Wish
from assistant.clients.desktop.theme import Palette

_HINT = "Choose below, or say what to do…"
OPERATIONS = (
    ("Rewrite", "rewrite", "r"),
    ("Shorten", "shorten", "s"),
    ("Fix", "fix", "f"),
    ("Reply", "reply", "y"),
)
"""What is written on the button, what it does, and its key with Alt."""
LANGUAGES = (
    ("English", "en"), ("French", "fr"), ("German", "de"), ("Spanish", "es"), ("Italian", "it"),
    ("Portuguese", "pt"), ("Dutch", "nl"), ("Polish", "pl"), ("Ukrainian", "uk"), ("Chinese", "zh"),
    ("Japanese", "ja"),
)  # fmt: skip
TONES = ("friendly", "formal", "confident", "casual", "diplomatic")


class Keys(Protocol):
    """What the window's keys and buttons do: WriteForMe."""

    def write(self, wish: Wish) -> Any: ...
    def enter(self, instruction: str) -> Any: ...
    def accept(self) -> Any: ...
    def again(self) -> Any: ...
    def stop(self) -> Any: ...
    def copy(self) -> Any: ...
    def close(self) -> Any: ...
    def forget_tone(self) -> Any: ...


class WriteWindow(card.Card):
    """See `View` of write_for_me.py. `keys` is set before it is shown."""

    keys: Keys

    def __init__(self, root: tk.Tk, colours: Palette) -> None:
        super().__init__(root, colours, "Nestor: Write For Me")
        self._keep = tk.BooleanVar(root, value=False)
        self._build()
        self._made()
        self._bind()

    # --- View ----------------------------------------------------------------------------

    def begin(self, text: str, app: str) -> None:
        """The text that is worked on, as it is; no result."""
        self._instruction.delete(0, "end")
        self._typed()
        self._whose.configure(text=f"From {app}" if app else "")
        self._preview.show([Change("keep", text)] if text else [])
        self._fit()

    def wait(self) -> None:
        """A result is being written: nothing of it yet."""
        self._instruction.delete(0, "end")
        self._typed()
        self._preview.show([])
        self._fit()

    def add(self, text: str) -> None:
        """More of what the model writes."""
        self._preview.add(text)
        self._fit()

    def passage(self, changes: Sequence[Change]) -> None:
        """What stands, in place of what was added since the last one."""
        self._preview.settle(changes)
        self._fit()

    def result(self, changes: Sequence[Change]) -> None:
        """All of it, in place of everything."""
        self._preview.show(changes)
        self._fit()

    def state(self, *, running: bool, ready: bool) -> None:
        """Whether a result is being written, and whether there is one to accept."""
        for button in (self._accept, self._copy):
            button.configure(state="normal" if ready else "disabled")
        self._accept.configure(
            background=self._colours.accent if ready else self._colours.back,
        )
        self._stop.pack(side="left", padx=(6, 0)) if running else self._stop.pack_forget()

    def remember(self, tone: str) -> None:
        """The tone that is remembered; empty: none."""
        self._tone.configure(text=f"Tone: {tone}" if tone else "Tone")

    # --- building it ---------------------------------------------------------------------

    def _build(self) -> None:
        colours = self._colours
        self._instruction = tk.Entry(
            self._card, relief="flat", borderwidth=0, highlightthickness=0,
            font=(self._family, 15), background=colours.back, foreground=colours.text,
            insertbackground=colours.accent, insertwidth=2, selectbackground=colours.selected,
            selectforeground=colours.text,
        )  # fmt: skip
        self._instruction.pack(fill="x", padx=18, pady=(16, 10))
        self._first = self._instruction
        self._hint = tk.Label(
            self._instruction, text=_HINT, font=(self._family, 15), background=colours.back,
            foreground=colours.faint, cursor="xterm", padx=0, pady=0, borderwidth=0,
        )  # fmt: skip
        self._menu()
        tk.Frame(self._card, background=colours.line, height=1).pack(fill="x")
        self._whose = tk.Label(
            self._card, anchor="w", padx=18, font=(self._family, 10), background=colours.back,
            foreground=colours.faint,
        )  # fmt: skip
        self._whose.pack(fill="x", pady=(8, 0))
        self._preview = Preview(self._card, colours, self._family)
        self._actions()

    def _menu(self) -> None:
        row = tk.Frame(self._card, background=self._colours.back)
        row.pack(fill="x", padx=18, pady=(0, 12))
        for label, operation, key in OPERATIONS:
            made = self._button(row, label, self._wishing(Wish(operation)))
            made.configure(underline=label.lower().index(key))
            made.pack(side="left", padx=(0, 6))
        languages = self._list()
        for label, code in LANGUAGES:
            languages.add_command(
                label=label, command=self._wishing(Wish("translate", language=code))
            )
        self._translate = self._button(
            row, "Translate", lambda: self._pop(languages, self._translate)
        )
        tones = self._list()
        for tone in TONES:
            tones.add_command(label=tone.capitalize(), command=self._toning(tone))
        tones.add_separator()
        tones.add_checkbutton(label="Remember the tone", variable=self._keep)
        tones.add_command(label="Forget it", command=lambda: self.keys.forget_tone())
        self._tone = self._button(row, "Tone", lambda: self._pop(tones, self._tone))
        for button in (self._translate, self._tone):
            button.configure(underline=0 if button is self._translate else 1)
            button.pack(side="left", padx=(0, 6))

    def _actions(self) -> None:
        actions = self._foot(beside=290)
        self._copy = self._button(actions, "Copy", lambda: self.keys.copy())
        self._again = self._button(actions, "Again", lambda: self.keys.again())
        self._accept = self._button(actions, "Accept", lambda: self.keys.accept(), strong=True)
        for button in (self._copy, self._again, self._accept):
            button.pack(side="left", padx=(6, 0))
        self._stop = self._button(actions, "Stop", lambda: self.keys.stop(), strong=True)

    def _list(self) -> tk.Menu:
        colours = self._colours
        return tk.Menu(
            self._top, tearoff=False, relief="flat", borderwidth=1, font=(self._family, 11),
            background=colours.back, foreground=colours.text, selectcolor=colours.accent,
            activebackground=colours.selected, activeforeground=colours.text,
        )  # fmt: skip

    def _pop(self, menu: tk.Menu, button: tk.Button) -> None:
        menu.tk_popup(button.winfo_rootx(), button.winfo_rooty() + button.winfo_height())

    def _wishing(self, wish: Wish) -> Callable[[], object]:
        return lambda: self.keys.write(wish)

    def _toning(self, tone: str) -> Callable[[], object]:
        return lambda: self.keys.write(Wish("tone", tone=tone, remember_tone=self._keep.get()))

    # --- keys ----------------------------------------------------------------------------

    def _bind(self) -> None:
        keys: dict[str, Callable[[], object]] = {
            "<Escape>": lambda: self.keys.close(),
            "<Control-period>": lambda: self.keys.stop(),
            "<Control-Shift-C>": lambda: self.keys.copy(),
            "<Control-Return>": lambda: self.keys.accept(),
            "<Alt-t>": lambda: self._translate.invoke(),
            "<Alt-o>": lambda: self._tone.invoke(),
            "<Alt-g>": lambda: self.keys.again(),
        }
        for _label, operation, key in OPERATIONS:
            keys[f"<Alt-{key}>"] = self._wishing(Wish(operation))
        for name, work in keys.items():
            self._top.bind(name, card.breaking(work))
        for name in ("<Return>", "<KP_Enter>"):
            self._instruction.bind(
                name, card.breaking(lambda: self.keys.enter(self._instruction.get()))
            )
        self._instruction.bind("<KeyRelease>", lambda event: self._typed())
        self._hint.bind("<Button-1>", lambda event: self._instruction.focus_set())

    def _typed(self) -> None:
        if self._instruction.get():
            self._hint.place_forget()
        else:
            self._hint.place(x=1, y=0)

    def _limit(self, screen_height: int) -> None:
        self._preview.limit(int(screen_height * 0.45))
