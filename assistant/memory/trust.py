"""Who vouches for a text, and what it may become for it.

Labels join downwards (`types.join_trust`): what was made from several texts has the lowest of theirs.
Only what the user said, or said yes to word for word, is ever taken for true, replaces what is taken
for true, or has an effect. Everything else is at most quoted, with the name of where it comes from.

`tables` asks here before it writes a row, and triggers of the database (migrations, m009) hold whoever
writes without asking.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Sequence

from assistant.errors import InvalidInput, Untrusted

CLAIMS: frozenset[str] = frozenset({"fact", "preference", "event", "task"})
"""Kinds that are taken for true: they answer questions, make the profile, start reminders."""


def may_become(kind: str, trust: str) -> bool:
    """Whether a text with this label may be stored as this kind."""
    return kind not in CLAIMS or trust == "user"


def may_act(trust: str) -> bool:
    """Whether text with this label may have an effect without the user's yes."""
    return trust == "user"


def may_replace(old: str, new: str) -> bool:
    """Whether a text labelled `new` may close or supersede one labelled `old`."""
    return new == "user" or old != "user"


def approval(text: str) -> str:
    """What a yes to exactly this text is: SHA-256 of its UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def vouched(trust: str, text: str, approved: str) -> str:
    """The label to store: `user` once the user said yes to exactly this text.

    Raises InvalidInput where the yes was given to another text, be it by one byte.
    """
    if not approved:
        return trust
    if not hmac.compare_digest(approved.encode(), approval(text).encode()):
        raise InvalidInput(
            "The yes was given to another text.", "Show the text as it is now and ask again."
        )
    return "user"


QUOTED_SHARE = 0.8
"""Of its score: with as much evidence, what the user said comes before what a file says."""


def own_first(
    best: Sequence[tuple[int, float]], quoted: Collection[int], k: int
) -> list[tuple[int, float]]:
    """The best `k` of rows, best first with their scores, those `quoted` from files below the others."""
    if not quoted:
        return list(best[:k])
    told = [
        (seq, round(score * QUOTED_SHARE, 4) if seq in quoted else score) for seq, score in best
    ]
    return sorted(told, key=lambda pair: -pair[1])[:k]


def check(kind: str, trust: str) -> None:
    """Raise Untrusted unless a text with this label may be stored as this kind."""
    if not may_become(kind, trust):
        raise Untrusted


def check_replaces(old: str, new: str) -> None:
    """Raise Untrusted unless a text labelled `new` may take the place of one labelled `old`."""
    if not may_replace(old, new):
        raise Untrusted("Text that is not yours cannot take the place of what you said.")
