"""Forget: by id, query, source, time, or everything; answered with what went and the proof."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from assistant.api.access import needs
from assistant.api.backups import deleted
from assistant.api.deps import Caller, Flag, Use
from assistant.api.memories import visible
from assistant.config import LIMITS
from assistant.core.checks import check_text
from assistant.core.moments import parse_moment
from assistant.errors import InvalidInput, ScopeMissing
from assistant.types import Forget

router = APIRouter(prefix="/api/v1", tags=["memories"])

_Moment = Annotated[str | None, Field(max_length=64)]


class ForgetIn(BaseModel):
    """What to forget. One of `ids`, `query`, `source`, `after` with `before`, or `everything`."""

    ids: list[Annotated[str, Field(max_length=LIMITS.name_chars)]] | None = Field(
        None, min_length=1, max_length=LIMITS.page_rows
    )
    query: str | None = Field(None, max_length=LIMITS.query_chars)
    source: str | None = Field(
        None, max_length=LIMITS.title_chars, description="Its id, or a memory's `source`, exactly."
    )
    after: _Moment = Field(None, description="Said at this time or later; turns of chats too.")
    before: _Moment = Field(None, description="Said before this time; turns of chats too.")
    everything: Flag = False
    confirm: str = Field("", max_length=64, description="With `everything`: from its dry run.")
    dry_run: Flag = Field(False, description="Only say what would go.")
    prove: Flag = Field(True, description="Search all files afterwards.")

    def value(self) -> Forget:
        """As the memory takes it. Raises InvalidInput, EmptyText."""
        ranged = self.after is not None or self.before is not None
        chosen = (self.ids is not None, self.query is not None, self.source is not None)
        if sum((*chosen, ranged, self.everything)) != 1:
            raise InvalidInput(
                "Say what to forget.",
                "Send one of `ids`, `query`, `source`, `after` and `before`, or `everything`.",
            )
        for text in (self.query, self.source):
            if text is not None:
                check_text(text, LIMITS.query_chars)
        return Forget(
            ids=tuple(self.ids or ()),
            query=self.query or "",
            source=self.source or "",
            after=parse_moment(self.after) or "",
            before=parse_moment(self.before) or "",
            everything=self.everything,
            confirm=self.confirm,
        )


@router.post("/forget", openapi_extra=needs("memory.write"))
async def forget(use: Use, asks: Caller, body: ForgetIn) -> Response:
    """Delete for good and search all files for it; answers what went, what was found, and which backups
    still hold it.

    An id that is not there is an error, and then nothing is deleted. `everything` takes the `confirm`
    that its dry run answers.
    """
    which = body.value()
    if asks.sight is not None and not which.ids:  # what a search finds, it would learn
        raise ScopeMissing("This device does not see all memories, and forgets by id alone.")
    if which.everything and "admin" not in asks.scopes:
        raise ScopeMissing("To forget everything needs the scope admin.")
    for memory_id in which.ids:
        await visible(use, asks, memory_id)
    if body.dry_run:
        told = await use.forgetter.dry_run(which)
        answer: dict[str, Any] = {"dry_run": True, "would_forget": told.ids}
        if told.confirm:
            answer["confirm"] = told.confirm
    else:
        told = await use.forgetter.forget(which, prove=body.prove)
        use.turns.forget(told.ids, told.turns)
        use.feed.tell("memories", {})
        if which.everything:
            use.desk.clear()
        answer = {"forgotten": told.ids, "proof": msgspec.to_builtins(told.proof)}
    answer |= {"turns": told.turns, "counts": told.counts}
    return await deleted(use, answer, not body.dry_run and bool(told.counts))
