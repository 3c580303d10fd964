"""Alive, in what state, and what is wrong."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from assistant import __version__
from assistant.api.access import needs
from assistant.api.auth import DOOR
from assistant.api.deps import Use
from assistant.api.replies import page, reply
from assistant.api.services import Services

router = APIRouter(tags=["state"])


@router.get("/health", openapi_extra=needs("public"))
async def health(request: Request) -> Response:
    """Answers without a token, from the first second, whatever the model and the memory do."""
    services: Services = request.app.state.services
    told = {"status": "ok", "state": services.state}
    # A stranger in the network need not know which version's faults to try.
    return reply(told if request.scope[DOOR] == "lan" else told | {"version": __version__})


@router.get("/api/v1/status", openapi_extra=needs("chat"))
async def status(use: Use) -> Response:
    """Model, device and layers, queue, children with their memory use, and how much is remembered."""
    return reply(await use.status.status())


@router.get("/api/v1/doctor", openapi_extra=needs("admin"))
async def doctor(use: Use) -> Response:
    """Each check with what it found and, where it failed, what to do."""
    return page(await use.status.doctor())
