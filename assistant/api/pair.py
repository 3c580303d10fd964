"""Pairing: the owner opens a window, a phone claims it, the owner says yes to what both screens show."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from assistant.api.access import needs
from assistant.api.deps import Caller, Use
from assistant.api.devices import Classes, within
from assistant.api.replies import page, reply
from assistant.api.schema import also
from assistant.api.services import Services
from assistant.config import LIMITS
from assistant.core.checks import check_text
from assistant.core.devices import scopes
from assistant.core.pairing import Grant
from assistant.types import AccessScope

router = APIRouter(prefix="/api/v1/pair", tags=["devices"])

_Interface = Annotated[str, Field(max_length=LIMITS.name_chars)]


class Window(BaseModel):
    """What the new device will be allowed, and where it comes in. Without an interface: the likeliest.

    An unknown field is refused: a mistyped limit is none.
    """

    model_config = ConfigDict(extra="forbid")

    scopes: list[AccessScope] = Field(default=["chat"], max_length=16)
    classes: Classes = None
    interface: _Interface = ""


class Claimed(BaseModel):
    """`proof` is the secret or the code; `nonce` is made by the device and kept to itself."""

    proof: str = Field(min_length=1, max_length=LIMITS.name_chars)
    nonce: str = Field(min_length=22, max_length=LIMITS.name_chars)
    name: str = Field(max_length=LIMITS.title_chars)
    kind: Literal["phone", "computer"] = "phone"


class Check(BaseModel):
    """The characters that both screens show."""

    check: str = Field(max_length=LIMITS.name_chars)


@router.post("", status_code=201, openapi_extra=needs("admin"))
async def start(use: Use, asks: Caller, body: Window) -> Response:
    """Open a window for one device, and the network with it. Secret and code are shown only here."""
    within(body.scopes, asks)
    classes = None if body.classes is None else tuple(body.classes)
    opened = await use.pairing.start(Grant(scopes(body.scopes), classes), body.interface)
    return reply(opened, 201)


@router.get("", openapi_extra=needs("admin"))
async def state(use: Use) -> Response:
    """How far it is: closed, open, claimed (with the check characters) or accepted."""
    return reply(use.pairing.state())


@router.post("/claim", openapi_extra=needs("public") | also(202))
async def claim(request: Request, body: Claimed) -> Response:
    """For the new device, without a token: claim the window, then ask again until it is accepted.

    The first claim is answered at once, with the characters to compare; who asks again waits up to
    `pair_poll_s` seconds for the owner. 202 while the owner has not answered.
    """
    use: Services = request.app.state.services
    await use.wait()
    check_text(body.name, LIMITS.title_chars)
    answer = await use.pairing.claim(body.proof, body.nonce, body.name.strip(), body.kind)
    return reply(answer, 200 if answer.token else 202)


@router.post("/accept", openapi_extra=needs("admin"))
async def accept(use: Use, body: Check) -> Response:
    """The owner's yes: let the device in that shows these characters."""
    return reply(await use.pairing.accept(body.check))


@router.delete("", openapi_extra=needs("admin"))
async def cancel(use: Use) -> Response:
    """Close the window; whoever has claimed it is refused."""
    await use.pairing.cancel()
    return reply(use.pairing.state())


@router.get("/diagnose", openapi_extra=needs("admin"))
async def diagnose(
    use: Use, interface: Annotated[str, Query(max_length=LIMITS.name_chars)] = ""
) -> Response:
    """Why a phone cannot reach us: interface, VPN, port, firewall, each with what to do."""
    return page(await use.diagnose(interface))


@router.get("/authority", openapi_extra=needs("any"))
async def authority(use: Use) -> Response:
    """The certificate of this machine's authority, which a phone installs once; PEM."""
    return reply({"authority": use.pairing.authority})
