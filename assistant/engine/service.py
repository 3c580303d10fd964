"""The engine child: `python -m assistant.engine.service`. One thread owns the model."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from assistant.engine.generation import GenerateSpec, Generation
from assistant.errors import (
    AssistantError,
    ContextOverflow,
    EmptyText,
    EngineError,
    EngineUnloadable,
    Internal,
)
from assistant.worker import Call, Inbox, answer, serve

if TYPE_CHECKING:
    from assistant.engine.admission import Admission
    from assistant.engine.devices import Device
    from assistant.engine.grammar import Grammars, Matcher
    from assistant.engine.llama import Llama
    from assistant.engine.load_spec import LoadSpec
    from assistant.engine.pace import Pace
    from assistant.engine.scheduler import Scheduler
    from assistant.engine.states import States

PAUSE_S = 0.02
"""Before the next look when there is work, but none that can be done now."""
IDLE_S = 5.0
"""How often an idle child looks after its chats."""
SAVE_AFTER_S = 20.0
"""A chat that was not asked for so long is written to disk while there is nothing else to do."""
FLUSH_S = 3.0
MESSAGES_S = 0.02
"""Tokens that come quicker than this leave two at a time: each message wakes two programs up, on the

cores that compute. The first and the last of an answer leave at once, and all beside a prompt."""
BROKEN = 70
"""Exit code of a child whose GPU does not go on."""


class StatesSpec(msgspec.Struct, frozen=True):
    """Where the KV states of idle chats are kept. The key crosses a pipe, never an environment."""

    folder: str
    key: bytes
    model: str
    limit_bytes: int


class Occupancy(msgspec.Struct, frozen=True):
    """Generations, between two steps."""

    running: int
    """So many have a slot."""
    waiting: int


class Service:
    """What the engine child answers. llama.cpp is loaded with the first model, not before."""

    def __init__(self) -> None:
        self._llama: Llama | None = None
        self._companion: Llama | None = None
        self._scheduler: Scheduler | None = None
        self._admission: Admission | None = None
        self._grammars: Grammars | None = None
        self._states: States | None = None
        self._pace: Pace | None = None
        self._on_gpu = False
        self._resting = True
        self._told_at = 0.0
        self._numbers = 0

    def handlers(self) -> dict[str, Callable[[Call], Iterator[Any]]]:
        """What is answered at once; `generate` takes its turns in the scheduler."""
        return {
            "devices": self.devices,
            "load": self.load,
            "draft": self.draft,
            "forget": self.forget,
            "save": self.save,
            "occupancy": self.occupancy,
        }

    def run(self, inbox: Inbox) -> None:
        """Take calls between two steps, for as long as the daemon lives."""
        handlers = self.handlers()
        moved = True
        while True:
            busy = self._scheduler is not None and self._scheduler.busy
            call = inbox.get(timeout=(0 if moved else PAUSE_S) if busy else IDLE_S)
            while call is not None:
                if call.method == "generate":
                    self._submit(call)
                else:
                    inbox.sink.release()
                    answer(call, handlers)
                call = inbox.get(timeout=0)
            inbox.sink.hold()
            moved = self._work()
            if not moved or self._due():
                inbox.sink.release()

    def report(self) -> dict[str, Any]:
        """What goes with each heartbeat; from another thread."""
        scheduler, pace = self._scheduler, self._pace
        if scheduler is None:
            return {}
        if pace is not None:
            pace.watch()
        free = {"devices": msgspec.to_builtins(self.list_devices())} if self._on_gpu else {}
        draft = {"draft": scheduler.draft.report()} if scheduler.draft else {}
        return scheduler.timing.report() | (pace.report() if pace else {}) | draft | free

    # --- calls ---------------------------------------------------------------------------

    def devices(self, _call: Call) -> Iterator[Any]:
        """The devices this build can compute on, with what is free on each."""
        yield msgspec.to_builtins(self.list_devices())

    def list_devices(self) -> tuple[Device, ...]:
        """See `devices.devices`."""
        from assistant.engine.devices import devices

        return devices()

    def load(self, call: Call) -> Iterator[Any]:
        """Load a model in place of the present one, prove that it runs, and give its Facts."""
        from assistant.engine.llama import Llama
        from assistant.engine.load_spec import LoadSpec

        spec = msgspec.convert(call.payload["model"], LoadSpec)
        states = call.payload.get("states")
        self._unload()
        self._llama = Llama(spec)
        self._llama.probe()
        self._scheduler = self._open(
            self._llama, spec, states and msgspec.convert(states, StatesSpec)
        )
        facts = self._llama.facts()
        self._on_gpu = facts.gpu_layers > 0
        if self._on_gpu:
            # Out of its memory a GPU fails from then on; a new process, with fewer layers, does not.
            self._scheduler.on_broken = lambda: os._exit(BROKEN)
        yield msgspec.to_builtins(facts)

    def draft(self, call: Call) -> Iterator[Any]:
        """Load a draft model beside the model, prove that it runs, and give its Facts.

        Raises EngineUnloadable if it cannot guess for this model; the model stays as it is.
        """
        from assistant.engine.draft import Draft
        from assistant.engine.llama import Llama
        from assistant.engine.load_spec import LoadSpec
        from assistant.engine.pairing import difference

        if self._llama is None or self._scheduler is None:
            raise EngineError("No model is loaded.")
        spec = msgspec.convert(call.payload, LoadSpec)
        companion = Llama(spec)
        try:
            if not (self._llama.cuttable and companion.cuttable):
                raise EngineUnloadable("Guesses could not be taken back: a state is recurrent.")
            if problem := difference(self._llama, companion):
                raise EngineUnloadable(problem)
            companion.probe()
        except BaseException:
            companion.close()
            raise
        self._companion = companion
        draft = Draft(companion, spec.sequences)
        draft.measure()
        self._scheduler.draft = draft
        yield msgspec.to_builtins(companion.facts())

    def forget(self, call: Call) -> Iterator[int]:
        """Drop every cache that holds one of these ids."""
        refs = set(call.payload)
        gone = self._scheduler.forget(refs) if self._scheduler else 0
        if self._states is not None:
            gone += self._states.forget(refs)
        yield gone

    def save(self, _call: Call) -> Iterator[bool]:
        """Write every chat that is not on disk yet."""
        written = True
        if self._admission is not None and self._states is not None:
            end = time.monotonic() + FLUSH_S
            while self._admission.save_idle(0.0) and written:
                written = self._states.flush(max(0.0, end - time.monotonic()))
        yield written

    def occupancy(self, _call: Call) -> Iterator[Any]:
        """The Occupancy now. Whoever asked before and has not left is counted."""
        scheduler = self._scheduler
        running, waiting = (len(scheduler.running), scheduler.waiting) if scheduler else (0, 0)
        yield msgspec.to_builtins(Occupancy(running, waiting))

    # --- the scheduler -------------------------------------------------------------------

    def _open(self, llama: Llama, spec: LoadSpec, states: StatesSpec | None) -> Scheduler:
        from assistant.engine.admission import Admission
        from assistant.engine.pace import Pace
        from assistant.engine.scheduler import Scheduler
        from assistant.engine.slots import Slots

        slots = Slots(llama, spec.sequences - 1, llama.cells)
        self._states = _states(states)
        self._admission = Admission(llama, slots, self._states)
        self._pace = Pace(spec.threads, self._set_threads, fixed=spec.fixed_threads)
        return Scheduler(llama, slots, self._admission)

    def _set_threads(self, threads: int) -> None:
        for llama in (self._llama, self._companion):
            if llama is not None:
                llama.set_threads(threads)

    def _unload(self) -> None:
        if self._scheduler is not None:
            self._scheduler.fail(EngineError("The model was changed."))
        if self._states is not None:
            self._states.close()
        self._scheduler = self._admission = self._grammars = self._states = self._pace = None
        for llama in (self._companion, self._llama):
            if llama is not None:
                llama.close()
        self._companion = self._llama = None

    def _work(self) -> bool:
        if self._scheduler is None or self._admission is None:
            return False
        if not self._scheduler.busy:
            self._resting = True
            self._admission.trim()
            return self._admission.save_idle(SAVE_AFTER_S)
        if self._pace is not None:
            if self._resting:
                self._pace.wake()
            self._pace.check()
        moved = self._scheduler.step()
        # Told here: the next request may come before this thread looks again.
        self._resting = not self._scheduler.busy
        return moved

    def _due(self) -> bool:
        """Whether what was said in this step leaves now: seldom enough, yet never late."""
        now = time.monotonic()
        pressing = self._scheduler is None or self._scheduler.pressing
        if not pressing and now - self._told_at < MESSAGES_S:
            return False
        self._told_at = now
        return True

    def _submit(self, call: Call) -> None:
        try:
            generation = self._generation(call)
        except AssistantError as exc:
            return call.fail(exc)
        except Exception as exc:  # noqa: BLE001 - one bad request fails itself, not the child
            print(f"generate: {type(exc).__name__}", file=sys.stderr, flush=True)  # noqa: T201
            return call.fail(Internal(f"A helper process failed with {type(exc).__name__}."))
        assert self._scheduler is not None
        scheduler = self._scheduler
        scheduler.submit(generation)
        call.on_cancel(lambda: scheduler.interrupt(generation))
        return None

    def _generation(self, call: Call) -> Generation:
        if self._llama is None:
            raise EngineError("No model is loaded.")
        spec = msgspec.convert(call.payload, GenerateSpec)
        if not self._llama.cuttable:
            spec = msgspec.structs.replace(spec, lookup=False)
        if not self._llama.cuttable and not spec.answer:
            # Words that change could not be taken out again.
            sent = tuple(segment for segment in spec.segments if segment.ref != "draft")
            spec = msgspec.structs.replace(spec, segments=sent)
        prompt = self._llama.prompt(spec.segments)
        if not prompt.tokens:
            raise EmptyText
        if len(prompt.tokens) >= self._llama.context:
            raise ContextOverflow(
                f"The prompt has {len(prompt.tokens)} tokens; "
                f"the model reads {self._llama.context - 1}."
            )
        self._numbers += 1
        generation = Generation(call, spec, prompt, self._numbers)
        if spec.grammar:
            generation.matcher = self._matcher(self._llama, spec.grammar)
        return generation

    def _matcher(self, llama: Llama, grammar: str) -> Matcher:
        from assistant.engine.grammar import Grammars

        if self._grammars is None:
            self._grammars = Grammars(llama.vocabulary)
        return self._grammars.matcher(grammar)


def _states(spec: StatesSpec | None) -> States | None:
    if spec is None:
        return None
    from assistant.engine.states import States

    return States(Path(spec.folder), spec.key, spec.model, spec.limit_bytes)


def main() -> None:
    """Serve until the daemon goes."""
    service = Service()
    serve(service.run, service.report)


if __name__ == "__main__":
    main()
