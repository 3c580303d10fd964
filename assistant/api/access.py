"""What a device needs to use a route. Each route says so; one that says nothing needs `admin`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from starlette.requests import HTTPConnection

from assistant.api.auth import DEVICE
from assistant.errors import ScopeMissing, Unauthorized
from assistant.types import AccessScope, Device

Need = AccessScope | Literal["public", "any"]
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

KEY = "x-nestor-scope"
"""Of an operation in /openapi.json."""


def needs(need: Need) -> dict[str, Any]:
    """For `openapi_extra` of a route: the scope it needs, `any` device, or `public` (no token)."""
    return {KEY: need}


def need_of(route: Any) -> Need:
    """What a route needs; `admin` if it does not say."""
    told = getattr(route, "openapi_extra", None)
    # A WebSocket's route has no such field, and is made anew when its router is included.
    told = told or getattr(getattr(route, "endpoint", None), "openapi_extra", None)
    need: Need = (told or {}).get(KEY, "admin")
    return need


def socket_needs(need: Need) -> Callable[[Endpoint], Endpoint]:
    """For the endpoint of a WebSocket: the scope it needs."""

    def tell(endpoint: Endpoint) -> Endpoint:
        endpoint.openapi_extra = needs(need)  # type: ignore[attr-defined]
        return endpoint

    return tell


async def access(connection: HTTPConnection) -> None:
    """Raise ScopeMissing unless whoever asks may use this route. Every route of the app depends on it."""
    need = need_of(connection.scope.get("route"))
    if need == "public":
        return
    device: Device | None = connection.scope.get(DEVICE)
    if device is None:
        raise Unauthorized
    if need != "any" and need not in device.scopes:
        raise ScopeMissing(f"That needs the scope {need}, which this device does not have.")
