"""Devices: who may ask, what for, and no more."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from assistant.api.access import needs
from assistant.api.deps import Caller, Use
from assistant.api.replies import page, reply
from assistant.config import LIMITS
from assistant.core.checks import check_text
from assistant.core.devices import scopes
from assistant.core.moments import parse_moment
from assistant.errors import ScopeMissing
from assistant.types import AccessScope, Device

router = APIRouter(prefix="/api/v1/devices", tags=["devices"])

Classes = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=LIMITS.title_chars)]] | None,
    Field(max_length=LIMITS.device_classes, description="`work`, or `work/*` for all below too."),
]


class NewDevice(BaseModel):
    """A program or device that gets a token without pairing. It starts with `chat` alone."""

    name: str = Field(max_length=LIMITS.title_chars)
    kind: Literal["phone", "computer", "program"] = "program"
    scopes: list[AccessScope] = Field(default=["chat"], max_length=16)
    classes: Classes = None
    expires_at: str | None = Field(None, max_length=64, description="ISO 8601; never if left out.")


class DeviceEdit(BaseModel):
    """What to change; what is left out stays. `classes` null: it sees all of the memory."""

    name: str | None = Field(None, max_length=LIMITS.title_chars)
    scopes: list[AccessScope] | None = Field(None, max_length=16)
    classes: Classes = None
    expires_at: str | None = Field(None, max_length=64)


@router.get("", openapi_extra=needs("admin"))
async def list_devices(use: Use) -> Response:
    """Who may ask, oldest first."""
    return page(use.devices.list())


@router.get("/revoked", openapi_extra=needs("admin"))
async def list_revoked(use: Use) -> Response:
    """Who may ask no more, latest first."""
    return page(await use.devices.revoked())


@router.get("/me", openapi_extra=needs("any"))
async def me(asks: Caller) -> Response:
    """Who you are, and what you may do."""
    return reply(asks)


@router.post("", status_code=201, openapi_extra=needs("admin"))
async def add(use: Use, asks: Caller, body: NewDevice) -> Response:
    """Make a token for a program. The answer is the only place where it is ever shown."""
    check_text(body.name, LIMITS.title_chars)
    within(body.scopes, asks)
    made, token = await use.devices.add(
        Device(
            id="",
            name=body.name.strip(),
            kind=body.kind,
            scopes=scopes(body.scopes),
            classes=None if body.classes is None else tuple(body.classes),
            expires_at=parse_moment(body.expires_at),
        )
    )
    return reply(msgspec.structs.asdict(made) | {"token": token}, 201)


@router.patch("/{device_id}", openapi_extra=needs("admin"))
async def change(use: Use, asks: Caller, device_id: str, body: DeviceEdit) -> Response:
    """Rename it, or change what it may do; then whatever it is doing now ends."""
    device = use.devices.get(device_id)
    given = body.model_fields_set
    if body.name is not None:
        check_text(body.name, LIMITS.title_chars)
        device = msgspec.structs.replace(device, name=body.name.strip())
    if body.scopes is not None:
        within(body.scopes, asks)
        device = msgspec.structs.replace(device, scopes=scopes(body.scopes))
    if "classes" in given:
        classes = None if body.classes is None else tuple(body.classes)
        device = msgspec.structs.replace(device, classes=classes)
    if "expires_at" in given:
        device = msgspec.structs.replace(device, expires_at=parse_moment(body.expires_at))
    return reply(await use.devices.change(device))


@router.delete("/{device_id}", openapi_extra=needs("admin"))
async def revoke(use: Use, device_id: str) -> Response:
    """Let it in no more. Whatever it is doing ends within a second, and its token is gone for good."""
    await use.devices.revoke(device_id)
    return reply({"revoked": device_id})


def within(wanted: list[AccessScope], asks: Device) -> None:
    """Raise ScopeMissing if that is more than whoever asks has to give."""
    if more := set(wanted) - set(asks.scopes):
        raise ScopeMissing(f"You cannot give the scope {sorted(more)[0]}, which you do not have.")
