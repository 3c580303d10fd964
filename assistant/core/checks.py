"""What every text from outside must be before anything is done with it."""

from __future__ import annotations

from assistant.errors import EmptyText, InvalidInput, TextTooLong


def check_text(text: str, limit: int) -> None:
    """Raise EmptyText, TextTooLong (with the limit in characters) or InvalidInput."""
    if not text.strip():
        raise EmptyText
    if len(text) > limit:
        raise TextTooLong(f"The text has {len(text)} characters; at most {limit} are read.")
    if "\0" in text:
        raise InvalidInput("The text holds a NUL character.", "Remove it and send again.")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as exc:
            raise InvalidInput(
                "The text holds a lone surrogate.", "Send valid Unicode text."
            ) from exc
