"""Chat templates, one per family. A model file's own template is never executed.

Text that people or models wrote becomes ordinary segments; only the markers below are `special`,
so nothing in a message can end its turn or open another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from assistant.errors import FamilyUnknown
from assistant.types import Message, Part, Segment

_Template = Callable[[Sequence[Message]], Iterator[Segment]]

# Architectures (GGUF `general.architecture`) that leave no doubt. `llama` is not among them: Llama 3,
# Mistral 7B, SmolLM and many more share it, so their vocabulary decides.
_BY_ARCHITECTURE = {
    "qwen2": "chatml",
    "qwen2moe": "chatml",
    "qwen3": "chatml",
    "qwen3moe": "chatml",
    "qwen3next": "chatml",
    "gemma": "gemma",
    "gemma2": "gemma",
    "gemma3": "gemma",
    "gemma3n": "gemma",
    "mistral3": "mistral",
}

# A family's own marker: one token in its vocabulary, and in no other family's.
MARKERS = {
    "chatml": "<|im_start|>",
    "llama3": "<|start_header_id|>",
    "gemma": "<start_of_turn>",
    "mistral": "[INST]",
    "phi": "<|assistant|>",
}


def choose(architecture: str, marked: Sequence[str], chosen: str = "") -> str:
    """The family of a model: the one chosen, else by architecture, else by its vocabulary.

    `marked` names the families whose marker is one token of the model. Raises FamilyUnknown.
    """
    if chosen:
        if chosen not in _TEMPLATES:
            raise FamilyUnknown(f"There is no chat template named {chosen!r}.")
        return chosen
    if architecture in _BY_ARCHITECTURE:
        return _BY_ARCHITECTURE[architecture]
    if len(marked) == 1:
        return marked[0]
    raise FamilyUnknown(f"No chat template is known for the architecture {architecture!r}.")


def render(
    family: str, messages: Sequence[Message], *, unfinished: bool = False
) -> tuple[Segment, ...]:
    """The prompt for the next answer. What stays the same in `messages` stays the same here.

    `unfinished`: up to the last part of the last message, which more text may follow.
    """
    try:
        template = _TEMPLATES[family]
    except KeyError:
        raise FamilyUnknown(f"There is no chat template named {family!r}.") from None
    segments = tuple(template(messages))
    return _without_end(segments) if unfinished else segments


def _without_end(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    last = max((at for at, segment in enumerate(segments) if not segment.special), default=-1)
    return segments[: last + 1]


class _Framed(msgspec.Struct, frozen=True):
    """A family that puts each message between an opening, which names its role, and a closing."""

    opening: str
    closing: str
    assistant: str = "assistant"
    system: bool = True
    """Whether there is a system role."""

    def __call__(self, messages: Sequence[Message]) -> Iterator[Segment]:
        """The prompt."""
        for message in messages if self.system else _system_into_user(messages):
            yield self._open(message.role)
            yield from _text(message)
            yield _mark(self.closing)
        yield self._open("assistant")

    def _open(self, role: str) -> Segment:
        name = self.assistant if role == "assistant" else role
        return _mark(self.opening.replace("{role}", name))


def _mistral(messages: Sequence[Message]) -> Iterator[Segment]:
    for message in _system_into_user(messages):
        if message.role == "assistant":
            yield from _text(message)
            yield _mark("</s>")
        else:
            yield _mark("[INST]")
            yield from _text(message)
            yield _mark("[/INST]")


_TEMPLATES: dict[str, _Template] = {
    "chatml": _Framed("<|im_start|>{role}\n", "<|im_end|>\n"),
    "llama3": _Framed("<|start_header_id|>{role}<|end_header_id|>\n\n", "<|eot_id|>"),
    "gemma": _Framed("<start_of_turn>{role}\n", "<end_of_turn>\n", assistant="model", system=False),
    "mistral": _mistral,
    # Phi-3 has line ends after its markers, Phi-4-mini none; Phi-3's tokens swallow them anyway.
    "phi": _Framed("<|{role}|>", "<|end|>"),
}


def _mark(text: str) -> Segment:
    return Segment(text, special=True)


def _text(message: Message) -> Iterator[Segment]:
    return (Segment(part.text, ref=part.ref) for part in message.parts if part.text)


def _system_into_user(messages: Sequence[Message]) -> Iterator[Message]:
    """For families without a system role: its text opens the user message that follows."""
    waiting: tuple[Part, ...] = ()
    for message in messages:
        if message.role == "system":
            waiting += (*message.parts, Part("\n\n"))
        elif message.role == "user":
            yield Message("user", waiting + message.parts)
            waiting = ()
        else:
            yield message
    if waiting:
        yield Message("user", waiting)
