"""Chat templates, one per family. A model file's own template is never executed.

Text that people, models or tools wrote becomes ordinary segments; only marks are `special`, so
nothing in a message can end its turn or open another one. Tools are told before the first message
of the user, in every family: where a maker's own template moves them along with the last message,
the prompt of a chat could not begin with the one before it.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from assistant.engine import dialects
from assistant.engine.dialects import MARKS, Dialect
from assistant.errors import FamilyUnknown
from assistant.types import Message, Part, Segment, Tool, ToolCall

_ANY_MARK = re.compile(f"({'|'.join(map(re.escape, sorted(MARKS)))})")
_Template = Callable[[Sequence[Message], Sequence[Tool]], Iterator[Segment]]

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
    family: str,
    messages: Sequence[Message],
    *,
    tools: Sequence[Tool] = (),
    unfinished: bool = False,
) -> tuple[Segment, ...]:
    """The prompt for the next answer. What stays the same in `messages` stays the same here.

    `unfinished`: up to the last part of the last message, which more text may follow.
    """
    try:
        template = _TEMPLATES[family]
    except KeyError:
        raise FamilyUnknown(f"There is no chat template named {family!r}.") from None
    segments = tuple(template(messages, tools))
    return _without_end(segments) if unfinished else segments


def _without_end(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    last = max((at for at, segment in enumerate(segments) if not segment.special), default=-1)
    return segments[: last + 1]


class _Framed(msgspec.Struct, frozen=True):
    """A family that puts each message between an opening, which names its role, and a closing."""

    dialect: Dialect
    opening: str
    closing: str
    assistant: str = "assistant"
    tool: str = ""
    """The opening of a tool's result; empty: results are in a message of the user, in tags."""
    tools: tuple[str, str] | None = None
    """The marks around what is told of the tools; None: it is part of the system message."""
    system: bool = True
    """Whether there is a system role."""

    def __call__(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Iterator[Segment]:
        """The prompt."""
        told = self.dialect.tell(tools) if tools else ""
        if told:
            messages = _told(messages, "" if self.tools else told)
        if not self.tool:
            messages = list(_results_into_user(messages))
        for at, message in enumerate(messages if self.system else _system_into_user(messages)):
            yield _mark(self._open(message.role))
            yield from _said(message, self.dialect)
            if told and self.tools and at == 0:
                yield from (_mark(self.tools[0]), Segment(told), _mark(self.tools[1]))
            yield _mark(self.closing)
        yield _mark(self._open("assistant"))

    def _open(self, role: str) -> str:
        if role == "tool":
            return self.tool
        return self.opening.replace("{role}", self.assistant if role == "assistant" else role)


class _Mistral(msgspec.Struct, frozen=True):
    """Mistral's v3 and v7: no roles, and every call and result under an id of nine characters."""

    dialect: Dialect

    def __call__(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Iterator[Segment]:
        """The prompt."""
        if tools:
            yield _mark("[AVAILABLE_TOOLS]")
            yield Segment(self.dialect.tell(tools))
            yield _mark("[/AVAILABLE_TOOLS]")
        for message in _system_into_user(messages):
            match message.role:
                case "assistant":
                    yield from _said(message, self.dialect)
                    yield _mark("</s>")
                case "tool":
                    yield _mark("[TOOL_RESULTS]")
                    yield Segment(_mistral_result(message), ref=_ref(message))
                    yield _mark("[/TOOL_RESULTS]")
                case _:
                    yield _mark("[INST]")
                    yield from _said(message, self.dialect)
                    yield _mark("[/INST]")


def _mistral_result(message: Message) -> str:
    id_ = json.dumps(dialects.short_id(message.call_id))
    return f'{{"content": {json.dumps(message.text, ensure_ascii=False)}, "call_id": {id_}}}'


_TEMPLATES: dict[str, _Template] = {
    "chatml": _Framed(dialects.of("chatml"), "<|im_start|>{role}\n", "<|im_end|>\n"),
    "llama3": _Framed(
        dialects.of("llama3"), "<|start_header_id|>{role}<|end_header_id|>\n\n", "<|eot_id|>",
        tool="<|start_header_id|>ipython<|end_header_id|>\n\n",
    ),
    "gemma": _Framed(
        dialects.of("gemma"), "<start_of_turn>{role}\n", "<end_of_turn>\n",
        assistant="model", system=False,
    ),
    "mistral": _Mistral(dialects.of("mistral")),
    # Phi-3 has line ends after its markers, Phi-4-mini none; Phi-3's tokens swallow them anyway.
    "phi": _Framed(
        dialects.of("phi"), "<|{role}|>", "<|end|>", tool="<|tool_response|>",
        tools=("<|tool|>", "<|/tool|>"),
    ),
}  # fmt: skip


def _mark(text: str) -> Segment:
    return Segment(text, special=True)


def _said(message: Message, dialect: Dialect) -> Iterator[Segment]:
    """The parts of a message, and its calls as a model writes them."""
    yield from (Segment(part.text, ref=part.ref) for part in message.parts if part.text)
    if message.calls:
        gap = "\n" if dialect.opening and message.text else ""
        yield from _joined(_called(message.calls, dialect, gap))


def _called(calls: Sequence[ToolCall], dialect: Dialect, gap: str) -> Iterator[Segment]:
    before = gap + dialect.first
    for call in calls:
        yield from _marked(before)
        yield Segment(dialect.body(call))
        before = dialect.between
    yield from _marked(dialect.last)


def _marked(text: str) -> Iterator[Segment]:
    for piece in filter(None, _ANY_MARK.split(text)):
        yield Segment(piece, special=piece in MARKS)


def _joined(segments: Iterator[Segment]) -> Iterator[Segment]:
    """Neighbours of one kind as one: a model that writes them knows no border there."""
    for special, group in itertools.groupby(segments, key=lambda segment: segment.special):
        yield Segment("".join(segment.text for segment in group), special)


def _told(messages: Sequence[Message], text: str) -> Sequence[Message]:
    """Messages that begin with a system message, which ends with `text`."""
    has = bool(messages) and messages[0].role == "system"
    parts = messages[0].parts if has else ()
    added = (Part(("\n\n" if parts else "") + text),) if text else ()
    return [Message("system", parts + added), *messages[has:]]


def _results_into_user(messages: Sequence[Message]) -> Iterator[Message]:
    """For families without a tool role: results that follow each other are one message of the user."""
    waiting: tuple[Part, ...] = ()
    for message in messages:
        if message.role == "tool":
            waiting += (Part(("\n" if waiting else "") + _tagged(message.text), _ref(message)),)
            continue
        if waiting:
            yield Message("user", waiting)
            waiting = ()
        yield message
    if waiting:
        yield Message("user", waiting)


def _tagged(result: str) -> str:
    # A result that held the tags could go on in the voice of the user.
    data = re.sub(r"<(/?)tool_response", r"<\\\1tool_response", result)
    return f"<tool_response>\n{data}\n</tool_response>"


def _ref(message: Message) -> str:
    return next((part.ref for part in message.parts if part.ref), "")


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
