"""The OpenAI protocol: models, chat completions, embeddings.

The shapes are those of OpenAI's API reference (Chat, Embeddings, Models).
"""

from __future__ import annotations

import base64
import math
import struct
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header
from fastapi import Request as HttpRequest
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from assistant.api.access import needs
from assistant.api.answers import Answer
from assistant.api.completions import DEFAULT, ChatRequest
from assistant.api.deps import Caller, Use
from assistant.api.disconnect import unless_gone
from assistant.api.replies import keep_alive, reply
from assistant.api.schema import STREAM
from assistant.api.services import Services
from assistant.config import LIMITS
from assistant.core.checks import check_text
from assistant.errors import EmptyText, InvalidInput, ModelNotFound, UnsupportedParameter
from assistant.types import Prefilled, Request

router = APIRouter(prefix="/v1", tags=["openai"])


class EmbeddingsRequest(BaseModel):
    """Texts to be embedded."""

    model: str = Field(DEFAULT, max_length=LIMITS.name_chars)
    input: Annotated[str, Field(max_length=LIMITS.memory_chars)] | Annotated[
        list[Annotated[str, Field(max_length=LIMITS.memory_chars)]],
        Field(min_length=1, max_length=LIMITS.embed_inputs),
    ]  # fmt: skip
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int | None, Field(ge=1, le=1 << 16)] = None


@router.get("/models", openapi_extra=needs("chat"))
async def list_models(use: Use) -> Response:
    """The model in use under its id and as `default`, and the embedder."""
    return reply({"object": "list", "data": [_model(name) for name in _names(use)]})


@router.get("/models/{model_id:path}", openapi_extra=needs("chat"))
async def read_model(use: Use, model_id: str) -> Response:
    """One of them."""
    if model_id not in _names(use):
        raise ModelNotFound
    return reply(_model(model_id))


@router.post("/chat/completions", openapi_extra=needs("chat") | STREAM)
async def chat_completions(
    use: Use,
    asks: Caller,
    request: HttpRequest,
    body: ChatRequest,
    x_nestor_memory: Annotated[str | None, Header(max_length=8)] = None,
) -> Response:
    """Answer a list of messages. With `X-Nestor-Memory: on`, memories join the last user message."""
    _check_model(body.model, (use.completions.model(), DEFAULT))
    asked = body.value(use.completions.sampling())
    _check_texts(asked)
    items = use.completions.stream(
        asked,
        recall=(x_nestor_memory or "").strip().lower() == "on",
        classes=asks.sight,
        device=asks.id,
    )
    # The prompt is read before the first byte, so that a refusal still has its status.
    prefilled = await unless_gone(request, anext(items))
    assert isinstance(prefilled, Prefilled)
    answer = Answer(use.completions.model(), prefilled, most_calls=body.most_calls())
    if body.stream:
        usage = bool(body.stream_options and body.stream_options.include_usage)
        chunks = answer.chunks(items, usage=usage)
        return StreamingResponse(keep_alive(chunks), media_type="text/event-stream")
    return reply(await unless_gone(request, answer.whole(items)))


@router.post("/embeddings", openapi_extra=needs("chat"))
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


def _names(use: Services) -> list[str]:
    names = (DEFAULT, use.completions.model(), use.embedder.embed_model)
    return [name for name in dict.fromkeys(names) if name]


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "nestor"}


def _check_model(asked: str, known: tuple[str, ...]) -> None:
    if asked not in known:
        raise ModelNotFound("That model is not in use here.", f"Send `{known[-1]}` or {known[0]}.")


def _check_texts(asked: Request) -> None:
    texts = [message.text for message in asked.messages]
    if not any(text.strip() for text in texts):
        raise EmptyText
    texts += [call.arguments for message in asked.messages for call in message.calls]
    texts += [tool.description for tool in asked.tools]
    if any("\0" in text for text in texts):
        raise InvalidInput("The text holds a NUL character.", "Remove it and send again.")


def _base64(vector: list[float]) -> str:
    assert all(math.isfinite(x) for x in vector)
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
