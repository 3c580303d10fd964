"""Manners among neighbours: a long prompt beside a stream, and other programs on the same cores."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import llama_server, texts
from tests.bench.nestor import Nestor, nestor, peers
from tests.bench.progress import say
from tests.bench.servers import Server
from tests.bench.stream import Answer, Failed, body, complete
from tests.bench.table import Row, p95, ratio, span

PROMPT_TOKENS = 3_000
HOGS = 2
MOST_GAP, LEAST_BESIDE = 2.5, 2.0
_BEFORE, _SKIPPED = 96, 4
"""Pieces of the stream before the prompt is sent."""
_QUIET_TOKENS = 128
_STREAM_TOKENS = 3_500
"""More than the prompt needs steps, if each takes one of its tokens."""
_STREAM_MAY_WAIT_S = 1.0
_WINDOW_S, _WINDOW_TOKENS = 12.0, 64
_SETTLE_S = 3.0
# Ends with whoever started it, however that ended.
_HOG = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


def measure(home: Path, runs: int, series: dict[str, Any]) -> Iterator[Row]:
    """Every row. About 15 minutes for 5 runs."""
    # Guesses are made only while no prompt is read: with them, quiet and beside would be two things.
    with nestor(home / "lookup-off", NESTOR_LOOKUP="off") as ours:
        yield from _beside_a_prompt(ours, runs)
    with nestor(home / "default") as ours, peers(ours) as others:
        peer = others.get(llama_server.NAME)
        yield from _beside_hogs([ours, peer] if peer else [ours], runs)


# --- a long prompt ---------------------------------------------------------------------------


@dataclass
class _Prompt:
    """A long prompt that is read in a thread of its own as soon as the stream has run a while."""

    server: Server
    seed: int
    begun: float = 0.0
    done: float = 0.0
    tokens: int = 0
    problem: str = ""
    thread: threading.Thread | None = None

    def watch(self, count: int, _moment: float) -> bool:
        """For every piece of the stream; False when the prompt was read."""
        if count == _BEFORE:
            self.thread = threading.Thread(target=self.read, daemon=True)
            self.thread.start()
        return not self.done

    def judge(self, ended: float) -> str:
        """Why the gaps say nothing, if the stream ended at that moment; else empty."""
        if self.thread is None:
            return f"the stream ended within {_BEFORE} pieces"
        beside = self.begun < self.done <= ended + _STREAM_MAY_WAIT_S
        return self.problem or ("" if beside else "the prompt was not read while the stream ran")

    def read(self) -> None:
        """Have it read, and note how long that takes."""
        text = texts.essay(self.seed, PROMPT_TOKENS) + "\n\nReply with one word."
        self.begun = time.perf_counter()
        try:
            answer = complete(self.server, body([{"role": "user", "content": text}], 1))
            self.tokens = answer.tokens_in
        except Failed as exc:
            self.problem = str(exc)
        self.done = time.perf_counter()

    @property
    def seconds(self) -> float:
        """For reading it."""
        return self.done - self.begun


@dataclass
class _Beside:
    """What was seen of streams with a long prompt beside them, run by run; in seconds."""

    quiet: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    read: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def take(self, quiet: Answer, answer: Answer, prompt: _Prompt, alone: _Prompt) -> str:
        """One run; in words. Quiet tokens may come two in a piece: a gap is the time of one token."""
        problem = prompt.judge(answer.arrivals[-1]) or alone.problem
        if problem:
            self.problems.append(problem)
            return problem
        self.quiet.append(1 / quiet.tokens_per_s)
        self.gaps.append(p95(_gaps(answer, prompt.begun, prompt.done)))
        self.read.append(prompt.seconds)
        self.alone.append(alone.seconds)
        self.tokens.append(prompt.tokens)
        return (
            f"{prompt.tokens} tokens in {prompt.seconds:.1f} s, alone {alone.seconds:.1f}; "
            f"p95 gap {1000 * self.gaps[-1]:.0f} ms, a quiet token {1000 * self.quiet[-1]:.0f} ms"
        )

    def rows(self) -> Iterator[Row]:
        """The gaps are held to the limit, the reading is only shown."""
        problem = "".join(self.problems[:1])
        yield Row("time per token of a quiet stream", "ms", [1000 * gap for gap in self.quiet])
        yield Row("p95 gap while a long prompt is read", "ms", [1000 * gap for gap in self.gaps])
        name = "p95 gap beside a long prompt, of a quiet token's time"
        yield ratio(name, self.gaps, self.quiet, problem=problem, most=MOST_GAP)
        note = f"{span(self.tokens)} tokens" if self.tokens else ""
        yield Row("a long prompt, read alone", "s", self.alone, note=note)
        yield Row("a long prompt, read beside a stream", "s", self.read, note=note)
        name = "reading beside a stream, of reading alone"
        yield ratio(name, self.read, self.alone, problem=problem)


def _beside_a_prompt(ours: Nestor, runs: int) -> Iterator[Row]:
    found = _Beside()
    for run in range(runs):
        alone = _Prompt(ours, 200 + run)
        alone.read()
        prompt = _Prompt(ours, 100 + run)
        quiet = complete(ours, body(texts.module(run), _QUIET_TOKENS))
        answer = complete(ours, body(texts.module(run), _STREAM_TOKENS), prompt.watch)
        if prompt.thread:
            prompt.thread.join()
        say(f"long prompt, run {run + 1} of {runs}: {found.take(quiet, answer, prompt, alone)}")
    yield from found.rows()


def _gaps(answer: Answer, begun: float, ended: float) -> list[float]:
    """Seconds between pieces, as far as they lie in this time; the first few pieces apart."""
    pairs = itertools.pairwise(answer.arrivals[_SKIPPED:])
    return [later - earlier for earlier, later in pairs if later > begun and earlier < ended]


# --- other programs --------------------------------------------------------------------------


@contextlib.contextmanager
def hogs(count: int) -> Iterator[None]:
    """So many processes that never sleep."""
    found = [subprocess.Popen([sys.executable, "-c", _HOG]) for _ in range(count)]
    try:
        yield
    finally:
        for process in found:
            process.kill()
            process.wait()


@dataclass
class _Window:
    """Ends a stream after some seconds or tokens."""

    arrivals: list[float] = field(default_factory=list)

    def watch(self, count: int, moment: float) -> bool:
        """For every piece."""
        self.arrivals.append(moment)
        return count < _WINDOW_TOKENS and moment - self.arrivals[0] < _WINDOW_S

    @property
    def tokens_per_s(self) -> float:
        """A piece counts as one token; where drafts are accepted it has more, so this is not too high."""
        return (len(self.arrivals) - 1) / (self.arrivals[-1] - self.arrivals[0])


def _beside_hogs(servers: list[Server], runs: int) -> Iterator[Row]:
    quiet = {server.name: _windows(server, 50) for server in servers}
    speeds: dict[str, list[float]] = {server.name: [] for server in servers}
    with hogs(HOGS):
        time.sleep(_SETTLE_S)
        for run in range(runs):
            for server in servers:
                speeds[server.name].append(_windows(server, run))
            told = ", ".join(f"{name} {found[-1]:.1f}" for name, found in speeds.items())
            say(f"beside {HOGS} busy programs, run {run + 1} of {runs}: {told} tokens/s")
    for name, values in speeds.items():
        note = f"{quiet[name]:.1f} without them"
        yield Row(f"tokens/s beside {HOGS} busy programs, {name}", "tokens/s", values, note=note)
    ours, theirs = speeds[servers[0].name], speeds.get(llama_server.NAME, [])
    yield ratio(f"speed beside {HOGS} busy programs, of {llama_server.NAME}'s", ours, theirs,
                least=LEAST_BESIDE)  # fmt: skip
    yield Row("our speed beside them, of our quiet one", "×",
              [statistics.median(ours) / quiet[servers[0].name]],
              note="a fair share is half: two of four busy threads")  # fmt: skip


def _windows(server: Server, run: int) -> float:
    window = _Window()
    with server.awake():
        complete(server, body(texts.story(run, 1), _WINDOW_TOKENS), window.watch)
    return window.tokens_per_s
