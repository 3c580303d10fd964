"""What routes share: the services, pages of lists, and texts."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request

from assistant.api.services import Services
from assistant.config import LIMITS


def services(request: Request) -> Services:
    """The services; the guard has waited for them."""
    found: Services = request.app.state.services
    return found


Use = Annotated[Services, Depends(services)]
Limit = Annotated[int, Query(ge=1, le=LIMITS.page_rows, description="Rows in this page.")]
Cursor = Annotated[
    str | None, Query(max_length=LIMITS.name_chars, description="`next` of the page before.")
]
