"""Pure: from a conversation, recalled memories and a question to the messages of a prompt.

The prompt only ever grows: the system part is frozen with the conversation, and what was recalled
for a question stays before that question as history. So the model's cache is reused in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from assistant.config import LIMITS
from assistant.types import Message, Part, Recalled, Turn

# Worded by trial on the smallest model we ship (0.5B): it reads a note as the user's own words, and
# answers in full sentences, only when told so this plainly.
SYSTEM = (
    "You are Nestor, a helpful private assistant. You run on the user's own computer. "
    "Before a question there may be notes, written by the user: use the ones that help and ignore "
    "the others. Reply in a short sentence, or longer if asked, in the same language as the "
    "question. If the answer is not known, say that you do not know."
)

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December")  # fmt: skip


class Context(msgspec.Struct, frozen=True):
    """The block before a question."""

    parts: tuple[Part, ...]
    truncated: tuple[str, ...] = ()
    """Ids of memories that were shortened."""

    @property
    def text(self) -> str:
        """As it is logged."""
        return "".join(part.text for part in self.parts)


class History(msgspec.Struct, frozen=True):
    """The earlier turns that fit."""

    kept: tuple[Turn, ...]
    dropped: tuple[Turn, ...]


def context(recalled: Sequence[Recalled], moment: datetime) -> Context:
    """The time and the memories, a line each: each line is one Part, whoever renders it later."""
    now = f"{_WEEKDAYS[moment.weekday()]}, {_day(moment)}, {moment:%H:%M}"
    parts = [Part(f"[Now: {now}]\n", "context")]
    truncated = []
    for memory in sorted(recalled, key=lambda m: m.said_at):
        line = " ".join(memory.text.split())
        if len(line) > LIMITS.recalled_chars:
            line = line[: LIMITS.recalled_chars] + " …"
            truncated.append(memory.id)
        parts.append(Part(f"[Note of {_origin(memory)}: {line}]\n", memory.id))
    parts.append(Part("\n", "context"))
    return Context(tuple(parts), tuple(truncated))


def messages(
    system: str, history: Sequence[Turn], block: Context | None, text: str
) -> tuple[Message, ...]:
    """The prompt: system, earlier turns, then the block and the question in one user message."""
    out = [Message.of("system", system, "system")]
    for turn in history:
        lines = tuple(Part(line, turn.id) for line in turn.context.splitlines(keepends=True))
        out.append(Message("user", (*lines, Part(turn.text, turn.id))))
        out.append(Message.of("assistant", turn.reply, turn.id))
    parts = block.parts if block else ()
    out.append(Message("user", (*parts, Part(text, "question"))))
    return tuple(out)


def fit(turns: Sequence[Turn], budget: int) -> History:
    """Which earlier turns stay, within `budget` tokens.

    Turns leave in blocks, down to half the budget, so that most turns keep their prefix; with the
    same budget, what left once stays out, since the same counts are replayed every time.
    """
    usable = [turn for turn in turns if turn.reply]
    first, held = 0, 0
    for at, turn in enumerate(usable):
        held += turn.tokens
        if held > budget:
            while first <= at and held > budget // 2:
                held -= usable[first].tokens
                first += 1
    return History(tuple(usable[first:]), tuple(usable[:first]))


def query(text: str) -> str:
    """What to look for in the memory: of a long text its two ends, where the question stands."""
    half = LIMITS.query_chars // 2
    return text if len(text) <= LIMITS.query_chars else f"{text[:half]}\n{text[1 - half :]}"


def estimate(text: str) -> int:
    """Tokens of a text nobody has counted yet; rather too many."""
    return len(text.encode()) // 3 + 8


def _origin(memory: Recalled) -> str:
    day = _day(datetime.fromisoformat(memory.said_at))
    return f"{day}, {' '.join(memory.speaker.split())} said" if memory.speaker else day


def _day(moment: datetime) -> str:
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"
