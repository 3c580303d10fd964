"""Write For Me's sense: what each key does, and what is shown when. No Tk here, and no waiting.

Everything runs in the window's thread; what takes time is done by `Rewriting` and by threads of its own.
The other program's text is changed in one place alone, `accept`, which only the user calls.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from assistant.clients.desktop.rewriting import Change, Post, Result, Rewriting, Told, Wish
from assistant.clients.desktop.selection import Selection
from assistant.clients.desktop.theme import Tone
from assistant.clients.desktop.underneath import Place
from assistant.errors import AssistantError, Internal

_CHOICE = "Enter puts it in place; Esc leaves your text as it was."


class View(Protocol):
    """The window. All of it is called in the window's thread."""

    @property
    def visible(self) -> bool:
        """Whether it is shown."""
        ...

    def show(self, place: Place) -> None:
        """Appear there, with the focus in the instruction."""

    def hide(self) -> None:
        """Vanish."""

    def begin(self, text: str, app: str) -> None:
        """The text that is worked on, as it is; no result."""

    def wait(self) -> None:
        """A result is being written: nothing of it yet."""

    def add(self, text: str) -> None:
        """More of what the model writes."""

    def passage(self, changes: Sequence[Change]) -> None:
        """What stands, in place of what was added since the last one."""

    def result(self, changes: Sequence[Change]) -> None:
        """All of it, in place of everything."""

    def state(self, *, running: bool, ready: bool) -> None:
        """Whether a result is being written, and whether there is one to accept."""

    def remember(self, tone: str) -> None:
        """The tone that is remembered; empty: none."""

    def say(self, text: str, tone: Tone = "quiet") -> None:
        """One line below everything."""

    def copy(self, text: str) -> None:
        """Put it in the clipboard."""


