"""What routes share: the services, pages of lists, and texts."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request

from assistant.api.auth import DEVICE
from assistant.api.services import Services
from assistant.config import LIMITS

# Coroutines, though nothing is awaited: FastAPI sends plain functions through a pool of threads.


async def services(request: Request) -> Services:
    """The services; the guard has waited for them."""
    found: Services = request.app.state.services
    return found


async def device(request: Request) -> str:
    """Who asks, as the guard found out from the token; empty: the owner's own programs."""
    return str(request.scope.get(DEVICE, ""))


Use = Annotated[Services, Depends(services)]
Device = Annotated[str, Depends(device)]
Limit = Annotated[int, Query(ge=1, le=LIMITS.page_rows, description="Rows in this page.")]
Cursor = Annotated[
    str | None, Query(max_length=LIMITS.name_chars, description="`next` of the page before.")
]
