"""OpenAI's audio routes: recordings to text, text to speech. Shapes as in its API reference (Audio)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from assistant.api import forms
from assistant.api.access import needs
from assistant.api.completions import DEFAULT
from assistant.api.deps import Use
from assistant.api.disconnect import unless_gone
from assistant.api.faults import invalid
from assistant.api.replies import reply
from assistant.config import LIMITS
from assistant.core.checks import check_text
from assistant.core.sentences import sentences
from assistant.errors import EmptyText, InvalidInput, ModelNotFound, UnsupportedParameter
from assistant.types import Said, Transcript

router = APIRouter(prefix="/v1/audio", tags=["openai"])

_HEARS = frozenset({DEFAULT, "whisper-1"})
_SPEAKS = frozenset({DEFAULT, "tts-1", "tts-1-hd", "gpt-4o-mini-tts"})
_THEIR_VOICES = frozenset({"alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage",
                           "shimmer", "verse", "marin", "cedar"})  # fmt: skip
"""OpenAI's; programs have them built in, and get the voice that is set here."""
_MEDIA = {"mp3": "audio/mpeg", "opus": "audio/ogg", "aac": "audio/aac", "flac": "audio/flac",
          "wav": "audio/wav", "pcm": "audio/pcm"}  # fmt: skip

_Word = Annotated[str, Field(max_length=LIMITS.name_chars)]


class Recording(BaseModel):
    """The fields beside the file. Those we do not know are ignored."""

    model: _Word = DEFAULT
    language: Annotated[str, Field(pattern=r"^([a-zA-Z]{2,3})?$")] = ""
    prompt: Annotated[str, Field(max_length=LIMITS.query_chars)] = ""
    response_format: _Word = "json"
    temperature: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0
    stream: bool = False
    timestamp_granularities: Annotated[list[_Word], Field(max_length=4)] = []

    def check(self, hears: str) -> None:
        """Raise ModelNotFound, or UnsupportedParameter for what would silently not happen."""
        if self.model not in _HEARS | {hears}:
            raise ModelNotFound("That model does not hear here.", f"Send `default` or {hears}.")
        if self.response_format not in ("json", "text", "verbose_json"):
            raise UnsupportedParameter("response_format is json, text or verbose_json.")
        if self.temperature:
            raise UnsupportedParameter("temperature is chosen by itself; send 0 or leave it out.")
        if self.stream:
            raise UnsupportedParameter("Transcripts are not streamed.")
        if set(self.timestamp_granularities) - {"segment"}:
            raise UnsupportedParameter("timestamp_granularities is segment, nothing else.")


class SpeechRequest(BaseModel):
    """What is to be spoken."""

    model: str = Field(DEFAULT, max_length=LIMITS.name_chars)
    input: str = Field(max_length=LIMITS.speech_chars)
    voice: str = Field(DEFAULT, max_length=LIMITS.name_chars)
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    speed: Annotated[float, Field(ge=0.5, le=2, allow_inf_nan=False)] = 1.0
    stream_format: Literal["audio", "sse"] | None = None


_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        **Recording.model_json_schema()["properties"],
                    },
                }
            }
        },
    }
}


@router.post("/transcriptions", openapi_extra=needs("chat") | _FORM)
async def transcriptions(use: Use, request: HttpRequest) -> Response:
    """What is said in a recording (wav, flac, mp3, m4a, ogg, opus, webm); it stays in memory only."""
    body = await request.body()
    form = await asyncio.to_thread(forms.parse, request.headers.get("content-type", ""), body)
    asked = _recording(form)
    asked.check(use.speech.model)
    audio = form.files.get("file", b"")
    if not audio:
        raise InvalidInput("`file`: a recording is needed.")
    work = use.speech.transcribe(audio, language=asked.language.lower(), prompt=asked.prompt)
    heard = await unless_gone(request, work)
    if asked.response_format == "text":
        return PlainTextResponse(heard.text + "\n")
    return reply(_verbose(heard) if asked.response_format == "verbose_json" else _brief(heard))


@router.post("/speech", response_class=StreamingResponse, openapi_extra=needs("chat"))
async def speech(use: Use, request: HttpRequest, body: SpeechRequest) -> Response:
    """Speak a text; the sound comes sentence by sentence, the first one at once."""
    if body.model not in _SPEAKS | {"hibari-heart"}:
        raise ModelNotFound("That model does not speak here.", "Send `default`.")
    if body.stream_format == "sse":
        raise UnsupportedParameter("Sound is streamed as it is; stream_format is audio.")
    check_text(body.input, LIMITS.speech_chars)
    spoken = sentences(body.input)
    if not spoken:
        raise EmptyText("There is nothing in it that can be spoken.")
    voice = "" if body.voice in _THEIR_VOICES | {DEFAULT} else body.voice
    sound = use.speech.speak(spoken, voice=voice, speed=body.speed, form=body.response_format)
    # The first sound is made before the first byte, so that a refusal still has its status.
    first = await unless_gone(request, anext(sound))

    async def whole() -> AsyncGenerator[bytes, None]:
        async with contextlib.aclosing(sound):
            yield first
            async for piece in sound:
                yield piece

    return StreamingResponse(whole(), media_type=_MEDIA[body.response_format])


def _recording(form: forms.Form) -> Recording:
    fields: dict[str, Any] = {}
    for name, values in form.fields.items():
        listed = name.removesuffix("[]") == "timestamp_granularities"
        fields[name.removesuffix("[]")] = values if listed else values[-1]
    try:
        return _READ.validate_python(fields)
    except ValidationError as exc:
        raise invalid(exc.errors()) from exc


def _brief(heard: Transcript) -> dict[str, Any]:
    return {"text": heard.text, "usage": {"type": "duration", "seconds": round(heard.seconds)}}


def _verbose(heard: Transcript) -> dict[str, Any]:
    return _brief(heard) | {
        "task": "transcribe",
        "language": heard.language,
        "duration": round(heard.seconds, 3),
        "segments": [_segment(n, said) for n, said in enumerate(heard.said)],
    }


def _segment(number: int, said: Said) -> dict[str, Any]:
    return {
        "id": number,
        "seek": round(said.start_s * 100),
        "start": said.start_s,
        "end": said.end_s,
        "text": said.text,
        "tokens": said.tokens,
        "temperature": said.temperature,
        "avg_logprob": said.logprob,
        "compression_ratio": said.compression,
        "no_speech_prob": said.no_speech,
    }


_READ = TypeAdapter(Recording)
