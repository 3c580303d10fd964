"""What a long life costs in memory: a thousand turns, and what the model's child keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.nestor import nestor
from tests.bench.progress import say
from tests.bench.table import Row
from tests.running import RunningDaemon, events

TURNS, WARM_UP, CHATS = 1_000, 50, 100
MOST_MB = 20.0
_REAL_TURNS, _REAL_WARM_UP, _REAL_CHATS, _REAL_TOKENS = 100, 20, 20, 3
_EVERY = 50


def measure(home: Path, runs: int, series: dict[str, Any]) -> Iterator[Row]:
    """Every row; always one life, whatever `runs` is. About 2 minutes."""
    with nestor(home / "scripted", model="fake") as ours:
        chats = [ours.conversation() for _ in range(CHATS)]
        sizes = []
        for turn in range(WARM_UP + TURNS):
            ours.daemon.ask(f"Turn {turn}: what is new?", chats[turn % CHATS])
            if turn + 1 >= WARM_UP and (turn + 1 - WARM_UP) % _EVERY == 0:
                sizes.append(ours.rss())
                if len(sizes) % 5 == 1:
                    say(f"{turn + 1} turns: the daemon has {sizes[-1]:.1f} MB")
    series["daemon RSS by turns, MB"] = {str(_EVERY * at): size for at, size in enumerate(sizes)}
    yield Row("RSS of the daemon", "MB", sizes, note=f"every {_EVERY} of {TURNS} turns")
    yield Row(f"RSS of the daemon, growth over {TURNS} turns", "MB", [sizes[-1] - sizes[0]],
              most=MOST_MB, note="scripted model")  # fmt: skip
    yield from _real(home / "tiny")


def _real(home: Path) -> Iterator[Row]:
    with nestor(home, model="tiny") as ours:
        chats = [ours.conversation() for _ in range(_REAL_CHATS)]
        before = {}
        for turn in range(_REAL_WARM_UP + _REAL_TURNS):
            if turn == _REAL_WARM_UP:
                before = {name: ours.rss(name) for name in (None, "engine")}
                say(f"{turn} turns of the tiny model: its child has {before['engine']:.0f} MB")
            _cut_short(ours.daemon, chats[turn % _REAL_CHATS], turn)
        ours.until_idle()
        for name, size in before.items():
            label = f"RSS of the {name} child" if name else "RSS of the daemon"
            yield Row(f"{label}, growth over {_REAL_TURNS} turns", "MB", [ours.rss(name) - size],
                      note=f"tiny model, from {size:.0f} MB; each turn cancelled early")  # fmt: skip


def _cut_short(daemon: RunningDaemon, conversation: str, number: int) -> None:
    """A turn that is cancelled after its first tokens: this model would go on for a thousand."""
    path, turn, seen = f"/api/v1/conversations/{conversation}/turns", "", 0
    with daemon.api.stream("POST", path, json={"text": f"Tell me about {number}."}) as response:
        for _, name, data in events(response.iter_lines()):
            turn = data.get("turn", turn)
            seen += name == "token"
            if seen == _REAL_TOKENS:
                break
    daemon.api.delete(f"/api/v1/turns/{turn}").raise_for_status()
