"""Times as people and programs send them."""

from __future__ import annotations

from datetime import datetime

from assistant.errors import InvalidInput
from assistant.types import timestamp


def parse_moment(text: str | None) -> str | None:
    """A date or date and time (ISO 8601; no zone means UTC) as stored. Raises InvalidInput."""
    if text is None:
        return None
    try:
        return timestamp(datetime.fromisoformat(text))
    except (ValueError, OverflowError) as exc:
        raise InvalidInput(
            "The time cannot be read.", "Send ISO 8601, for example 2026-11-23T15:30:00Z."
        ) from exc
