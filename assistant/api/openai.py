"""The OpenAI protocol: models, chat completions, embeddings.

The shapes are those of OpenAI's API reference (Chat, Embeddings, Models). Fields we do not know are
ignored; a field we know but cannot honour yet is refused, never ignored.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
import struct
import time
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header
from fastapi import Request as HttpRequest
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from assistant.api.deps import Use
from assistant.api.disconnect import unless_gone
from assistant.api.replies import error_body, keep_alive, reply
from assistant.api.services import Services
from assistant.config import LIMITS
from assistant.core.checks import check_text
from assistant.errors import (
    AssistantError,
    EmptyText,
    InvalidInput,
    ModelNotFound,
    UnsupportedParameter,
)
from assistant.types import (
    Finished,
    Generated,
    Message,
    Part,
    Piece,
    Prefilled,
    Request,
    Role,
    Sampling,
    new_id,
)

router = APIRouter(prefix="/v1", tags=["openai"])

DEFAULT = "default"
_ROLES: dict[str, Role] = {"system": "system", "developer": "system", "user": "user",
                           "assistant": "assistant"}  # fmt: skip
_Finite = Annotated[float | None, Field(allow_inf_nan=False)]


class TextPart(BaseModel):
    """A part of a message's content. Only text for now."""

    type: str = Field(max_length=40)
    text: str | None = Field(None, max_length=LIMITS.body_bytes)


class ChatMessage(BaseModel):
    """One message."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None

    def value(self) -> Message:
        """As a prompt's message. Raises UnsupportedParameter for what is not text."""
        if self.role not in _ROLES:
            raise UnsupportedParameter(f"Messages of role {self.role!r} are not supported yet.")
        if isinstance(self.content, list):
            if any(part.type != "text" or part.text is None for part in self.content):
                raise UnsupportedParameter("Only text parts are supported.")
            return Message(_ROLES[self.role], tuple(Part(p.text or "") for p in self.content))
        return Message.of(_ROLES[self.role], self.content or "")


class StreamOptions(BaseModel):
    """Options of a stream."""

    include_usage: bool | None = None


class ChatRequest(BaseModel):
    """A chat completion to be."""

    model: str = Field(DEFAULT, max_length=LIMITS.name_chars)
    messages: list[ChatMessage] = Field(min_length=1, max_length=LIMITS.completion_messages)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float | None, Field(ge=0, le=2, allow_inf_nan=False)] = None
    top_p: Annotated[float | None, Field(gt=0, le=1, allow_inf_nan=False)] = None
    max_tokens: Annotated[int | None, Field(ge=1, le=1 << 20)] = None
    max_completion_tokens: Annotated[int | None, Field(ge=1, le=1 << 20)] = None
    seed: Annotated[int | None, Field(ge=-(1 << 63), lt=1 << 63)] = None
    stop: Annotated[str, Field(max_length=LIMITS.stop_chars)] | Annotated[
        list[Annotated[str, Field(max_length=LIMITS.stop_chars)]], Field(max_length=LIMITS.stop_strings)
    ] | None = None  # fmt: skip
    n: Annotated[int | None, Field(ge=1, le=128)] = None
    logprobs: bool | None = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    response_format: dict[str, Any] | None = None

    def sampling(self, default: Sampling) -> Sampling:
        """The model's defaults with what was asked for."""
        given = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": self.seed,
            "max_tokens": self.max_completion_tokens or self.max_tokens,
            "stop": tuple([self.stop] if isinstance(self.stop, str) else self.stop or ()),
        }
        changed = {k: v for k, v in given.items() if v is not None}
        return Sampling(**({f: getattr(default, f) for f in default.__struct_fields__} | changed))

    def refuse(self) -> None:
        """Raise UnsupportedParameter for what would silently not happen."""
        if self.n not in (None, 1):
            raise UnsupportedParameter("Only n=1 is supported.")
        if self.logprobs:
            raise UnsupportedParameter("logprobs are not supported.")
        if self.tools and self.tool_choice != "none":
            raise UnsupportedParameter("tools are not supported yet.")
        if self.response_format and self.response_format.get("type") != "text":
            raise UnsupportedParameter("response_format other than text is not supported yet.")


class EmbeddingsRequest(BaseModel):
    """Texts to be embedded."""

    model: str = Field(DEFAULT, max_length=LIMITS.name_chars)
    input: Annotated[str, Field(max_length=LIMITS.memory_chars)] | Annotated[
        list[Annotated[str, Field(max_length=LIMITS.memory_chars)]],
        Field(min_length=1, max_length=LIMITS.embed_inputs),
    ]  # fmt: skip
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int | None, Field(ge=1, le=1 << 16)] = None


@router.get("/models")
async def list_models(use: Use) -> Response:
    """The model in use under its id and as `default`, and the embedder."""
    return reply({"object": "list", "data": [_model(name) for name in _names(use)]})


@router.get("/models/{model_id:path}")
async def read_model(use: Use, model_id: str) -> Response:
    """One of them."""
    if model_id not in _names(use):
        raise ModelNotFound
    return reply(_model(model_id))


