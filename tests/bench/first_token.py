"""Time to first token over the turns of a short chat with five recalled memories a turn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from assistant.core.prompt import SYSTEM
from tests.bench import llama_server, texts
from tests.bench.nestor import NAME, Nestor, nestor, peers
from tests.bench.progress import figures, say
from tests.bench.servers import Peer
from tests.bench.stream import Answer, Failed, ask, body, complete
from tests.bench.table import Row, ratio, span

TURNS = 12
TENTH = 9
"""Turn 10, counted from 0."""
APPEND_ONLY = f"{llama_server.NAME}, same prompt"
USUAL = f"{llama_server.NAME}, memories in the system prompt"
_USUAL_CHATS = 2
"""Of the layout that is only in the plot: each takes half a minute."""
MOST, WARM_MOST = 1.0, 0.4
"""Of llama-server's time, plain and with the draft sent ahead."""

_Messages = list[dict[str, str]]
_Times = dict[str, list[list[float]]]
"""Seconds by server and layout: of each chat, of each turn."""


def measure(home: Path, runs: int, series: dict[str, Any]) -> Iterator[Row]:
    """Every row; `series` gets the times of every turn for the plot. About 6 minutes for 5 runs."""
    times: _Times = defaultdict(list)
    tokens: list[float] = []
    with nestor(home) as ours, peers(ours) as others:
        ours.remember(texts.facts())
        peer = others.get(llama_server.NAME)
        counts: set[int] = set()
        for chat in range(runs):
            plain = _our_chat(ours, chat, times)
            counts |= {len(answer.recalled) for answer in plain}
            if peer:
                with peer.awake():
                    share = _peers_chat(peer, chat, plain, times)
                tokens.append(100 * share)
            say(f"chat {chat + 1} of {runs}, first token of turns 1 to {TURNS}: "
                + figures(times[NAME][-1][:TURNS], "s"))  # fmt: skip
    series["first token by turn, s"] = {
        name: [seconds[:TURNS] for seconds in chats] for name, chats in times.items()
    }
    yield from _rows(times, tokens, counts)


def _our_chat(ours: Nestor, chat: int, times: _Times) -> list[Answer]:
    """Twelve turns, one with its draft sent ahead, one with most of its draft; unwarmed, only twelve."""
    conversation = ours.conversation()
    answers = [ask(ours, conversation, texts.question(chat, turn)) for turn in range(TURNS)]
    try:
        for turn, draft in ((TURNS, texts.question), (TURNS + 1, texts.draft)):
            ours.warm(conversation, draft(chat, turn))
            answers.append(ask(ours, conversation, texts.question(chat, turn)))
    except Failed as exc:
        say(f"not warmed: {exc}")
    times[NAME].append([answer.first_s for answer in answers])
    return answers


def _peers_chat(peer: Peer, chat: int, ours: Sequence[Answer], times: _Times) -> float:
    """The same chat: our notes and questions, its own answers, as long as ours were.

    Returns its tokens of the tenth prompt over ours.
    """
    answers = _replay(peer, chat, ours, append_only=True)
    times[APPEND_ONLY].append([answer.first_s for answer in answers])
    if chat < _USUAL_CHATS:
        usual = _replay(peer, chat, ours[:TURNS], append_only=False)
        times[USUAL].append([answer.first_s for answer in usual])
    return answers[TENTH].tokens_in / ours[TENTH].tokens_in


def _replay(peer: Peer, chat: int, ours: Sequence[Answer], *, append_only: bool) -> list[Answer]:
    history: _Messages = []
    answers = []
    for turn, answer in enumerate(ours):
        notes, question = block(answer.recalled), texts.question(chat, turn)
        system = SYSTEM if append_only else f"{SYSTEM}\n\n{notes}"
        history.append({"role": "user", "content": notes + question if append_only else question})
        messages = [{"role": "system", "content": system}, *history]
        answers.append(complete(peer, body(messages, answer.tokens_out)))
        history.append({"role": "assistant", "content": answers[-1].text})
    return answers


def block(recalled: Sequence[str]) -> str:
    """The time and the memories, as our own prompt has them before a question."""
    moment = datetime.now()  # noqa: DTZ005 - as a user reads it
    day = f"{moment.day} {moment:%B %Y}"
    notes = "".join(f"[Note of {day}: {text}]\n" for text in recalled)
    return f"[Now: {moment:%A}, {day}, {moment:%H:%M}]\n{notes}\n"


def _rows(times: _Times, tokens: Sequence[float], counts: set[int]) -> Iterator[Row]:
    ours, theirs = _at(times[NAME], TENTH), _at(times[APPEND_ONLY], TENTH)
    recalled = f"{span(counts)} memories a turn"
    note = f"its prompt has {span(tokens)} % of our tokens" if tokens else ""
    yield Row("first token, turn 10 with 5 memories", "s", ours, note=recalled)
    yield Row(f"the same, {APPEND_ONLY}", "s", theirs, note=note)
    few = f"only {recalled}" if min(counts) < texts.RECALLED else ""
    yield ratio(
        f"first token, turn 10, of {llama_server.NAME}'s", ours, theirs, problem=few, most=MOST
    )
    for turn, name, limit in (
        (TURNS, "first token, draft sent ahead", {"most": WARM_MOST}),
        (TURNS + 1, "first token, draft without its last words sent ahead", {}),
    ):
        ours, theirs = _at(times[NAME], turn), _at(times[APPEND_ONLY], turn)
        yield Row(name, "s", ours, problem="" if ours else "POST /api/v1/warm failed")
        yield ratio(f"{name}, of {llama_server.NAME}'s", ours, theirs, **limit)


def _at(chats: Sequence[Sequence[float]], turn: int) -> list[float]:
    return [seconds[turn] for seconds in chats if len(seconds) > turn]
