"""Who gets a slot next, which cells are given up for it, and what is kept of them on disk."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from assistant.config import LIMITS
from assistant.engine.alignment import align
from assistant.engine.generation import Generation
from assistant.engine.slots import Slot, Slots, common
from assistant.errors import Stopped

STREAMS = 8
"""Answers at a time; more would make each too slow to read."""
BACKGROUND_STREAMS = 1
ANSWER_TOKENS = 256
"""Room an answer should find when it begins; it may grow beyond."""
IDLE_SLOTS = 4
"""Slots that may hold what nobody asks now. Every cell in use lengthens each step: 3,700 idle ones cost a

stream a tenth of its speed. A chat on disk is read back, not computed again."""
WORTH_SAVING = 64
"""Tokens that a state on disk must hold beyond what is in the cache anyway."""
WORTH_SHARING = 32
"""Tokens that two prompts must begin with alike for one to wait until the other has read them."""
OVERDUE_S = 8.0
"""Who has waited so long is not passed any more, and is read first however long the prompt."""


class States(Protocol):
    """The states on disk; see `states.States`."""

    def best(self, tokens: Sequence[int], chat: str = "") -> tuple[Any, int] | None: ...
    def load(self, saved: Any) -> bytearray | None: ...
    def put(
        self, tokens: Sequence[int], data: bytearray, *, chat: str = "", refs: Collection[str] = ()
    ) -> Any: ...


class Model(Protocol):
    """What holds the cells; see `llama.Llama`."""

    context: int
    sliding: bool

    def piece(self, token: int) -> bytes: ...
    def state(self, sequence: int) -> bytearray: ...
    def restore(self, sequence: int, data: bytearray) -> bool: ...


class Admission:
    """See the module. Belongs to the scheduler's thread."""

    def __init__(
        self,
        model: Model,
        slots: Slots,
        states: States | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._slots = slots
        self._states = states
        self._clock = clock
        self.context = model.context
        self.idle_slots = IDLE_SLOTS
        self.waiting: list[Generation] = []
        self._chat_cells = max(slots.cells - LIMITS.background_tokens, self.context)
        self._reserve = slots.cells - self._chat_cells

    # --- the queue -----------------------------------------------------------------------

    def add(self, generation: Generation) -> None:
        """One more waits."""
        self.waiting.append(generation)

    def drop_warm(self, asked: Generation) -> None:
        """What only reads ahead for a chat that is asked, or read ahead for again, is not needed."""
        chat = asked.spec.chat
        for one in list(self.waiting):
            if chat and one.spec.chat == chat and not one.spec.answer:
                self.waiting.remove(one)
                one.close()
                one.caller.fail(Stopped("The chat was asked."))

    def admit(self, running: list[Generation]) -> None:
        """Give slots to those who wait, in turn: by class, then whoever's device has least running."""
        while self.waiting:
            mine = Counter(g.spec.device for g in running)
            order = sorted(
                self.waiting,
                key=lambda g: (g.rank, not g.spec.answer, mine[g.spec.device], g.number),
            )
            chosen = self._first(order, running)
            if chosen is None:
                return
            self.waiting.remove(chosen)
            running.append(chosen)

    def _first(
        self, order: Sequence[Generation], running: Sequence[Generation]
    ) -> Generation | None:
        """The first that can be placed; nobody passes one of its class that has waited for long."""
        passed = -1
        for generation in order:
            if passed >= generation.rank:
                continue
            if self._may_run(generation, running) and self._place(generation):
                return generation
            if time.monotonic() - generation.arrived > OVERDUE_S:
                passed = generation.rank
        return None

    def _may_run(self, generation: Generation, running: Sequence[Generation]) -> bool:
        background = generation.rank == 2
        same = [g for g in running if (g.rank == 2 if background else g.rank <= generation.rank)]
        if any(generation.spec.chat and g.spec.chat == generation.spec.chat for g in running):
            return False
        if len(same) >= (BACKGROUND_STREAMS if generation.rank == 2 else STREAMS):
            return False
        if any(self._reads_for(g, generation) for g in running):
            return False
        return not same or self._fits(generation, same)

    def _reads_for(self, other: Generation, generation: Generation) -> bool:
        """Whether another is reading what this one begins with too: once is enough."""
        if other.answering or other.rank > generation.rank:
            return False
        alike = common(other.tokens, _array(generation.tokens))
        return (
            other.held < alike
            and alike >= self._slots.nearest(generation.tokens)[1] + WORTH_SHARING
        )

    def _fits(self, generation: Generation, same: Sequence[Generation]) -> bool:
        """Whether there is room beside those who run and give way to nobody."""
        _, shared = self._slots.nearest(generation.tokens)
        wanted = len(generation.tokens) - shared
        most = generation.spec.sampling.max_tokens
        wanted += ANSWER_TOKENS if most is None else min(most, ANSWER_TOKENS)
        held = sum(len(g.tokens) for g in same)
        return held + wanted <= self._limit(generation)

    def _limit(self, generation: Generation) -> int:
        return self._slots.cells if generation.rank == 2 else self._chat_cells

    def release(self, generation: Generation) -> None:
        """It ended, running or waiting; its slot keeps what it holds."""
        if generation in self.waiting:
            self.waiting.remove(generation)
        slot, generation.slot = generation.slot, None
        if slot is None:
            return
        slot.busy = False
        slot.used_at = self._clock()
        if slot.doomed:
            self._slots.cut(slot, 0)

    def trim(self) -> None:
        """Send idle chats beyond the latest few to disk."""
        idle = [s for s in self._slots.victims(background=False) if not s.background]
        for least in sorted(idle, key=lambda s: -s.used_at)[self.idle_slots :]:
            self.save(least)
            self._slots.cut(least, 0)

    def park(self, generation: Generation) -> None:
        """Give up its cells and let it wait; what it has said is read again as a prompt."""
        slot, generation.slot = generation.slot, None
        if slot is not None:
            slot.busy = False
            self._slots.cut(slot, 0)
        self.waiting.append(generation)

    # --- slots ---------------------------------------------------------------------------

    def _place(self, generation: Generation) -> bool:
        """Find a slot and fill it with what is known of the prompt. False: all are taken."""
        background = generation.rank == 2
        slot = self._slots.of_chat(generation.spec.chat)
        if slot is not None:
            self._realign(generation, slot.tokens)
        saved = self._on_disk(generation)
        source, shared = self._slots.nearest(generation.tokens)
        if slot is None:
            slot = self._vacate(source, shared, background=background)
        if slot is None:
            return False
        self._fill(slot, generation, source, shared, saved)
        slot.busy = True
        draft = generation.prompt.draft
        slot.unsent = draft if draft < len(generation.tokens) else 0
        slot.chat = generation.spec.chat
        slot.refs |= generation.refs
        slot.doomed = bool((slot.refs | {slot.chat}) & self._slots.forgotten)
        generation.placed(slot)
        return True

    def _on_disk(self, generation: Generation) -> tuple[Any, int] | None:
        """The best state on disk, if it holds more than the cache does."""
        if self._states is None or generation.rank == 2:
            return None
        found = self._states.best(generation.tokens, generation.spec.chat)
        if found is None:
            return None
        saved, _ = found
        held = _tokens(saved)
        if saved.chat and saved.chat == generation.spec.chat:
            self._realign(generation, held)
        same = self._cut_to(common(held, _array(generation.tokens)), len(held))
        _, shared = self._slots.nearest(generation.tokens)
        return (saved, same) if same >= shared + WORTH_SAVING else None

    def _realign(self, generation: Generation, held: Sequence[int]) -> None:
        """Write the prompt in the tokens that are held, before anything was chosen.

        The shared beginning keeps its tokens, and words that were not sent stay behind those that were.
        """
        prompt = generation.prompt
        if generation.chosen:
            return
        sent = align(held, prompt.tokens[: prompt.draft], self._model.piece)
        tokens = sent + prompt.tokens[prompt.draft :]
        if sent[: prompt.shared] == prompt.tokens[: prompt.shared] and len(tokens) < self.context:
            generation.realigned(prompt._replace(tokens=tokens, draft=len(sent)))

    def _cut_to(self, same: int, whole: int) -> int:
        """How much of a restored state is of use: one with a sliding window cannot be cut."""
        return same if same == whole or not self._model.sliding else 0

    def _vacate(self, source: Slot, shared: int, *, background: bool) -> Slot | None:
        """An empty slot, or one whose holder nobody waits for."""
        if background:
            return None if self._slots.reserved.busy else self._slots.reserved
        taken = source is self._slots.root or source.background or source.busy or source.chat
        if not taken and shared * 2 >= len(source.tokens) > 0:
            return source
        if (slot := self._slots.free()) is not None:
            return slot
        victims = [v for v in self._slots.victims(background=False) if not v.background]
        others = [slot for slot in victims if slot is not source]
        if not (others or victims):
            return None
        slot = (others or victims)[0]
        self.save(slot)
        self._slots.cut(slot, 0)
        return slot

    def _fill(
        self, slot: Slot, generation: Generation, source: Slot, shared: int, saved: Any
    ) -> None:
        # The last token is always computed: what comes after it is what is asked for.
        most = len(generation.tokens) - (1 if generation.spec.answer else 0)
        if saved is not None and self._restore(slot, saved[0]):
            source = slot
        elif source is not slot and source.tokens and shared > common_of(slot, generation):
            self._slots.cut(slot, 0)
            if (length := self._slots.usable(source, min(shared, most))) > 0:
                self._slots.share(source, slot, length)
        same = min(common_of(slot, generation), most)
        self._slots.cut(slot, self._slots.usable(slot, same))

    def _restore(self, slot: Slot, saved: Any) -> bool:
        assert self._states is not None
        self._slots.cut(slot, 0)
        tokens = _tokens(saved)
        if not self._room_for(len(tokens), slot, self._chat_cells, background=False):
            return False
        data = self._states.load(saved)
        if data is None or not self._model.restore(slot.sequence, data):
            return False
        self._slots.filled(slot, tokens)
        slot.floor = len(tokens) if self._model.sliding else 0
        slot.refs = set(saved.refs)
        return True

    # --- room ----------------------------------------------------------------------------

    def make_room(self, generation: Generation, count: int, running: list[Generation]) -> None:
        """Cells for `count` more tokens: idle slots give way, then whoever came last; itself at the end."""
        slot = generation.slot
        assert slot is not None
        background, limit = generation.rank == 2, self._limit(generation)
        while not self._room_for(count, slot, limit, background=background):
            last = max(running, key=lambda g: (g.rank, g.number))
            running.remove(last)
            self.park(last)
            if last is generation:
                return

    def _room_for(self, count: int, slot: Slot, limit: int, *, background: bool) -> bool:
        while self._slots.used + count > limit:
            victims = [v for v in self._slots.victims(background=background) if v is not slot]
            if not victims and background and len(slot.tokens) + count > self._reserve:
                # More than is kept for it: idle chats go to disk rather than that it never ends.
                victims = self._slots.victims(background=False)
            if not victims and self._slots.root.tokens:
                self._slots.cut(self._slots.root, 0)
                continue
            if not victims:
                return False
            self.save(victims[0])
            self._slots.cut(victims[0], 0)
        return True

    def relieve(self, running: list[Generation]) -> bool:
        """llama.cpp found no cell although we counted some: give one slot up. False: none is left."""
        victims = self._slots.victims(background=False)
        if victims:
            self.save(victims[0])
            self._slots.cut(victims[0], 0)
        elif self._slots.root.tokens:
            self._slots.cut(self._slots.root, 0)
        elif len(running) > 1:
            last = max(running, key=lambda g: (g.rank, g.number))
            running.remove(last)
            self.park(last)
        else:
            return False
        return True

    # --- disk ----------------------------------------------------------------------------

    def save(self, slot: Slot) -> bool:
        """Write a chat to disk if more of it is new than is worth reading again."""
        if slot.unsent:
            self._slots.cut(slot, min(slot.unsent, len(slot.tokens)))
            slot.unsent = 0
        alone = len(slot.tokens) - common(self._slots.root.tokens, _array(slot.tokens))
        new = len(slot.tokens) - slot.saved
        if self._states is None or not slot.chat or slot.background:
            return False
        if alone < WORTH_SAVING or not new:
            return False
        refs = slot.refs | {slot.chat}
        state = self._model.state(slot.sequence)
        if self._states.put(slot.tokens, state, chat=slot.chat, refs=refs) is None:
            return False
        slot.saved = len(slot.tokens)
        return True

    def save_idle(self, idle_s: float) -> bool:
        """Write one chat that was not asked for `idle_s` seconds; whether there was one."""
        before = self._clock() - idle_s
        idle = [s for s in self._slots if not s.busy and s.tokens and s.used_at <= before]
        return any(self.save(slot) for slot in idle if slot.saved < len(slot.tokens))


def common_of(slot: Slot, generation: Generation) -> int:
    """Tokens that a slot and a prompt begin with alike."""
    return common(slot.tokens, _array(generation.tokens))


def _tokens(saved: Any) -> list[int]:
    import numpy as np

    return np.frombuffer(saved.tokens, "<i4").tolist()  # type: ignore[no-any-return]


def _array(tokens: Sequence[int]) -> Any:
    import numpy as np

    return np.asarray(tokens, np.int32)
