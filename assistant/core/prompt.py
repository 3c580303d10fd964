"""Pure: from a conversation, recalled memories and a question to the messages of a prompt.

The prompt only ever grows: the system part is frozen with the conversation, and what was recalled
for a question stays before that question as history. So the model's cache is reused in full. Only
where a summary takes the place of older turns does a prompt begin anew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from assistant.config import LIMITS
from assistant.core.ports import Summary
from assistant.types import Message, Part, Recalled, Turn, quoted

# Worded by trial on the smallest model we ship (0.5B): it reads a note as the user's own words, and
# answers in full sentences, only when told so this plainly.
SYSTEM = (
    "You are Nestor, a helpful private assistant. You run on the user's own computer. "
    "Before a question there may be notes, written by the user: use the ones that help and ignore "
    "the others. Reply in a short sentence, or longer if asked, in the same language as the "
    "question. If the answer is not known, say that you do not know."
)

PROFILE = "What the user has said about themselves (`I` is the user):"

_IDS = re.compile(r" \((?:\d{4}-\d\d-\d\d, )?m_[0-9a-z]{26}\)")
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


class Opening(msgspec.Struct, frozen=True):
    """What every prompt of a conversation begins with, and nothing pushes out."""

    system: str
    pinned: str = ""
    """Facts that are always there."""
    ids: tuple[str, ...] = ()
    """The memories that those are."""

    @classmethod
    def of(cls, system: str, profile: Sequence[tuple[str, str]]) -> Opening:
        """With the profile's lines, each with its memory's id."""
        if not profile:
            return cls(system)
        lines = "\n".join(f"- {one_line(line)}" for _, line in profile)
        return cls(system, f"{PROFILE}\n{lines}", tuple(one for one, _ in profile))

    @property
    def parts(self) -> tuple[Part, ...]:
        """As parts of the system message."""
        pinned = (Part(f"\n\n{self.pinned}", "pinned"),) if self.pinned else ()
        return (Part(self.system, "system"), *pinned)


class History(msgspec.Struct, frozen=True):
    """What is left of the earlier turns."""

    kept: tuple[Turn, ...] = ()
    """As they were said."""
    dropped: tuple[Turn, ...] = ()
    """Not in the prompt at all: there is no room."""
    summary: Summary | None = None
    summarised: tuple[Turn, ...] = ()
    """What the summary stands for."""
    unanswered: tuple[Turn, ...] = ()
    """Questions that got no answer; never repeated."""


def context(recalled: Sequence[Recalled], moment: datetime) -> Context:
    """The time and the memories, a line each: each line is one Part, whoever renders it later."""
    now = f"{_WEEKDAYS[moment.weekday()]}, {_day(moment)}, {moment:%H:%M}"
    parts = [Part(f"[Now: {now}]\n", "context")]
    truncated = []
    for memory in sorted(recalled, key=lambda m: m.said_at):
        own = memory.trust == "user"
        line = one_line(memory.text) if own else quoted(memory.text)
        if len(line) > LIMITS.recalled_chars:
            line = line[: LIMITS.recalled_chars] + " …"
            truncated.append(memory.id)
        told = f"Note of {_origin(memory)}: {line}" if own else _quote(memory, line)
        parts.append(Part(f"[{told}]\n", memory.id))
    parts.append(Part("\n", "context"))
    return Context(tuple(parts), tuple(truncated))


def messages(
    opening: Opening, history: History, block: Context | None, text: str, ref: str = "question"
) -> tuple[Message, ...]:
    """The prompt: opening, summary, earlier turns, then the block and the question.

    The summary is a marked line of the first user message: text of a model, no instruction of ours.
    """
    out = [Message("system", opening.parts)]
    lead = _summary(history.summary)
    for turn in history.kept:
        lines = tuple(Part(line, turn.id) for line in turn.context.splitlines(keepends=True))
        out.append(Message("user", (*lead, *lines, Part(turn.text, turn.id))))
        out.append(Message.of("assistant", spoken(turn.reply), turn.id))
        lead = ()
    parts = block.parts if block else ()
    out.append(Message("user", (*lead, *parts, Part(text, ref))))
    return tuple(out)


def spoken(reply: str) -> str:
    """A reply without the ids of memories, which are for its reader: a small model puts them behind
    all that it says from then on.
    """
    return _IDS.sub("", reply)


def fit(turns: Sequence[Turn], budget: int, summary: Summary | None = None) -> History:
    """Which earlier turns stay, within `budget` tokens; the summary before all others.

    Turns leave in blocks, down to half the budget, so that most turns keep their prefix; with the
    same budget, what left once stays out, since the same counts are replayed every time.
    """
    if summary is not None and summary.tokens > budget:
        summary, budget = None, 0
    whole = everything(turns, summary)
    room = budget - (summary.tokens if summary else 0)
    first, held = 0, 0
    for at, turn in enumerate(whole.kept):
        held += turn.tokens
        if held > room:
            while first <= at and held > room // 2:
                held -= whole.kept[first].tokens
                first += 1
    return msgspec.structs.replace(whole, kept=whole.kept[first:], dropped=whole.kept[:first])


def everything(turns: Sequence[Turn], summary: Summary | None = None) -> History:
    """All that was said, whether it fits or not."""
    usable = tuple(turn for turn in turns if turn.reply)
    ids = [turn.id for turn in usable]
    covered = ids.index(summary.upto) + 1 if summary and summary.upto in ids else 0
    return History(
        kept=usable[covered:],
        summary=summary if covered else None,
        summarised=usable[:covered],
        unanswered=tuple(turn for turn in turns if not turn.reply),
    )


def query(text: str) -> str:
    """What to look for in the memory: of a long text its two ends, where the question stands."""
    half = LIMITS.query_chars // 2
    return text if len(text) <= LIMITS.query_chars else f"{text[:half]}\n{text[1 - half :]}"


def one_line(text: str) -> str:
    """A text that cannot open a line of its own."""
    return " ".join(text.split())


def _summary(summary: Summary | None) -> tuple[Part, ...]:
    if summary is None:
        return ()
    return (Part(f"[Earlier in this conversation: {quoted(summary.text)}]\n", "summary"),)


def _quote(memory: Recalled, line: str) -> str:
    """A hit that is not the user's word; told apart so that nobody takes it for a note of theirs."""
    where = quoted(memory.source or "") or f"a {memory.trust}"
    day = _day(datetime.fromisoformat(memory.said_at))
    return f"Not the user's words, quoted from {where}, {day}: “{line}”"


def _origin(memory: Recalled) -> str:
    day = _day(datetime.fromisoformat(memory.said_at))
    return f"{day}, {one_line(memory.speaker)} said" if memory.speaker else day


def _day(moment: datetime) -> str:
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"
