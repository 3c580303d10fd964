"""The scheduler with a real model in this process, and callers that note what they hear."""

from __future__ import annotations

import msgspec
import numpy as np
from engine.amx import HAS_AMX

from assistant.engine import templates
from assistant.engine.admission import Admission
from assistant.engine.batch import Row
from assistant.engine.draft import Draft
from assistant.engine.generation import GenerateSpec, Generation
from assistant.engine.llama import Llama
from assistant.engine.load_spec import LoadSpec
from assistant.engine.scheduler import Scheduler
from assistant.engine.slots import Slots
from assistant.types import Finished, Generated, Message, Piece, Prefilled, Sampling

GREEDY = Sampling(temperature=0, max_tokens=32)


class Listener:
    """Takes the place of a worker.Call."""

    def __init__(self):
        self.items = []
        self.ended = False
        self.error = None
        self.cancelled = False

    def on_cancel(self, action):
        if action and self.cancelled:
            action()

    def send(self, payload):
        self.items.append(msgspec.convert(payload, Generated))

    def end(self):
        assert not self.ended
        self.ended = True

    def fail(self, error):
        self.end()
        self.error = error

    @property
    def text(self):
        return "".join(item.text for item in self.items if isinstance(item, Piece))

    @property
    def read(self):
        return next(item for item in self.items if isinstance(item, Prefilled))

    @property
    def finished(self):
        return next(item for item in self.items if isinstance(item, Finished))


class CheapRows:
    """As on a GPU: guessing always pays. A row takes a second, so a draft costs next to nothing."""

    measured = True

    def took(self, rows, seconds, *, read=False):
        pass

    def __call__(self, rows):
        return 1 + rows / 1000

    def group(self, streams):
        return streams

    def known(self, streams):
        return True

    def seconds(self, rows):
        return self(rows)

    def beside(self, streams, waiting=128, quiet=0):
        return 8 if streams else 128


class Foursomes(CheapRows):
    """As on some CPUs: more than four rows are dearer than four."""

    def group(self, streams):
        return min(streams, 4)


class Engine:
    """A loaded model with its scheduler."""

    def __init__(self, path, *, context=1024, cells=0, sequences=16, states=None, threads=1):
        spec = LoadSpec(
            str(path), context, threads, cells or context * 5 // 4, sequences,
            use_extra_bufts=not HAS_AMX,
        )  # fmt: skip
        self.llama = Llama(spec)
        self.slots = Slots(self.llama, sequences - 1, self.llama.cells)
        self.admission = Admission(self.llama, self.slots, states)
        self.scheduler = Scheduler(self.llama, self.slots, self.admission)
        self.family = templates.choose("", self.llama.facts().marked)
        self.number = 0
        self.companion = None

    def draft_with(self, path, **spec):
        """Load a draft model beside the model."""
        settings = {"context": self.llama.context, "threads": 1, "sequences": 2, "outputs": 2}
        settings["use_extra_bufts"] = not HAS_AMX
        self.companion = Llama(LoadSpec(str(path), **(settings | spec)))
        self.scheduler.draft = Draft(self.companion, 2)
        self.scheduler.draft.measure()
        return self.scheduler.draft

    def submit(self, messages, sampling=GREEDY, *, unfinished=False, **rest):
        if isinstance(messages, str):
            messages = [Message.of("user", messages, "question")]
        segments = templates.render(self.family, messages, unfinished=unfinished)
        spec = GenerateSpec(segments, sampling, **rest)
        listener = Listener()
        self.number += 1
        generation = Generation(listener, spec, self.llama.prompt(segments), self.number)
        listener.generation = generation
        self.scheduler.submit(generation)
        return listener

    def run(self, until=lambda: False):
        steps = 0
        while self.scheduler.busy and not until():
            self.scheduler.step()
            steps += 1
            assert steps < 20_000
        return steps

    def ask(self, messages, sampling=GREEDY, **rest):
        listener = self.submit(messages, sampling, **rest)
        self.run()
        assert listener.error is None, listener.error
        return listener

    def gap(self, tokens, one, other):
        """How far apart the logits of two tokens lie after `tokens`, each read alone."""
        for slot in [*self.slots, self.slots.root]:
            self.slots.cut(slot, 0)
        for at in range(0, len(tokens), 256):
            rows = [
                Row(t, at + i, 0, at + i == len(tokens) - 1)
                for i, t in enumerate(tokens[at : at + 256])
            ]
            assert self.llama.decode(rows) == 0
        logits = np.array(self.llama.logits(len(rows) - 1))
        self.llama.keep(0, 0)
        return float(abs(logits[one] - logits[other]))

    def close(self):
        self.llama.close()
        if self.companion:
            self.companion.close()


def assert_same_up_to_a_tie(engine, one, other, most=0.35):
    """Two greedy answers are equal, or part first where the model hardly prefers one token.

    Batches of another shape are rounded differently: quantized activations, other sums.
    """
    a, b = one.generation.tokens, other.generation.tokens
    assert one.generation.prompt.tokens == other.generation.prompt.tokens
    for at, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            gap = engine.gap(a[:at], x, y)
            assert gap < most, f"parted at {at} with logits {gap:.3f} apart"
            return gap
    return 0.0
