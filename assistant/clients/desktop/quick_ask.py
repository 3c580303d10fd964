"""The quick-ask window's sense: what each key does, and what is shown when. No Tk here, and no waiting.

Everything runs in the window's thread; what takes time is done by `Asking` and by threads of `work`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from assistant.clients.desktop import chips
from assistant.clients.desktop.asking import Answering, Asking, Post
from assistant.clients.desktop.chips import Chip
from assistant.clients.desktop.questions import Questions
from assistant.clients.desktop.theme import Tone
from assistant.clients.desktop.underneath import Place
from assistant.errors import AssistantError, EmptyText, TurnRunning, Unreachable

RESUME_S = 600.0
"""A window that opens again within this time goes on where it was; later it begins anew."""


class View(Protocol):
    """The window. All of it is called in the window's thread."""

    @property
    def visible(self) -> bool:
        """Whether it is shown."""
        ...

    def show(self, place: Place) -> None:
        """Appear there, with the focus in the question."""

    def hide(self) -> None:
        """Vanish."""

    def question(self) -> str:
        """What is typed."""
        ...

    def set_question(self, text: str, *, select: bool = False) -> None:
        """Put this there instead."""

    def offer(self, offered: list[Chip], attached: Chip | None) -> None:
        """Show what can be attached, and what is."""

    def begin(self, question: str) -> None:
        """An empty answer to this."""

    def add(self, text: str) -> None:
        """More of the answer."""

    def clear(self) -> None:
        """No answer."""

    def busy(self, running: bool) -> None:
        """Whether an answer is being written."""

    def say(self, text: str, tone: Tone = "quiet") -> None:
        """One line below everything."""

    def copy(self, text: str) -> None:
        """Put it in the clipboard."""


