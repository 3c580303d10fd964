"""Other people's exceptions as errors of ours. Never repeats what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from assistant.api.replies import error_reply
from assistant.api.schema import methods
from assistant.errors import (
    AssistantError,
    Internal,
    InvalidInput,
    InvalidJson,
    MethodNotAllowed,
    Refused,
    RouteNotFound,
    TextTooLong,
)

_BY_STATUS: dict[int, type[AssistantError]] = {
    400: InvalidJson,
    404: RouteNotFound,
    405: MethodNotAllowed,
}


def invalid(problems: Sequence[Any]) -> InvalidInput:
    """The first thing that pydantic found, with the field's name."""
    first = problems[0]
    place = ".".join(str(step) for step in first["loc"] if step != "body") or "body"
    if first["type"] == "extra_forbidden":  # its name was sent too
        return InvalidInput("There is a field that is not known here.")
    if first["type"] == "string_too_long":
        most = first["ctx"]["max_length"]
        return TextTooLong(f"`{place}` is too long; at most {most} characters are read.")
    if first["type"] in ("json_invalid", "json_type"):
        return InvalidJson()
    return InvalidInput(f"`{place}`: {first['msg']}.")


def install(app: FastAPI) -> None:
    """Answer every exception in the one form."""

    @app.exception_handler(AssistantError)
    async def ours(request: Request, exc: AssistantError) -> Response:
        return error_reply(exc, request.scope["path"])

    @app.exception_handler(RequestValidationError)
    async def unprocessable(request: Request, exc: RequestValidationError) -> Response:
        return error_reply(invalid(exc.errors()), request.scope["path"])

    @app.exception_handler(Exception)
    async def surprise(request: Request, _exc: Exception) -> Response:
        # Starlette raises it again after this answer; the guard logs it.
        return error_reply(Internal(), request.scope["path"])

    @app.exception_handler(HTTPException)
    async def http(request: Request, exc: HTTPException) -> Response:
        error = _BY_STATUS.get(exc.status_code, InvalidInput if exc.status_code < 500 else Refused)
        response = error_reply(error(), request.scope["path"])
        headers = dict(exc.headers or {})
        if (
            "Allow" in headers
        ):  # Starlette names the methods of one route, and a path may have several
            named = {*headers["Allow"].split(", "), *methods(app, request.scope["path"])}
            headers["Allow"] = ", ".join(sorted(named))
        response.headers.update(headers)
        return response
