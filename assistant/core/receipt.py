"""The account of one answer: what was in its prompt, what it cost, where it ran, what left the machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assistant.core.prompt import Context, History
from assistant.types import Finished, ModelInfo, Prefilled, Recalled, Turn

_OPENING = frozenset({"system", "pinned", "summary", ""})
"""Refs of what stood in the prompt before; so did those of earlier turns."""


class Receipt:
    """Filled in as the turn goes on. Names memories by id, so that a forgotten one leaves no text."""

    def __init__(self) -> None:
        self._recalled: Sequence[Recalled] = ()
        self._history = History()
        self._reason = ""
        self._truncated: tuple[str, ...] = ()
        self._prefilled = Prefilled(0, 0)
        self._first_s: float | None = None
        self._end: tuple[Finished, ModelInfo] | None = None
        self._changes: dict[str, Any] = {}
        self._pinned: Sequence[str] = ()

    def changed(self, done: dict[str, Any]) -> None:
        """What became of memories in this turn, by id."""
        self._changes = done

    def pinned(self, memory_ids: Sequence[str]) -> None:
        """The memories in the profile that the conversation began with."""
        self._pinned = memory_ids

    def without_model(self, shown: Sequence[Recalled]) -> None:
        """It is answered, and no model had a part in it."""
        self._recalled = shown
        self._end = Finished("stop", 0, 0.0, 0.0), ModelInfo("none", "", "ready", device="none")

    def begin(
        self, recalled: Sequence[Recalled], history: History, context: Context, reason: str
    ) -> None:
        """What goes into the prompt, and why the turns that do not are left out."""
        self._recalled, self._history, self._reason = recalled, history, reason
        self._truncated = context.truncated

    def read(self, prefilled: Prefilled) -> int:
        """The prompt was read; returns the tokens that this turn added to it."""
        self._prefilled = prefilled
        old = _OPENING | {turn.id for turn in self._history.kept}
        return sum(n for ref, n in prefilled.counts.items() if ref not in old) + 16

    def first(self, seconds: float) -> None:
        """A piece is out; the first one counts."""
        if self._first_s is None:
            self._first_s = seconds

    def finish(self, finished: Finished, model: ModelInfo) -> None:
        """The answer is complete."""
        self._end = finished, model

    def data(self) -> dict[str, Any]:
        """As sent and logged. Times in milliseconds."""
        counts, history = self._prefilled.counts, self._history
        out: dict[str, Any] = {
            "memories": [
                {"id": m.id, "score": round(m.score, 4), "tokens": counts.get(m.id, 0)}
                for m in self._recalled
            ],
            "messages": [
                {"turn": turn.id, "tokens": counts.get(turn.id, 0)} for turn in history.kept
            ],
            "summarised": _range(history.summarised),
            "tokens": self._tokens(),
            "dropped": [
                *({"turn": turn.id, "reason": self._reason} for turn in history.dropped),
                *({"turn": turn.id, "reason": "unanswered"} for turn in history.unanswered),
                *({"memory": id_, "reason": "shortened"} for id_ in self._truncated),
            ],
            "tokens_in": self._prefilled.tokens,
            "tokens_cached": self._prefilled.cached,
            "memory": self._changes,
            "profile": list(self._pinned),
            "left_machine": [],
        }
        return out if self._end is None else out | self._ending(*self._end)

    def _tokens(self) -> dict[str, int]:
        """Part by part; together they are `tokens_in`."""
        counts = self._prefilled.counts
        alone = {part: counts.get(part, 0) for part in ("system", "pinned", "summary")}
        asked = {part: counts.get(part, 0) for part in ("context", "question")}
        memories = sum(counts.get(m.id, 0) for m in self._recalled)
        history = sum(counts.get(turn.id, 0) for turn in self._history.kept)
        return (
            alone
            | {"history": history, "memories": memories}
            | asked
            | {"template": counts.get("", 0)}
        )

    def _ending(self, finished: Finished, model: ModelInfo) -> dict[str, Any]:
        speed = finished.tokens_out / finished.decode_s if finished.decode_s > 0 else None
        return {
            "tokens_out": finished.tokens_out,
            "finish_reason": finished.reason,
            "first_token_ms": round((self._first_s or 0.0) * 1000, 1),
            "tokens_per_s": round(speed, 1) if speed else None,
            "drafted": finished.drafted,
            "accepted": finished.accepted,
            "model": model.id,
            "where": {
                "device": model.device,
                "gpu_layers": model.gpu_layers,
                "layers": model.layers,
            },
        }


def _range(turns: Sequence[Turn]) -> dict[str, Any] | None:
    """Turns in a row, by the first and the last: a long chat has a thousand of them."""
    if not turns:
        return None
    return {"from": turns[0].id, "to": turns[-1].id, "turns": len(turns)}