class WriteForMe:
    """See the module.

    `look` finds what is underneath; `read()` finds the text and `replace(old, new, window)` writes it: both
    take time and run in threads.
    """

    def __init__(
        self,
        view: View,
        rewriting: Rewriting,
        post: Post,
        look: Callable[[], Place],
        read: Callable[[], Selection],
        replace: Callable[[str, str, int], None],
    ) -> None:
        self._view = view
        self._rewriting = rewriting
        self._post = post
        self._look = look
        self._read = read
        self._replace = replace
        self._place: Place | None = None
        self._source: Selection | None = None
        self._result: Result | None = None
        self._wish: Wish | None = None
        self._running = False
        self._busy = False
        """The text is being read, or written."""

    # --- opening and closing -------------------------------------------------------------

    def open(self) -> None:
        """Read the text underneath, then show the window."""
        if self._view.visible or self._busy:
            return
        self._busy = True
        self._place = self._look()
        self._apart(self._reading)

    def close(self) -> None:
        """Hide it; nothing was changed. What is being written is stopped."""
        if self._view.visible:
            self.stop()
            self._view.hide()

    def toggle(self) -> None:
        """Open it, or close it."""
        (self.close if self._view.visible else self.open)()

    def _reading(self) -> None:
        try:
            found = self._read()
        except AssistantError as exc:
            problem = exc
            self._post(lambda: self._opened(None, problem))
        except Exception:  # noqa: BLE001 - a window that vanished in between, or a fault of ours
            self._post(lambda: self._opened(None, Internal()))
        else:
            self._post(lambda: self._opened(found, None))

    def _opened(self, found: Selection | None, problem: AssistantError | None) -> None:
        self._busy = False
        self._source, self._result, self._wish = found, None, None
        self._view.begin(found.text if found else "", found.window.app if found else "")
        self._stand()
        if problem is not None:
            self._view.say(f"{problem.message} {problem.hint}", "bad")
        else:
            self._view.say("Choose, or type what to do and press Enter.")
            self._rewriting.tone(self._view.remember)
        if self._place is not None:
            self._view.show(self._place)

    # --- writing -------------------------------------------------------------------------

    def write(self, wish: Wish) -> None:
        """Do this with the text; what was being done is stopped."""
        if self._source is None:
            return
        self._wish, self._result, self._running = wish, None, True
        self._view.wait()
        self._stand()
        self._view.say("Reading your text…")
        self._rewriting.write(self._source.text, wish, _Round(self))
        if wish.remember_tone:
            self._view.remember(wish.tone)

    def enter(self, instruction: str) -> None:
        """The key Enter: do what is typed; with nothing typed, accept."""
        if instruction.strip():
            self.write(Wish("instruct", instruction=instruction.strip()))
        else:
            self.accept()

    def again(self) -> None:
        """Once more, as after a failure."""
        if self._wish is not None:
            self.write(msgspec.structs.replace(self._wish, remember_tone=False))

    def stop(self) -> None:
        """Stop what is being written."""
        if self._running:
            self._rewriting.stop()
            self._running = False
            self._stand()
            self._view.say("Stopped. Your text is as it was.")

    def forget_tone(self) -> None:
        """Remember no tone any more."""
        self._rewriting.forget_tone()
        self._view.remember("")

    # --- what is done with the result ----------------------------------------------------

    def copy(self) -> None:
        """Copy the result."""
        if self._result is not None:
            self._view.copy(self._result.text)
            self._view.say("Copied.", "good")

    def accept(self) -> None:
        """Put the result in place of the text, and close."""
        source, result = self._source, self._result
        if source is None or result is None or self._busy:
            return
        if result.text == source.text:
            self._view.say("Nothing would change.")
            return
        self._busy = True
        self._view.hide()
        self._apart(self._writing, source, result.text)

    def _writing(self, source: Selection, text: str) -> None:
        try:
            self._replace(source.text, text, source.window.id)
        except AssistantError as exc:
            problem = exc
            self._post(lambda: self._not_written(problem))
        except Exception:  # noqa: BLE001 - the window vanished, or a fault of ours: the result is kept
            self._post(lambda: self._not_written(Internal()))
        else:
            self._post(self._written)

    def _written(self) -> None:
        self._busy = False
        self._source = self._result = None

    def _not_written(self, problem: AssistantError) -> None:
        self._busy = False
        if self._place is not None:
            self._view.show(self._place)
        self._view.say(f"{problem.message} {problem.hint}", "bad")

    # --- how it goes on ------------------------------------------------------------------

    def more(self, text: str) -> None:
        """A piece of what the model writes."""
        self._view.say("Writing…")
        self._view.add(text)

    def passage(self, changes: Sequence[Change]) -> None:
        """What stands of a passage."""
        self._view.passage(changes)

    def finished(self, result: Result) -> None:
        """All of it."""
        self._result, self._running = result, False
        self._view.result(result.changes)
        self._stand()
        said = " ".join((*result.remarks, _CHOICE))
        self._view.say(said, "bad" if result.remarks else "quiet")

    def failed(self, error: AssistantError) -> None:
        """It did not come to that; the text is as it was."""
        self._running = False
        self._stand()
        self._view.say(f"{error.message} {error.hint} Your text is as it was.", "bad")

    def say(self, text: str) -> None:
        """One line, for now."""
        self._view.say(text)

    def _stand(self) -> None:
        self._view.state(running=self._running, ready=self._result is not None)

    def _apart(self, work: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=work, args=arguments, name="write-for-me", daemon=True).start()


class _Round(Told):
    """One wish and its result."""

    def __init__(self, to: WriteForMe) -> None:
        self._to = to

    def starting(self) -> None:
        self._to.say("Starting Nestor…")

    def more(self, text: str) -> None:
        self._to.more(text)

    def passage(self, changes: Sequence[Change]) -> None:
        self._to.passage(changes)

    def finished(self, result: Result) -> None:
        self._to.finished(result)

    def failed(self, error: AssistantError) -> None:
        self._to.failed(error)
