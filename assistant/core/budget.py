"""Pure: how the tokens of a model's context are shared out among the parts of a prompt.

What opens a prompt (system, pinned facts) and the question are never cut, so they come off first;
earlier turns get a fixed share of the rest, so that the same turns stay from one to the next.
"""

from __future__ import annotations

import msgspec

from assistant.config import LIMITS

HISTORY_SHARE = 0.75
"""Of what the answer leaves, for earlier turns and their summary."""
HIGH_WATER = 0.75
"""Of the history's share: above it, older turns are summarised."""
LOW_WATER = 0.25
"""Of the history's share: what a summary leaves as it was said."""
REPLY_SHARE = 0.25
"""Of the context, at most, for the answer."""
_UNKNOWN_CONTEXT = 4_096


class Budget(msgspec.Struct, frozen=True):
    """Tokens, part by part."""

    context: int
    """All there are."""
    reply: int
    """Kept free for the answer."""
    history: int
    """Earlier turns and their summary, at most."""
    summary: int
    """The summary alone, at most."""
    high: int
    """More history than this is summarised."""
    low: int
    """What a summary leaves as it was said, at most."""

    @classmethod
    def of(cls, context: int) -> Budget:
        """Of a context of so many tokens; 0 where nobody knows yet."""
        context = context or _UNKNOWN_CONTEXT
        reply = min(LIMITS.reply_tokens, int(context * REPLY_SHARE))
        history = int((context - reply) * HISTORY_SHARE)
        return cls(
            context=context,
            reply=reply,
            history=history,
            summary=min(LIMITS.summary_tokens, history // 4),
            high=int(history * HIGH_WATER),
            low=int(history * LOW_WATER),
        )

    def beside(self, fixed: int) -> int:
        """The history's tokens where opening, block and question take `fixed`."""
        return max(0, min(self.history, self.context - self.reply - fixed))


def estimate(text: str) -> int:
    """Tokens of a text nobody has counted yet; rather too many."""
    return len(text.encode()) // 3 + 8


def at_least(text: str) -> int:
    """Tokens of a text nobody has counted yet; rather too few."""
    return len(text.encode()) // 6
