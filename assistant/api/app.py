"""The table of routes, behind the guard."""

from __future__ import annotations

from fastapi import Depends, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp

from assistant import __version__
from assistant.api import (
    audio,
    backups,
    captures,
    conversations,
    desk,
    devices,
    events,
    faults,
    forgetting,
    health,
    memories,
    models,
    openai,
    pair,
    parcels,
    schema,
    sources,
    suggestions,
    talk,
    transfer,
    turns,
    wake,
    warm,
    web,
    write,
)
from assistant.api.access import access
from assistant.api.auth import Auth
from assistant.api.guard import Guard
from assistant.api.services import Services
from assistant.types import Door

# FastAPI records requests and exceptions with OpenTelemetry unless told not to.
_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}

ROUTERS = (
    health.router,
    conversations.router,
    turns.router,
    talk.router,
    wake.router,
    warm.router,
    write.router,
    memories.router,
    captures.router,
    backups.router,
    transfer.router,
    forgetting.router,
    sources.router,
    suggestions.router,
    models.router,
    devices.router,
    pair.router,
    events.router,
    desk.router,
    parcels.router,
    openai.router,
    audio.router,
    web.router,
)


def routes(services: Services) -> FastAPI:
    """The routes alone, unguarded. No /docs: those pages load from a CDN."""
    app = FastAPI(
        title="Nestor",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
        dependencies=[Depends(access)],
    )
    app.state.services = services
    faults.install(app)
    schema.install(app)
    for router in ROUTERS:
        app.include_router(router)
    return app


def create_app(app: FastAPI, services: Services, auth: Auth, door: Door) -> ASGIApp:
    """The routes as served through one door."""
    return Guard(app, auth, services, door)
