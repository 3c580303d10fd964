"""Things sent from device to device: a text, a link, a small file."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from assistant.api.access import needs
from assistant.api.deps import Caller, Use
from assistant.api.replies import page, reply
from assistant.config import LIMITS
from assistant.core.checks import check_text
from assistant.errors import BodyTooLarge, InvalidInput
from assistant.types import Parcel, new_id, now

router = APIRouter(prefix="/api/v1/parcels", tags=["continuity"])

PATH = router.prefix
BODY_BYTES = LIMITS.parcel_bytes * 4 // 3 + LIMITS.body_bytes
"""A file travels in base64."""


class ParcelIn(BaseModel):
    """What to send. A file has a `name` and its `content` in base64."""

    kind: Literal["text", "link", "file"]
    text: str = Field("", max_length=LIMITS.turn_chars)
    name: str = Field("", max_length=LIMITS.title_chars)
    content: Annotated[str, Field(max_length=BODY_BYTES)] = ""
    to: str | None = Field(None, max_length=LIMITS.name_chars, description="null: every device.")
    client: str = Field("", max_length=LIMITS.name_chars)

    def value(self, sender: str) -> tuple[Parcel, bytes]:
        """As kept. Raises InvalidInput and its kin."""
        content = self._content()
        if self.kind != "file" or self.text:
            check_text(self.text, LIMITS.turn_chars)
        if self.kind == "link" and urlsplit(self.text.strip()).scheme not in ("http", "https"):
            raise InvalidInput("The link is not an address of the web.", "Send it as a text.")
        made = Parcel(
            new_id("p"), self.kind, self.text, self.name, len(content), sender, self.to, now()
        )
        return made, content

    def _content(self) -> bytes:
        if self.kind != "file":
            if self.content or self.name:
                raise InvalidInput("Only a file has a name and content.")
            return b""
        check_text(self.name, LIMITS.title_chars)
        if any(ord(letter) < 32 or letter in '/\\:*?"<>|' for letter in self.name):
            raise InvalidInput("The file's name has a character that names cannot have.")
        try:
            content = base64.b64decode(self.content, validate=True)
        except (binascii.Error, ValueError) as exc:
            raise InvalidInput("`content` is not base64.") from exc
        if len(content) > LIMITS.parcel_bytes:
            raise BodyTooLarge(f"The file has more than {LIMITS.parcel_bytes} bytes.")
        return content


@router.post("", status_code=201, openapi_extra=needs("chat"))
async def send(use: Use, asks: Caller, body: ParcelIn) -> Response:
    """Send to one device, or to all. It waits, encrypted on disk, until a device that has it deletes it."""
    made, content = body.value(asks.id)
    await use.parcels.add(made, content)
    use.feed.tell("parcel", {"id": made.id, "by": body.client}, to=made.to)
    return reply(made, 201)


@router.get("", openapi_extra=needs("chat"))
async def list_parcels(use: Use, asks: Caller) -> Response:
    """What waits for this device, latest first, without the files' content."""
    return page(await use.parcels.list(asks.id))


@router.get("/{parcel_id}", openapi_extra=needs("chat"))
async def read(use: Use, asks: Caller, parcel_id: str) -> Response:
    """One of them, a file with its `content` in base64."""
    found, content = await use.parcels.get(parcel_id, asks.id)
    return reply({**_shown(found), "content": base64.b64encode(content).decode()})


@router.delete("/{parcel_id}", openapi_extra=needs("chat"))
async def delete(use: Use, asks: Caller, parcel_id: str) -> Response:
    """It has arrived: delete it, for good."""
    gone = await use.parcels.delete(parcel_id, asks.id)
    use.feed.tell("parcel", {"id": parcel_id, "gone": True}, to=gone.to)
    return reply({"deleted": parcel_id})


def _shown(parcel: Parcel) -> dict[str, object]:
    return {name: getattr(parcel, name) for name in parcel.__struct_fields__}
