"""One streamed answer, timed piece by piece: of any OpenAI-compatible server, and of our own turns.

Plain http.client: whatever the measuring costs is taken from the two cores that are measured.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench.servers import Server

TIMEOUT_S = 300.0


class Failed(Exception):
    """The server did not answer as it should; carries what it said."""


@dataclass(frozen=True)
class Answer:
    """What came, and when. Times are of `time.perf_counter`."""

    begun: float
    arrivals: tuple[float, ...]
    """One per piece of text."""
    text: str
    tokens_in: int
    tokens_out: int
    cached: int = 0
    recalled: tuple[str, ...] = ()
    """Texts of the memories before the question."""

    @property
    def first_s(self) -> float:
        """Time to first token."""
        return self.arrivals[0] - self.begun

    @property
    def tokens_per_s(self) -> float:
        """Decoding speed: from the first piece to the last."""
        return (self.tokens_out - 1) / (self.arrivals[-1] - self.arrivals[0])


def body(messages: Sequence[dict[str, str]], max_tokens: int, **rest: Any) -> dict[str, Any]:
    """A greedy, streamed chat completion."""
    return {
        "model": "default", "messages": list(messages), "max_tokens": max_tokens, "temperature": 0,
        "stream": True, "stream_options": {"include_usage": True}, **rest,
    }  # fmt: skip


def complete(
    server: Server,
    wanted: dict[str, Any],
    on_piece: Callable[[int, float], bool] | None = None,
) -> Answer:
    """Ask and read it all; `on_piece(count, moment)` may end it early by returning False.

    Raises Failed. Tokens are the server's count; one that gives none (llama_cpp.server does not,
    when it streams) produced `max_tokens` if it says that the length ended it, else one a piece.
    """
    begun = time.perf_counter()
    arrivals, text, usage, reason = [], [], {}, ""
    for data in _lines(server, "/v1/chat/completions", wanted):
        if "error" in data:
            raise Failed(f"{server.name}: {data['error']}")
        usage = data.get("usage") or usage
        for choice in data["choices"]:
            reason = choice.get("finish_reason") or reason
            if piece := choice["delta"].get("content"):
                arrivals.append(time.perf_counter())
                text.append(piece)
        if on_piece and arrivals and not on_piece(len(arrivals), arrivals[-1]):
            break
    if not arrivals:
        raise Failed(f"{server.name} gave no text")
    counted = wanted["max_tokens"] if reason == "length" else len(arrivals)
    return Answer(
        begun,
        tuple(arrivals),
        "".join(text),
        tokens_in=usage.get("prompt_tokens", 0),
        tokens_out=usage.get("completion_tokens", counted),
        cached=(usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0),
    )


def ask(server: Server, conversation: str, text: str, *, memory: bool = True) -> Answer:
    """One turn of a conversation of ours. Raises Failed."""
    begun = time.perf_counter()
    arrivals, pieces, recalled, receipt = [], [], (), {}
    path = f"/api/v1/conversations/{conversation}/turns"
    for data in _lines(server, path, {"text": text, "memory": memory}):
        if "error" in data:
            raise Failed(f"a turn failed: {data['error']}")
        if set(data) == {"text"}:
            arrivals.append(time.perf_counter())
            pieces.append(data["text"])
        elif "items" in data:
            recalled = tuple(item["text"] for item in data["items"])
        elif "tokens_in" in data:
            receipt = data
    if not arrivals:
        raise Failed("a turn gave no text")
    return Answer(
        begun,
        tuple(arrivals),
        "".join(pieces),
        tokens_in=receipt["tokens_in"],
        tokens_out=receipt["tokens_out"],
        cached=receipt["tokens_cached"],
        recalled=recalled,
    )


def together(server: Server, wanted: Sequence[dict[str, Any]]) -> tuple[list[Answer], float]:
    """Ask all at once; the answers, and the tokens per second of all of them from first byte to last."""
    answers: list[Answer | Exception] = [Failed("no answer")] * len(wanted)
    ready = threading.Barrier(len(wanted))

    def client(at: int) -> None:
        try:
            ready.wait()
            answers[at] = complete(server, wanted[at])
        except Exception as exc:
            answers[at] = exc

    threads = [
        threading.Thread(target=client, args=(at,), daemon=True) for at in range(len(wanted))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = []
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
        good.append(answer)
    wall = max(a.arrivals[-1] for a in good) - min(a.begun for a in good)
    return good, sum(a.tokens_out for a in good) / wall


def _lines(server: Server, path: str, wanted: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The `data:` lines of the event stream that a POST answers with."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)
    try:
        head = {"Content-Type": "application/json", **server.headers}
        connection.request("POST", path, json.dumps(wanted), head)
        response = connection.getresponse()
        if response.status != 200:
            said = response.read(500).decode("utf-8", "replace")
            raise Failed(f"{server.name} answered {response.status}: {said}")
        for line in response:
            if line.startswith(b"data: {"):
                yield json.loads(line[6:])
    except (OSError, http.client.HTTPException) as exc:
        raise Failed(f"{server.name} was lost: {type(exc).__name__} {exc}") from exc
    finally:
        connection.close()
