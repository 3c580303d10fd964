"""Continuous batching: a step computes the next tokens of streams, and bounded pieces of prompts.

One thread owns it. Work of a higher class pauses lower ones between two steps; a chat keeps its
cells until others need them, and goes to disk before it loses them.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence, Set
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from assistant.engine.admission import OVERDUE_S, Admission
from assistant.engine.batch import ABORTED, FULL, OK, OUTPUT_ROWS, Row
from assistant.engine.costs import ALONE, Costs
from assistant.engine.generation import Generation
from assistant.engine.lookup import Lookup
from assistant.engine.parts import Part, part_of, rows_of
from assistant.engine.slots import Slots
from assistant.errors import AssistantError, EngineError, Stopped
from assistant.types import Sampling

if TYPE_CHECKING:
    from assistant.engine.draft import Draft

SHORT = 96
"""Tokens of a prompt that is read at once, although streams beside it wait for that step."""
BACKGROUND_CHUNK = 64
"""Prompt tokens of a step that nobody waits for: whoever comes next waits for this step."""
LOOKUP_ROWS = 32
"""Rows of a step up to which guesses may fill it, whoever makes them."""
LOOKUP_STREAMS = 2
"""With more streams than these a step is full enough without guesses."""


class Model(Protocol):
    """What computes; see `llama.Llama`."""

    def decode(self, rows: Sequence[Row]) -> int: ...
    def logits(self, row: int) -> np.ndarray[Any, Any]: ...
    def sampler(self, sampling: Sampling) -> Any: ...
    def piece(self, token: int) -> bytes: ...
    def is_end(self, token: int) -> bool: ...
    def abort(self, on: bool) -> None: ...


class Timing:
    """Where the time of the scheduler goes, in seconds since the model was loaded."""

    def __init__(self) -> None:
        self.busy_s = self.decode_s = self.sample_s = 0.0
        self.steps = self.tokens = 0
        self.drafted = self.accepted = 0

    def report(self) -> dict[str, float]:
        """As `status` shows it."""
        return {name: round(value, 4) for name, value in vars(self).items()}


class Scheduler:
    """See the module. `submit` and `step` belong to one thread, `interrupt` to any."""

    def __init__(self, model: Model, slots: Slots, admission: Admission) -> None:
        self._model = model
        self._slots = slots
        self._admission = admission
        self._costs = Costs()
        self._running: list[Generation] = []
        self._long: frozenset[Generation] = frozenset()
        """Who is in the present step, if it may take long."""
        self._mark = 0.0
        self._turns = itertools.count(1)
        self._quiet = 0
        """Steps since there was a piece of a prompt in one."""
        self.timing = Timing()
        self.pressing = False
        """Whether an answer began or ended in the last step, or a prompt held answers up."""
        self.draft: Draft | None = None
        """The draft model, if there is one."""
        self.on_broken: Callable[[], None] | None = None
        """Told when llama.cpp fails for good; otherwise those in the batch hear an error."""

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._running or self._admission.waiting)

    @property
    def running(self) -> Sequence[Generation]:
        """Those that have a slot."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many have none yet."""
        return len(self._admission.waiting)

    def submit(self, generation: Generation) -> None:
        """Take a generation; its caller hears from it."""
        for warm in [g for g in self._running if _supersedes(generation, g)]:
            self._end(warm, Stopped("The chat was asked."))
        if any(_supersedes(g, generation) and g.spec.answer for g in self._running):
            # What it would read is older than what is being said.
            return generation.caller.fail(Stopped("The chat is being answered."))
        self._admission.drop_warm(generation)
        self._admission.add(generation)
        return None

    def interrupt(self, generation: Generation) -> None:
        """Its caller left: end a long step it is in. Short ones end by themselves. From any thread."""
        if generation in self._long:
            self._model.abort(True)

    def fail(self, error: EngineError) -> None:
        """End everything with `error`."""
        for generation in [*self._running, *self._admission.waiting]:
            self._end(generation, error)

    def forget(self, refs: Set[str]) -> int:
        """Empty every slot that holds one of these; how many."""
        gone = self.draft.forget(refs) if self.draft else 0
        return gone + self._slots.forget(refs)

    def step(self) -> bool:
        """Let whoever left go, give slots to who waits, and compute one batch; whether there was one."""
        begun = self._mark or time.perf_counter()
        self.pressing = False
        self._reap()
        self._admission.trim()
        self._admission.admit(self._running)
        parts = self._compose()
        if parts:
            self._compute(parts)
        self._mark = time.perf_counter()
        self.timing.busy_s += self._mark - begun
        if not self.busy:
            self._mark = 0.0
        return bool(parts)

    # --- who takes part ------------------------------------------------------------------

    def _reap(self) -> None:
        for generation in [*self._running, *self._admission.waiting]:
            if generation.caller.cancelled:
                self._end(generation, None)

    def _compose(self) -> list[Part]:
        """The next batch: the highest class only."""
        for generation in [g for g in self._running if not g.spec.answer and not g.left]:
            self._finish(generation, "stop")
        rank = min((g.rank for g in self._running), default=0)
        current = [g for g in self._running if g.rank == rank]
        streams = [g for g in current if g.answering and g.left == 1]
        prompts = sorted((g for g in current if g not in streams), key=_urgency)
        budget = self._budget(len(streams), prompts)
        self.pressing = self.pressing or bool(prompts)
        guessing = len(streams) <= LOOKUP_STREAMS and not prompts
        if not budget:
            streams = self._group(streams)
        if len(streams) > 1:
            # What so many rows cost is to be found out now: with guesses it would be other rows.
            guessing = guessing and self._costs.known(len(streams))
        if rank and not streams:
            budget = min(budget, BACKGROUND_CHUNK)
        most = LOOKUP_ROWS - len(streams) if guessing else 0
        if self.draft:
            self.draft.begin()
        batch = [part_of(g, *self._guesses(g, most)) for g in streams]
        for generation in prompts[: OUTPUT_ROWS - LOOKUP_ROWS]:
            if budget > 0:
                batch.append(part_of(generation, [], None, min(budget, generation.left)))
                budget -= len(batch[-1].tokens)
        self._long = frozenset() if streams else frozenset(part.generation for part in batch)
        return self._fit(batch)

    def _group(self, streams: list[Generation]) -> list[Generation]:
        """Who computes now: all, or those whose turn it is where so many at once would be slower."""
        count = self._costs.group(len(streams))
        return sorted(streams, key=lambda g: g.turn)[:count] if count < len(streams) else streams

    def _budget(self, streams: int, prompts: Sequence[Generation]) -> int:
        """Prompt tokens of the next step. A short prompt is read at once: one pause, not many."""
        if not prompts:
            return 0
        short = sum(g.left for g in prompts if g.left <= SHORT)
        beside = self._costs.beside(streams, sum(g.left for g in prompts), self._quiet)
        return max(beside, min(short, ALONE))

    def _guesses(self, generation: Generation, most: int) -> tuple[list[int], Draft | None]:
        """What may come next: from what was read before, else from the draft model, which is named then."""
        room = self._room(generation)
        most = min(most, room - 1)
        matcher, lookup, slot = generation.matcher, generation.lookup, generation.slot
        if most > 0 and lookup:
            guesses = lookup.propose(most, self._costs)
            if matcher and guesses:
                guesses = guesses[: matcher.allowed(guesses)]
            if guesses:
                return guesses, None
        # What is forgotten while its answer runs is given to no other model any more.
        if most > 0 and self.draft and slot and not slot.doomed:
            allowed = matcher.allowed if matcher else None
            guesses = self.draft.propose(generation, most, self._costs, left=room, allowed=allowed)
            return guesses, self.draft
        return [], None

    def _fit(self, batch: list[Part]) -> list[Part]:
        """Make room in the cache; whoever finds none goes back to the queue."""
        for part in batch:
            if part.generation.slot is not None:
                self._admission.make_room(part.generation, len(part.tokens), self._running)
        row, fitting = 0, []
        for part in batch:
            if part.generation.slot is not None:
                fitting.append(part._replace(first=row))
                row += len(part.tokens)
        return fitting

    # --- the batch -----------------------------------------------------------------------

    def _compute(self, parts: list[Part]) -> None:
        # A flag that was meant for the step before is not for this one; a caller of this step who has
        # left meanwhile is not overlooked either.
        self._model.abort(False)
        if any(part.generation.caller.cancelled for part in parts):
            return None
        begun = time.perf_counter()
        code = self._model.decode(rows_of(parts))
        self._long = frozenset()
        taken = time.perf_counter() - begun
        self.timing.decode_s += taken
        self.timing.steps += 1
        if code != OK:
            return self._recover(parts, code)
        # Who went back to the queue in mid-answer has a prompt to read again.
        read = any(len(p.tokens) - p.drafted > 1 or not p.generation.answering for p in parts)
        self._quiet = 0 if read else self._quiet + 1
        self._costs.took(sum(len(part.tokens) for part in parts), taken, read=read)
        for part in parts:
            part.generation.turn = next(self._turns)
            self._take(part)
        return None

    def _recover(self, parts: list[Part], code: int) -> None:
        for part in parts:
            assert part.generation.slot is not None
            self._slots.settle(part.generation.slot)
        if code == ABORTED:
            return
        if code == FULL and self._admission.relieve(self._running):
            return
        if self.on_broken is not None and code < 0:
            self.on_broken()
        for part in parts:
            self._end(part.generation, EngineError(f"llama.cpp could not go on ({code})."))

    def _take(self, part: Part) -> None:
        """Take a generation's tokens into its slot, and choose what comes after them."""
        generation = part.generation
        slot = generation.slot
        assert slot is not None
        known = len(part.tokens) - part.drafted
        self._slots.grow(slot, part.tokens)
        if not generation.answering and 0 < generation.prompt.shared <= len(slot.tokens):
            self._slots.remember(slot, generation.prompt.shared)
        if not generation.spec.answer and not generation.left:
            return self._finish(generation, "stop")
        if not part.output:
            return None
        if not generation.answering:
            self._begin(generation)
        try:
            accepted, reason = self._choose(part, part.first + known - 1)
        except AssistantError as exc:
            return self._end(generation, exc)
        if part.drafted:
            self._judge(part, accepted)
        return self._finish(generation, reason) if reason else None

    def _begin(self, generation: Generation) -> None:
        """Its prompt was read: tokens of its answer come next."""
        self.pressing = True
        generation.tell_prefilled()
        if generation.spec.lookup:
            generation.lookup = Lookup(generation.tokens, self._begins_word)

    def _begins_word(self, token: int) -> bool:
        first = self._model.piece(token)[:1]
        return not (first.isalnum() or first >= b"\x80")

    def _choose(self, part: Part, row: int) -> tuple[int, str]:
        """Sample after each row as long as the guesses hold: how many held, and why the answer ends."""
        generation, guesses = part.generation, part.tokens[len(part.tokens) - part.drafted :]
        for accepted in range(part.drafted + 1):
            token = self._sample(generation, row + accepted)
            self.timing.tokens += 1
            if self._model.is_end(token):
                return accepted, "stop"
            generation.say(token, self._model.piece(token))
            reason = self._over(generation)
            if reason or (accepted < part.drafted and token != guesses[accepted]):
                return accepted, reason
        return part.drafted, ""

    def _judge(self, part: Part, accepted: int) -> None:
        """Count the guesses that held; the others leave the slot."""
        generation, slot = part.generation, part.generation.slot
        assert slot is not None
        generation.drafted += part.drafted
        generation.accepted += accepted
        self.timing.drafted += part.drafted
        self.timing.accepted += accepted
        if part.draft:
            part.draft.took(part.drafted, accepted)
        if accepted < part.drafted:
            self._slots.cut(slot, len(slot.tokens) - (part.drafted - accepted))

    def _sample(self, generation: Generation, row: int) -> int:
        begun = time.perf_counter()
        if generation.sampler is None:
            generation.sampler = self._model.sampler(generation.spec.sampling)
        if generation.matcher:
            generation.matcher.mask(self._model.logits(row))
        token = int(generation.sampler.sample(row))
        if generation.matcher:
            generation.matcher.accept(token)
        self.timing.sample_s += time.perf_counter() - begun
        return token

    def _over(self, generation: Generation) -> str:
        """Why it ends here; empty if it does not."""
        if generation.stopped:
            return "stop"
        if generation.matcher and generation.matcher.done:
            return "stop"
        return "length" if self._room(generation) <= 0 else ""

    def _room(self, generation: Generation) -> int:
        """Tokens it may still choose."""
        left = self._admission.context - len(generation.tokens)
        most = generation.spec.sampling.max_tokens
        return left if most is None else min(left, most - generation.chosen)

    # --- endings -------------------------------------------------------------------------

    def _finish(self, generation: Generation, reason: str) -> None:
        self._release(generation)
        generation.finish(reason)

    def _end(self, generation: Generation, error: AssistantError | None) -> None:
        """It failed, or its caller left."""
        self._release(generation)
        generation.close()
        if error is None:
            generation.caller.end()
        else:
            generation.caller.fail(error)

    def _release(self, generation: Generation) -> None:
        self.pressing = True
        if generation in self._running:
            self._running.remove(generation)
        if self.draft:
            self.draft.leave(generation)
        self._admission.release(generation)


def _supersedes(asked: Generation, running: Generation) -> bool:
    """Whether `running` only reads ahead for the chat that is asked now."""
    return (
        bool(asked.spec.chat) and running.spec.chat == asked.spec.chat and not running.spec.answer
    )


def _urgency(generation: Generation) -> tuple[bool, bool, int]:
    """Which prompt is read first: answers before reading ahead, then the shortest, unless overdue."""
    waited = time.monotonic() - generation.arrived
    overdue = waited > OVERDUE_S
    return (
        not generation.spec.answer,
        not overdue,
        generation.number if overdue else generation.left,
    )
