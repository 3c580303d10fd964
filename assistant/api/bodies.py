"""A request's body, read whole before any route sees it: small, of a type we read, and strict JSON."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.types import Message, Receive, Scope

from assistant.api import forms, parcels
from assistant.api.disconnect import ClientLeft
from assistant.config import LIMITS
from assistant.errors import BodyTooLarge, InvalidJson, UnsupportedMedia

_IMPORT = "/api/v1/memories/import"
_UPLOAD = "/api/v1/import"
"""Its body may be a file of any size within the limit: it passes in pieces, counted."""
_FILES = frozenset({b"application/octet-stream", b"application/zip", b"application/gzip"})
TRANSCRIPTIONS = "/v1/audio/transcriptions"
"""The one route that takes a form, and no JSON."""
_LIMITS = {
    _IMPORT: LIMITS.import_bytes,
    parcels.PATH: parcels.BODY_BYTES,
    TRANSCRIPTIONS: LIMITS.audio_bytes,
}
_LINES = frozenset({b"application/x-ndjson", b"application/jsonl", b"application/json-lines"})
_LARGE_BYTES = 1 << 16
"""Above this, reading JSON takes long enough to keep other requests waiting."""


async def strict(scope: Scope, receive: Receive) -> Receive:
    """Read and check it; a `receive` that gives it once more.

    Raises BodyTooLarge, UnsupportedMedia, InvalidJson, ClientLeft.
    """
    headers = scope["headers"]
    kind = next((v for n, v in headers if n == b"content-type"), b"").split(b";")[0].strip().lower()
    if any(value.lower() != b"identity" for name, value in headers if name == b"content-encoding"):
        raise UnsupportedMedia("A compressed body cannot be read here.", "Send it as it is.")
    if scope["path"] == _UPLOAD and kind in _FILES:
        return _counted(receive, LIMITS.upload_bytes)
    importing = scope["path"] == _IMPORT
    recording = scope["path"] == TRANSCRIPTIONS and kind == forms.KIND
    if scope["path"] == TRANSCRIPTIONS and scope["method"] == "POST" and not recording:
        raise UnsupportedMedia("A recording comes in a form.", "Send multipart/form-data.")
    limit = _LIMITS.get(scope["path"], LIMITS.body_bytes)
    declared = next((v for n, v in headers if n == b"content-length"), b"")
    if declared.isdigit() and int(declared[:20]) > limit:
        raise BodyTooLarge(f"The body has more than {limit} bytes.")
    body = await _read(receive, limit)
    if body and kind == b"application/json":
        if len(body) > _LARGE_BYTES:
            await asyncio.to_thread(_check_json, body)
        else:
            _check_json(body)
    elif body and not recording and not (importing and kind in _LINES):
        raise UnsupportedMedia
    return _replay(body, receive)


def _counted(receive: Receive, limit: int) -> Receive:
    size = 0

    async def next_piece() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise BodyTooLarge(f"The body has more than {limit} bytes.")
        return message

    return next_piece


async def _read(receive: Receive, limit: int) -> bytes:
    chunks = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(f"The body has more than {limit} bytes.")
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


def _check_json(body: bytes) -> None:
    # The standard parser takes NaN, lone surrogates and any depth; msgspec's takes RFC 8259 only.
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise InvalidJson("The JSON is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as exc:
        raise InvalidJson(f"The body is not valid JSON: {exc}.") from None
    if _deeper_than(value, LIMITS.json_depth):
        raise InvalidJson(f"The JSON is nested deeper than {LIMITS.json_depth} levels.")


def _deeper_than(value: object, limit: int) -> bool:
    level: list[object] = [value]
    for _ in range(limit + 1):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting = True

    async def again() -> Message:
        nonlocal waiting
        if waiting:
            waiting = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again
