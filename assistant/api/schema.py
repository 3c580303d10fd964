"""What /openapi.json says of every operation at once: how it refuses, which token it takes."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.routing import compile_path

from assistant.api.access import KEY

_EVENT = {
    "type": "object",
    "required": ["data"],
    "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
}
STREAM: dict[str, Any] = {
    "responses": {"200": {"content": {"text/event-stream": {"schema": _EVENT}}}}
}
"""For `openapi_extra` of a route that answers with events."""


def also(status: int) -> dict[str, Any]:
    """For `openapi_extra` of a route that answers with one of two statuses: the other one."""
    content: dict[str, Any] = {"application/json": {"schema": {}}}
    return {"responses": {str(status): {"description": "See above.", "content": content}}}


_TOKEN = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The owner's, or a device's."}
}
_TEXT = {"type": "string"}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint"],
            "properties": {
                "code": _TEXT,
                "message": _TEXT,
                "hint": {"type": "string", "description": "What to do next."},
                "type": {"type": "string", "description": "On /v1 only, as OpenAI has it."},
                "param": {"type": ["string", "null"], "description": "On /v1 only."},
            },
        }
    },
}
_CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
_REFUSALS = {
    "4XX": {"description": "Refused; `code` says why.", "content": _CONTENT},
    "5XX": {"description": "It could not be done now; nothing is lost.", "content": _CONTENT},
}


def install(app: FastAPI) -> None:
    """Complete the schema that FastAPI makes."""
    plain = app.openapi

    def complete() -> dict[str, Any]:
        return app.openapi_schema or described(plain())

    app.openapi = complete  # type: ignore[method-assign]


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema, with what holds for all operations."""
    parts = schema.setdefault("components", {})
    parts["securitySchemes"] = _TOKEN
    # FastAPI's own form of a 422, which nobody ever gets: see faults.py.
    kept = {
        name: one for name, one in parts.get("schemas", {}).items() if "ValidationError" not in name
    }
    parts["schemas"] = kept | {"Error": _ERROR}
    for operations in schema["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            operation["responses"] |= _REFUSALS
            operation["security"] = [] if operation.get(KEY) == "public" else [{"bearer": []}]
    return schema


def methods(app: FastAPI, path: str) -> set[str]:
    """Those that some operation takes at this path."""
    paths = app.openapi()["paths"]
    fitting = (
        [path] if path in paths else [one for one in paths if compile_path(one)[0].match(path)]
    )
    return {method.upper() for one in fitting for method in paths[one]}