class QuickAsk:
    """See the module.

    `look` finds what is underneath; `insert(text, window)` writes into a window, and `offered(window)` reads
    what can be attached: both take time and run in threads.
    """

    def __init__(
        self,
        view: View,
        asking: Asking,
        post: Post,
        look: Callable[[], Place],
        insert: Callable[[str, int], None],
        offered: Callable[[int], list[Chip]] = lambda window: [],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._view = view
        self._asking = asking
        self._post = post
        self._look = look
        self._insert = insert
        self._offered = offered
        self._clock = clock
        self._questions = Questions()
        self._place: Place | None = None
        self._chips: list[Chip] = []
        self._attached: Chip | None = None
        self._conversation: str | None = None
        self._asked = ""
        self._answer = ""
        self._round: _Round | None = None
        self._closed_at = -RESUME_S
        self._opening = 0
        asking.earlier(self._questions.load)

    # --- opening and closing -------------------------------------------------------------

    def open(self) -> None:
        """Show the window where the user is; what may be asked is made ready meanwhile."""
        if self._view.visible:
            self._view.show(self._place or self._look())
            return
        self._place = place = self._look()
        if not self._running and self._clock() - self._closed_at >= RESUME_S:
            self._fresh()
        self._chips, self._attached = [], None
        self._view.offer([], None)
        self._view.set_question(self._view.question(), select=True)
        self._view.show(place)
        self._opening += 1
        self._asking.warm(self._conversation, self._view.question())
        self._apart(self._read_offered, place.window, self._opening)

    def close(self) -> None:
        """Hide it. An answer that is being written goes on."""
        if self._view.visible:
            self._view.hide()
            self._closed_at = self._clock()

    def toggle(self) -> None:
        """Open it, or close it."""
        (self.close if self._view.visible else self.open)()

    def fresh(self) -> None:
        """Begin a new conversation."""
        if self._running:
            self._asking.stop()
        self._fresh()
        self._view.set_question("")
        self._asking.warm(None, "")

    def _fresh(self) -> None:
        self._conversation, self._answer, self._asked = None, "", ""
        self._round = None
        self._view.clear()
        self._view.busy(False)
        self._view.say("")

    # --- asking --------------------------------------------------------------------------

    def paused(self) -> None:
        """Typing paused: what is typed goes ahead."""
        if not self._running:
            self._asking.warm(self._conversation, self._view.question())

    def ask(self) -> None:
        """Ask what is typed."""
        question = self._view.question().strip()
        if not question:
            return self._view.say(EmptyText().message, "quiet")
        if self._running:
            return self._view.say(TurnRunning().message)
        chip, self._attached = self._attached, None
        self._questions.asked(question)
        self._asked, self._answer = question, ""
        self._round = told = _Round(self)
        self._view.set_question("")
        self._view.offer(self._chips, None)
        self._view.begin(question)
        self._view.busy(True)
        self._view.say("Thinking…")
        text = chips.with_question(question, chip)
        # Another program's words: nothing is to be learnt from them.
        more = {"learn": "off"} if chip else {}
        return self._asking.ask(self._conversation, text, told, **more)

    def stop(self) -> None:
        """Stop the answer."""
        if self._running:
            self._asking.stop()

    def older(self) -> None:
        """The question before."""
        if (found := self._questions.older(self._view.question())) is not None:
            self._view.set_question(found)

    def newer(self) -> None:
        """The question after."""
        if (found := self._questions.newer()) is not None:
            self._view.set_question(found)

    # --- what is attached ----------------------------------------------------------------

    def attach(self, chip: Chip) -> None:
        """Attach it, or take it off."""
        self._attached = None if self._attached == chip else chip
        self._view.offer(self._chips, self._attached)

    def attach_first(self) -> None:
        """The same with the first that is offered."""
        if self._chips:
            self.attach(self._chips[0])

    def _read_offered(self, window: int, opening: int) -> None:
        found = self._offered(window)
        if found:
            self._post(lambda: self._show_offered(found, opening))

    def _show_offered(self, found: list[Chip], opening: int) -> None:
        if opening == self._opening and self._view.visible:
            self._chips = found
            self._view.offer(found, self._attached)

    # --- what is done with an answer -----------------------------------------------------

    def copy(self) -> None:
        """Copy the answer."""
        if self._answer:
            self._view.copy(self._answer.strip())
            self._view.say("Copied.", "good")

    def insert(self) -> None:
        """Write the answer into the window underneath, and close."""
        text = self._answer.strip()
        if not text or self._running:
            return self._view.say("There is no whole answer to insert yet.")
        if self._place is None or not self._place.window:
            return self._view.say(
                "It is not known which window is underneath. Copy the answer instead.", "bad"
            )
        self.close()
        return self._apart(self._write, text, self._place.window)

    def _write(self, text: str, window: int) -> None:
        try:
            self._insert(text, window)
        except AssistantError as exc:
            problem = exc
            self._post(lambda: self._not_written(problem))

    def _not_written(self, problem: AssistantError) -> None:
        self.open()
        self._view.say(f"{problem.message} {problem.hint}", "bad")

    def to_phone(self) -> None:
        """Go on on the phone."""
        self._view.say("Sending it to your phone…")
        self._asking.to_phone(self._conversation, self._view.question(), self._on_phone)

    def _on_phone(self, problem: AssistantError | None) -> None:
        if problem is not None:
            return self._view.say(f"{problem.message} {problem.hint}", "bad")
        return self._view.say("Your phone offers to go on with it.", "good")

    # --- how an answer goes on -----------------------------------------------------------

    @property
    def _running(self) -> bool:
        return self._round is not None

    def began(self, conversation: str) -> None:
        """The question is on disk."""
        self._conversation = conversation

    def more(self, text: str) -> None:
        """A piece of the answer."""
        if not self._answer:
            self._view.say("")
        self._answer += text
        self._view.add(text)

    def finished(self, receipt: dict[str, Any]) -> None:
        """The answer is complete."""
        self._end()
        self._view.say(account(receipt))

    def failed(self, error: AssistantError) -> None:
        """It is not. A question that was not answered at all is there to be asked again."""
        self._end()
        if not self._answer and not self._view.question().strip():
            self._view.set_question(self._asked, select=True)
        lost = isinstance(error, Unreachable) and bool(self._answer)
        more = "What came so far is kept in the chat." if lost else error.hint
        self._view.say(f"{error.message} {more}", "bad")

    def say(self, text: str) -> None:
        """One line, for now."""
        self._view.say(text)

    def current(self, one: _Round) -> bool:
        """Whether this is the answer that is shown."""
        return self._round is one

    def _end(self) -> None:
        self._round = None
        self._closed_at = self._clock()
        self._view.busy(False)

    def _apart(self, work: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=work, args=arguments, name="quick-ask", daemon=True).start()


class _Round(Answering):
    """One question and its answer; what comes after the user has left it for a new one is not shown."""

    def __init__(self, quick_ask: QuickAsk) -> None:
        self._to = quick_ask

    def starting(self) -> None:
        if self._to.current(self):
            self._to.say("Starting Nestor…")

    def began(self, conversation: str) -> None:
        if self._to.current(self):
            self._to.began(conversation)

    def more(self, text: str) -> None:
        if self._to.current(self):
            self._to.more(text)

    def finished(self, receipt: dict[str, Any]) -> None:
        if self._to.current(self):
            self._to.finished(receipt)

    def failed(self, error: AssistantError) -> None:
        if self._to.current(self):
            self._to.failed(error)


def account(receipt: dict[str, Any]) -> str:
    """A receipt in one line."""
    if not receipt:
        return ""
    memories = len(receipt.get("memories", []))
    used = f"{memories} {'memory' if memories == 1 else 'memories'} used" if memories else ""
    left = receipt.get("left_machine")
    where = f"left this machine: {left or 'nothing'}"
    return " · ".join(part for part in (str(receipt.get("model", "")), used, where) if part)
