"""The window of Write For Me, in Tk: made once and kept hidden."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from assistant.clients.desktop import card
from assistant.clients.desktop.preview import Preview
from assistant.clients.desktop.rewriting import Change, Wish
from assistant.clients.desktop.theme import Palette
from assistant.clients.desktop.underneath import Place
from assistant.clients.desktop.write_for_me import Tone

WIDTH = 680
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


class WriteWindow:
    """See `View` of write_for_me.py. `keys` is set before it is shown."""

    keys: Keys

    def __init__(self, root: tk.Tk, colours: Palette) -> None:
        self._root = root
        self._colours = colours
        self._place: Place | None = None
        self._top = tk.Toplevel(root, background=colours.line, class_="Nestor")
        self._top.withdraw()
        self._top.title("Nestor: Write For Me")
        self._top.resizable(False, False)
        self._family = card.family(root)
        self._keep = tk.BooleanVar(root, value=False)
        self._remembered = ""
        self._build()
        card.undecorated(self._top)
        self._bind()

    # --- View ----------------------------------------------------------------------------

    @property
    def visible(self) -> bool:
        """Whether it is shown."""
        return str(self._top.state()) == "normal"

    def show(self, place: Place) -> None:
        """Appear there, with the focus in the instruction."""
        self._place = place
        self._fit()
        self._top.deiconify()
        self._top.lift()
        self._top.focus_force()
        self._instruction.focus_set()
        self._top.update_idletasks()

    def hide(self) -> None:
        """Vanish."""
        self._top.withdraw()

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
        self._remembered = tone
        self._tone.configure(text=f"Tone: {tone}" if tone else "Tone")

    def say(self, text: str, tone: Tone = "quiet") -> None:
        """One line below everything."""
        colours = {"quiet": self._colours.faint, "good": self._colours.accent}
        self._status.configure(text=text, foreground=colours.get(tone, self._colours.bad))
        self._fit()

    def copy(self, text: str) -> None:
        """Put it in the clipboard."""
        self._root.clipboard_clear()
        self._root.clipboard_append(text)

    # --- building it ---------------------------------------------------------------------

    def _build(self) -> None:
        colours = self._colours
        self._card = card.frame(self._top, colours)
        self._instruction = tk.Entry(
            self._card, relief="flat", borderwidth=0, highlightthickness=0,
            font=(self._family, 15), background=colours.back, foreground=colours.text,
            insertbackground=colours.accent, insertwidth=2, selectbackground=colours.selected,
            selectforeground=colours.text,
        )  # fmt: skip
        self._instruction.pack(fill="x", padx=18, pady=(16, 10))
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
        self._foot()

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

    def _foot(self) -> None:
        colours = self._colours
        foot = tk.Frame(self._card, background=colours.field)
        foot.pack(fill="x", side="bottom")
        actions = tk.Frame(foot, background=colours.field)
        actions.pack(side="right", padx=12, pady=8)
        self._status = tk.Label(
            foot, anchor="w", justify="left", wraplength=WIDTH - 290, font=(self._family, 10),
            background=colours.field, foreground=colours.faint,
        )  # fmt: skip
        self._status.pack(side="left", padx=(18, 8), pady=8, fill="x", expand=True)
        self._copy = self._button(actions, "Copy", lambda: self.keys.copy())
        self._again = self._button(actions, "Again", lambda: self.keys.again())
        self._accept = self._button(actions, "Accept", lambda: self.keys.accept(), strong=True)
        for button in (self._copy, self._again, self._accept):
            button.pack(side="left", padx=(6, 0))
        self._stop = self._button(actions, "Stop", lambda: self.keys.stop(), strong=True)

    def _button(
        self, parent: tk.Misc, text: str, command: Callable[[], object], *, strong: bool = False
    ) -> tk.Button:
        return card.button(parent, self._colours, self._family, text, command, strong=strong)

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
            self._top.bind(name, _breaking(work))
        for name in ("<Return>", "<KP_Enter>"):
            self._instruction.bind(
                name, _breaking(lambda: self.keys.enter(self._instruction.get()))
            )
        self._instruction.bind("<KeyRelease>", lambda event: self._typed())
        self._hint.bind("<Button-1>", lambda event: self._instruction.focus_set())

    def _typed(self) -> None:
        if self._instruction.get():
            self._hint.place_forget()
        else:
            self._hint.place(x=1, y=0)

    # --- its size and place --------------------------------------------------------------

    def _fit(self) -> None:
        """As high as what it shows; in the upper part of the screen."""
        if self._place is None:
            return
        area = self._place.area
        width = min(WIDTH, area.width)
        self._preview.limit(int(area.height * 0.45))
        self._top.update_idletasks()
        height = min(self._card.winfo_reqheight() + 2, int(area.height * 0.8))
        x = area.x + (area.width - width) // 2
        y = area.y + area.height // 6
        self._top.geometry(f"{width}x{height}+{x}+{y}")


def _breaking(work: Callable[[], object]) -> Callable[[Any], str]:
    """A key of ours, which Tk does nothing else with."""

    def pressed(_event: object) -> str:
        work()
        return "break"

    return pressed
