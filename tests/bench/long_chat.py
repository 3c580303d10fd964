"""Time to first token in a chat of more than 3,000 tokens: as it is, and after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.core.prompt import SYSTEM
from tests.bench import llama_server, texts
from tests.bench.first_token import USUAL, block
from tests.bench.nestor import Nestor, nestor, peers
from tests.bench.progress import say
from tests.bench.servers import Peer
from tests.bench.stream import Answer, ask, body, complete
from tests.bench.table import Row, ratio, span

HISTORY_TOKENS = 3_000
PARTS = 6
LEAST_SOONER, LEAST_RESTORED = 8.0, 5.0
_CONTEXT = "16384"
"""So that no turn has to leave while the chat goes on for ten more."""
_PART_TOKENS = 520
_NOTED = "\n\nReply with the single word: noted."
_COLD_SEED = 1_000


@dataclass
class Chat:
    """A long conversation of ours, and what a peer is told of it."""

    id: str
    messages: list[dict[str, str]] = field(default_factory=list)
    turns: int = 0

    def add(self, text: str, reply: str) -> None:
        """A turn that is over."""
        self.messages.append({"role": "user", "content": text})
        self.messages.append({"role": "assistant", "content": reply})


def measure(home: Path, runs: int, series: dict[str, Any]) -> Iterator[Row]:
    """Every row. About 5 minutes for 5 runs."""
    with nestor(home, NESTOR_CONTEXT=_CONTEXT) as ours:
        ours.remember(texts.facts())
        chat = _history(ours)
        with peers(ours) as others:
            yield from _against_usual(ours, others.get(llama_server.NAME), chat, runs)
        yield from _restarted(ours, chat, runs)


def _history(ours: Nestor) -> Chat:
    chat = Chat(ours.conversation())
    for part in range(PARTS):
        text = texts.essay(part, _PART_TOKENS) + _NOTED
        answer = ask(ours, chat.id, text, memory=False)
        chat.add(text, answer.text)
        say(f"long chat: part {part + 1} of {PARTS}, {answer.tokens_in} tokens")
    return chat


def _next(ours: Nestor, chat: Chat) -> tuple[str, Answer]:
    question = texts.question(0, chat.turns)
    chat.turns += 1
    return question, ask(ours, chat.id, question)


def _against_usual(ours: Nestor, peer: Peer | None, chat: Chat, runs: int) -> Iterator[Row]:
    mine, theirs, history = [], [], []
    for run in range(runs + 1):
        question, answer = _next(ours, chat)
        if peer:
            with peer.awake():
                usual = _usual(peer, chat, question, answer)
        if run:  # the first one only brings both to where such a chat is: in their caches
            mine.append(answer.first_s)
            history.append(answer.tokens_in)
            theirs += [usual.first_s] if peer else []
            say(f"long chat: run {run} of {runs}, first token after {answer.first_s:.2f} s"
                + (f", llama-server {usual.first_s:.2f} s" if peer else ""))  # fmt: skip
        chat.add(question, answer.text)
    short = min(history) < HISTORY_TOKENS
    problem = f"only {min(history)} tokens of history" if short else ""
    note = f"prompts of {span(history)} tokens"
    yield Row("first token, long chat", "s", mine, note=note, problem=problem)
    yield Row(f"the same, {USUAL}", "s", theirs)
    yield ratio("long chat: times sooner than llama-server so", theirs, mine, least=LEAST_SOONER)


def _usual(peer: Peer, chat: Chat, question: str, ours: Answer) -> Answer:
    system = {"role": "system", "content": f"{SYSTEM}\n\n{block(ours.recalled)}"}
    messages = [system, *chat.messages, {"role": "user", "content": question}]
    return complete(peer, body(messages, 2))


def _restarted(ours: Nestor, chat: Chat, runs: int) -> Iterator[Row]:
    """The next turn of the chat after a restart, and one that is as long and was never read before."""
    restored, cold, cached = [], [], []
    for run in range(runs):
        ours.restart()
        ours.search("What do you know about Ana?")
        _, answer = _next(ours, chat)
        restored.append(answer.first_s)
        cached.append(100 * answer.cached / answer.tokens_in)
        cold.append(_cold(ours, run, answer))
        say(f"restart {run + 1} of {runs}: first token after {restored[-1]:.2f} s, "
            f"cold {cold[-1]:.2f} s")  # fmt: skip
    note = f"{span(cached)} % of the prompt was not read again"
    yield Row("first token, long chat after a restart", "s", restored, note=note)
    yield Row("the same prompt length, cold", "s", cold)
    yield ratio("long chat after a restart: times sooner than cold", cold, restored,
                least=LEAST_RESTORED)  # fmt: skip


def _cold(ours: Nestor, run: int, like: Answer) -> float:
    """Seconds to the first token of a fresh chat, scaled to the other's number of tokens."""
    text = texts.essay(_COLD_SEED + run, like.tokens_in - 100) + _NOTED
    answer = ask(ours, ours.conversation(), text, memory=False)
    return answer.first_s * like.tokens_in / answer.tokens_in