@router.post("/chat/completions")
async def chat_completions(
    use: Use,
    request: HttpRequest,
    body: ChatRequest,
    x_nestor_memory: Annotated[str | None, Header(max_length=8)] = None,
) -> Response:
    """Answer a list of messages. With `X-Nestor-Memory: on`, memories join the last user message."""
    _check_model(body.model, (use.completions.model(), DEFAULT))
    body.refuse()
    messages = tuple(message.value() for message in body.messages)
    if not any(message.text.strip() for message in messages):
        raise EmptyText
    for message in messages:
        if "\0" in message.text:
            raise InvalidInput("The text holds a NUL character.", "Remove it and send again.")
    items = use.completions.stream(
        Request(messages, body.sampling(use.completions.sampling())),
        recall=(x_nestor_memory or "").strip().lower() == "on",
    )
    # The prompt is read before the first byte, so that a refusal still has its status.
    prefilled = await unless_gone(request, anext(items))
    assert isinstance(prefilled, Prefilled)
    answer = _Answer(use.completions.model(), prefilled)
    if body.stream:
        usage = bool(body.stream_options and body.stream_options.include_usage)
        chunks = answer.chunks(items, usage=usage)
        return StreamingResponse(keep_alive(chunks), media_type="text/event-stream")
    return reply(await unless_gone(request, answer.whole(items)))


@router.post("/embeddings")
async def embeddings(use: Use, body: EmbeddingsRequest) -> Response:
    """Unit vectors of the memory's embedder."""
    texts = [body.input] if isinstance(body.input, str) else body.input
    for text in texts:
        check_text(text, LIMITS.memory_chars)
    if use.embedder.embed_model:
        _check_model(body.model, (use.embedder.embed_model, DEFAULT))
    vectors = await use.embedder.embed(texts)
    _check_model(body.model, (use.embedder.embed_model, DEFAULT))
    if body.dimensions not in (None, len(vectors[0])):
        raise UnsupportedParameter(f"Vectors here have {len(vectors[0])} dimensions.")
    packed = body.encoding_format == "base64"
    data = [
        {"object": "embedding", "index": i, "embedding": _base64(v) if packed else v}
        for i, v in enumerate(vectors)
    ]
    # The embedder does not count tokens; words are near enough for a bill that is never sent.
    words = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": words, "total_tokens": words}
    return reply(
        {"object": "list", "data": data, "model": use.embedder.embed_model, "usage": usage}
    )


class _Answer:
    """One completion, in either form."""

    def __init__(self, model: str, prefilled: Prefilled) -> None:
        self._head = {"id": new_id("chatcmpl"), "created": int(time.time()), "model": model}
        self._prefilled = prefilled

    async def whole(self, items: AsyncGenerator[Generated, None]) -> dict[str, Any]:
        text: list[str] = []
        end: Finished | None = None
        async with contextlib.aclosing(items):
            async for item in items:
                match item:
                    case Piece(piece):
                        text.append(piece)
                    case Finished():
                        end = item
        assert end is not None
        message = {"role": "assistant", "content": "".join(text)}
        choice = {"index": 0, "message": message, "finish_reason": end.reason, "logprobs": None}
        return self._head | {
            "object": "chat.completion",
            "choices": [choice],
            "usage": self._usage(end),
        }

    async def chunks(
        self, items: AsyncGenerator[Generated, None], *, usage: bool
    ) -> AsyncGenerator[bytes, None]:
        yield self._chunk({"role": "assistant", "content": ""}, None)
        try:
            async with contextlib.aclosing(items):
                async for item in items:
                    match item:
                        case Piece(piece):
                            yield self._chunk({"content": piece}, None)
                        case Finished():
                            yield self._chunk({}, item.reason)
                            if usage:
                                yield self._data({"choices": [], "usage": self._usage(item)})
        except AssistantError as exc:
            yield _line(error_body(exc, "/v1/"))
        yield b"data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, Any], reason: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return self._data({"choices": [choice]})

    def _data(self, rest: dict[str, Any]) -> bytes:
        return _line(self._head | {"object": "chat.completion.chunk"} | rest)

    def _usage(self, end: Finished) -> dict[str, Any]:
        read = self._prefilled.tokens
        return {
            "prompt_tokens": read,
            "completion_tokens": end.tokens_out,
            "total_tokens": read + end.tokens_out,
            "prompt_tokens_details": {"cached_tokens": self._prefilled.cached},
        }


def _line(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def _names(use: Services) -> list[str]:
    names = (DEFAULT, use.completions.model(), use.embedder.embed_model)
    return [name for name in dict.fromkeys(names) if name]


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "nestor"}


def _check_model(asked: str, known: tuple[str, ...]) -> None:
    if asked not in known:
        raise ModelNotFound("That model is not in use here.", f"Send `{known[-1]}` or {known[0]}.")


def _base64(vector: list[float]) -> str:
    assert all(math.isfinite(x) for x in vector)
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
