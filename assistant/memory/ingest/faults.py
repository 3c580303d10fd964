"""Why a file gave no passages. Each costs that file alone, and is listed beside it."""

from __future__ import annotations


class Unreadable(Exception):
    """A file that cannot be read, with the reason in the user's words: never a path or its text."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


DAMAGED = "It is damaged, or not what its name says."
TOO_LONG = "Reading it took too long."
TOO_BIG = "Reading it took too much memory."
TOO_DEEP = "It is nested too deep."
DIED = "The process that read it died."
EMPTY = "There is no text in it."
PROTECTED = "It is protected by a password."
NO_ACCESS = "It may not be read by this user."
CHANGING = "It changed while it was read; it is read again later."
GONE = "Its drive or folder cannot be reached now."
SECRET = "It holds a private key."  # noqa: S105
CUT = "Only its beginning was read: it is very long."
