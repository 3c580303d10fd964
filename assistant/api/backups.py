"""Backups of the memory: list, make, and which of them still hold what was deleted."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from assistant.api.access import needs
from assistant.api.deps import Flag, Use
from assistant.api.replies import reply
from assistant.api.services import Services
from assistant.config import LIMITS
from assistant.core.checks import check_text

router = APIRouter(prefix="/api/v1/backup", tags=["backup"])


class NewBackup(BaseModel):
    """Where to, and whether older ones go. An unknown field is refused: a mistyped `purge` is no backup."""

    model_config = ConfigDict(extra="forbid")

    to: str | None = Field(
        None, max_length=LIMITS.path_chars, description="An absolute folder; it must exist."
    )
    purge: Flag = Field(False, description="Remove all older ones afterwards.")


@router.get("", openapi_extra=needs("admin"))
async def list_backups(use: Use) -> Response:
    """Backups, the latest first; the one being made, with its bytes; and where the key lies."""
    found = await use.backups.list()
    shown = {"running": use.backups.running, "key": use.backups.key_place}
    return reply({"items": found, "next": None} | shown)


@router.post("", status_code=201, openapi_extra=needs("admin"))
async def make(use: Use, body: NewBackup | None = None) -> Response:
    """Copy the memory as it is now, encrypted with the same key; answers once it is verified."""
    asked = body or NewBackup(to=None, purge=False)
    if asked.to is not None:
        check_text(asked.to, LIMITS.path_chars)
    made, purged = await use.backups.make(to=asked.to or "", purge=asked.purge)
    told: dict[str, Any] = msgspec.to_builtins(made) | msgspec.to_builtins(purged)
    return reply(told | {"key": use.backups.key_place}, 201)


async def deleted(use: Services, answer: dict[str, Any], gone: bool = True) -> Response:
    """The answer to a deletion, with the backups made before it: what is gone here is still in them."""
    return reply(answer | {"backups": await use.backups.holders() if gone else []})
