"""What the program on the desktop can do, by name: menu, hotkeys, command line and socket all ask here.

Names are a noun, or a noun and a verb: `ask`, `talk.start`, `talk.stop`, `talk.toggle`, `write`, `remember`,
`open`, `pause`, `status`, `quit`.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

from assistant.errors import ActionFailed, ActionNotFound, AssistantError, InvalidInput

log = logging.getLogger("assistant.desktop")

Action = Callable[..., Any]
"""Called on the event loop with named arguments; may be a coroutine function. What it answers is JSON."""


class Actions:
    """A registry. Whoever can do something registers it; whoever wants it done asks by name."""

    def __init__(self) -> None:
        self._known: dict[str, Action] = {}

    def register(self, name: str, action: Action) -> None:
        """From now on `name` does this, in place of what it did before."""
        self._known[name] = action

    @property
    def names(self) -> tuple[str, ...]:
        """What can be done here, sorted."""
        return tuple(sorted(self._known))

    async def run(self, name: str, /, **arguments: Any) -> Any:
        """Do it, and answer what it answers.

        Raises ActionNotFound, InvalidInput for arguments it does not take, what it raises itself, and
        ActionFailed for what is no error of ours.
        """
        action = self._known.get(name)
        if action is None:
            raise ActionNotFound
        try:
            inspect.signature(action).bind(**arguments)
        except TypeError as exc:
            raise InvalidInput("This action does not take these arguments.") from exc
        try:
            done = action(**arguments)
            return await done if inspect.isawaitable(done) else done
        except AssistantError:
            raise
        except Exception as exc:
            # The name alone: an argument may be the user's text.
            log.exception("the action %s failed", name)
            raise ActionFailed from exc
