"""Holds the exams one after the other, each with a fresh subject, and tells how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import aclosing

from assistant.errors import AssistantError
from assistant.evaluation.exams import ABOUT, EXAMS
from assistant.evaluation.marks import Check, Report, Score, Timing
from assistant.evaluation.questions import Questions, load
from assistant.evaluation.subject import Maker, Reply, Subject

Progress = Callable[[str, int, int], None]
"""Hears which exam it is, and how many checks of how many are done."""


def _silent(_exam: str, _done: int, _total: int) -> None:
    """Nobody looks on."""


def expected(asked: Questions, exams: Sequence[str]) -> int:
    """How many checks there will be."""
    counts = {
        "corrections": sum(2 + len(one.ask) for one in asked.stale),
        "contradictions": len(asked.contradiction),
        "abstention": 2 * (len(asked.known) + len(asked.unknown)),
        "deletion": len(asked.secret),
        "poisoning": 2 * len(asked.poison) + 1,
        "languages": sum(len(one.asks) for one in asked.pair),
    }
    return sum(counts[name] for name in exams)


async def examine(
    maker: Maker,
    *,
    exams: Sequence[str] = tuple(EXAMS),
    asked: Questions | None = None,
    progress: Progress = _silent,
) -> Report:
    """Every exam named; an exam that cannot be held is listed in `skipped`, and the others go on."""
    asked = asked or load()
    begun = time.monotonic()
    checks: dict[str, list[Check]] = {}
    times: dict[str, list[float]] = {}
    replies: list[Reply] = []
    skipped = []
    done, total = 0, expected(asked, exams)

    def told(name: str, seconds: float) -> None:
        times.setdefault(name, []).append(seconds)

    for name in exams:
        try:
            async with maker.fresh() as subject:
                listening = _Listening(subject, replies)
                async with aclosing(EXAMS[name](listening, asked, told)) as marked:
                    async for score, check in marked:
                        checks.setdefault(score, []).append(check)
                        done += 1
                        progress(name, done, total)
        except AssistantError as exc:
            skipped.append(f"{name}: {exc.message}")
    speeds = sorted(reply.tokens_per_s for reply in replies if reply.tokens_per_s)
    times |= {"first token": [reply.first_s for reply in replies]} if replies else {}
    return Report(
        model=maker.model,
        embedder=maker.embedder,
        scores=tuple(Score(n, ABOUT[n], tuple(checks[n])) for n in ABOUT if n in checks),
        timings=tuple(Timing(name, tuple(some)) for name, some in times.items()),
        tokens_per_s=speeds[len(speeds) // 2] if speeds else 0.0,
        took_s=time.monotonic() - begun,
        skipped=tuple(skipped),
    )


class _Listening:
    """A subject whose answers are timed."""

    def __init__(self, subject: Subject, replies: list[Reply]) -> None:
        self._subject = subject
        self._replies = replies

    def __getattr__(self, name: str) -> object:
        return getattr(self._subject, name)

    async def ask(self, text: str) -> Reply:
        """As the subject's."""
        reply = await self._subject.ask(text)
        self._replies.append(reply)
        return reply
