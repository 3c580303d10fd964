"""One generation in the scheduler: its prompt, its sampler, and what it has said so far."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from assistant.engine.text import TextStream
from assistant.errors import AssistantError
from assistant.types import Finished, Piece, Prefilled, Priority, Sampling, Segment

if TYPE_CHECKING:
    from assistant.engine.grammar import Matcher
    from assistant.engine.llama import Prompt, Sampler
    from assistant.engine.lookup import Lookup
    from assistant.engine.slots import Slot

RANKS: dict[str, int] = {"interactive": 0, "ambient": 1, "background": 2}


class GenerateSpec(msgspec.Struct, frozen=True):
    """What crosses to the child for one generation."""

    segments: tuple[Segment, ...]
    sampling: Sampling = Sampling()
    chat: str = ""
    priority: Priority = "interactive"
    device: str = ""
    grammar: str = ""
    """For `grammar.Grammars`; empty: free text."""
    answer: bool = True
    """False: the prompt is read, and that is all."""
    lookup: bool = True
    """Whether tokens may be guessed from the prompt."""


class Caller(Protocol):
    """Who asked; see `worker.Call`."""

    @property
    def cancelled(self) -> bool: ...
    def on_cancel(self, action: Callable[[], None] | None) -> None: ...
    def send(self, payload: Any) -> None: ...
    def end(self) -> None: ...
    def fail(self, error: AssistantError) -> None: ...


class Generation:
    """See the module. `tokens` is the prompt and what was chosen; its slot holds a prefix of it."""

    def __init__(self, caller: Caller, spec: GenerateSpec, prompt: Prompt, number: int) -> None:
        self.caller = caller
        self.spec = spec
        self.number = number
        self.prompt = prompt
        self.tokens = list(prompt.tokens)
        self.refs = {segment.ref for segment in spec.segments if segment.ref} | {spec.chat}
        self.refs -= {"", "system", "context", "question"}
        self.rank = RANKS[spec.priority]
        self.slot: Slot | None = None
        self.sampler: Sampler | None = None
        self.matcher: Matcher | None = None
        self.lookup: Lookup | None = None
        self.drafted = self.accepted = 0
        self.turn = 0
        """Grows with each step it takes part in, and in the order of those who did."""
        self.draft_at = 0
        """So many tokens must there be before the draft model is asked."""
        self.arrived = time.monotonic()
        self._text = TextStream(spec.sampling.stop)
        self._cached: int | None = None
        self._begun = 0.0
        self._read_at = 0.0
        self._told = False

    # --- what is left to do --------------------------------------------------------------

    @property
    def held(self) -> int:
        """Tokens that are in the cache."""
        return len(self.slot.tokens) if self.slot else 0

    @property
    def left(self) -> int:
        """Tokens still to be computed; 1 while it answers."""
        return len(self.tokens) - self.held

    @property
    def answering(self) -> bool:
        """Whether its prompt was read."""
        return self._told

    @property
    def chosen(self) -> int:
        """Tokens of its answer so far."""
        return len(self.tokens) - len(self.prompt.tokens)

    def placed(self, slot: Slot) -> None:
        """It has a slot, whose tokens it begins with."""
        self.slot = slot
        if self._cached is None:
            self._cached = len(slot.tokens)
            self._begun = time.perf_counter()

    def realigned(self, prompt: Prompt) -> None:
        """The same prompt in other tokens, before it has a slot."""
        self.tokens = list(prompt.tokens)
        self.prompt = prompt

    # --- what it says --------------------------------------------------------------------

    def tell_prefilled(self) -> None:
        """The prompt is in the cache."""
        if self._told:
            return
        self._told = True
        self._read_at = time.perf_counter()
        told = Prefilled(len(self.prompt.tokens), self._cached or 0, self.prompt.counts)
        self.caller.send(msgspec.to_builtins(told))

    def say(self, token: int, piece: bytes) -> None:
        """A token was chosen."""
        self.tokens.append(token)
        if self.lookup:
            self.lookup.add(token)
        if text := self._text.push(piece):
            self.caller.send(msgspec.to_builtins(Piece(text)))

    @property
    def stopped(self) -> bool:
        """Whether a stop string was said."""
        return self._text.stopped

    def finish(self, reason: str) -> None:
        """The answer is complete."""
        done = time.perf_counter()
        self.tell_prefilled()
        if rest := self._text.close():
            self.caller.send(msgspec.to_builtins(Piece(rest)))
        end = Finished(
            reason,  # type: ignore[arg-type]
            self.chosen,
            self._read_at - self._begun,
            done - self._read_at,
            self.drafted,
            self.accepted,
        )
        self.caller.send(msgspec.to_builtins(end))
        self.caller.end()
        self.close()

    def close(self) -> None:
        """Free what it holds. Harmless when done twice."""
        self.caller.on_cancel(None)
        if self.sampler:
            self.sampler.close()
            self.sampler = None
