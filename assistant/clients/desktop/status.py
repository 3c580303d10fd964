"""What the icon shows: pure, from what the daemon says and from what this program does itself.

What takes something from the user (sound, screen) is shown before all else: an icon that says `error` while
the microphone is open would hide what matters most.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

from assistant.types import Event

Taking = Literal["recording", "sharing", "listening", "waiting", "wake_word"]
"""What is taken from the user at this desktop, the most first. `waiting`: the microphone is open, for the
wake word or for the beginning of the next talk, and what it hears is dropped within seconds; `wake_word`:
it is open for the wake word.
"""

Shown = Literal[
    "recording", "sharing", "listening", "offline", "error", "thinking", "waiting", "idle"
]
SHOWN: tuple[Shown, ...] = get_args(Shown)

_BEFORE_ALL: tuple[Literal["recording", "sharing", "listening"], ...] = (
    "recording", "sharing", "listening",
)  # fmt: skip

WORDS: dict[Shown, str] = {
    "recording": "recording",
    "sharing": "seeing your screen",
    "listening": "listening",
    "offline": "not running",
    "error": "needs attention",
    "thinking": "thinking",
    "waiting": "microphone open",
    "idle": "ready",
}


class Chat(msgspec.Struct, frozen=True):
    """A conversation with the beginning of its latest answer."""

    id: str
    title: str
    answer: str = ""


class Seen(msgspec.Struct, frozen=True):
    """All that is known. Each step makes a new one."""

    online: bool = False
    problem: str = ""
    """Why it does not work as it should, in a sentence; empty if it does."""
    hint: str = ""
    turns: frozenset[str] = frozenset()
    """Being answered now."""
    busy: bool = False
    """Whether the model had work when its state was last read."""
    taking: frozenset[Taking] = frozenset()
    model: str = ""
    place: str = ""
    """Where the model runs, in words; empty until it is loaded."""
    memories: int = 0
    paused: bool = False
    """Whether nothing new is learnt from what is said on this desktop."""
    chats: tuple[Chat, ...] = ()
    devices: tuple[str, ...] = ()


def shown(seen: Seen) -> Shown:
    """The one thing the icon says."""
    for taken in _BEFORE_ALL:
        if taken in seen.taking:
            return taken
    if not seen.online:
        return "offline"
    if seen.problem:
        return "error"
    if seen.turns or seen.busy:
        return "thinking"
    return "waiting" if "waiting" in seen.taking else "idle"


def sentence(seen: Seen) -> str:
    """The icon's tooltip, and its name for screen readers."""
    now = shown(seen)
    said = f"Nestor: {WORDS[now]}"
    if now == "error":
        said += f". {seen.problem}"
    return f"{said} (microphone open)" if "waiting" in seen.taking and now != "waiting" else said


def after(seen: Seen, event: Event) -> Seen:
    """What an event changes by itself. A turn that ends ends what `busy` remembered of it, too."""
    match event.event:
        case "turn_started":
            turns = seen.turns | {event.data["turn"]}
        case "turn_finished":
            turns = seen.turns - {event.data["turn"]}
        case _:
            return seen
    return msgspec.structs.replace(seen, turns=turns, busy=seen.busy and bool(turns))


def off(seen: Seen) -> Seen:
    """No daemon answers: what it said holds no longer. What is taken here goes on."""
    return Seen(taking=seen.taking)


def take(seen: Seen, what: Taking, *, on: bool) -> Seen:
    """This program begins or ends to take something."""
    taking = seen.taking | {what} if on else seen.taking - {what}
    return msgspec.structs.replace(seen, taking=taking)


def read(seen: Seen, status: dict[str, Any]) -> Seen:
    """`GET /api/v1/status` anew."""
    model = status["model"]
    problem, hint = _problem(status)
    return msgspec.structs.replace(
        seen,
        online=True,
        problem=problem,
        hint=hint,
        busy=status["queue"]["length"] > 0,
        model=model["id"],
        place=_place(model),
        memories=status["memory"]["count"],
    )


def _problem(status: dict[str, Any]) -> tuple[str, str]:
    model, memory = status["model"], status["memory"]
    if model["state"] == "missing":
        return f"The model {model['id']} is not here.", f"nestor models pull {model['id']}"
    if model["state"] == "failed":
        return model["problem"] or "The model cannot be used.", "nestor doctor"
    if memory.get("problem"):
        return memory["problem"], "nestor doctor"
    return "", ""


def _place(model: dict[str, Any]) -> str:
    if model["state"] != "ready":
        return {"loading": "loading", "unloaded": "asleep"}.get(model["state"], "")
    if not model["gpu_layers"]:
        return "on this computer's CPU"
    if model["gpu_layers"] >= model["layers"]:
        return f"on {model['device']}"
    return f"on {model['device']} ({model['gpu_layers']} of {model['layers']} layers) and the CPU"
