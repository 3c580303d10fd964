"""What every command shares: errors as exit codes, `--json`, an example, and a client of the daemon."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import click

from assistant.clients import console
from assistant.config import load_paths, load_settings
from assistant.errors import AssistantError, InvalidInput
from assistant.instance import EXIT_ALREADY_RUNNING

EXIT_FAILED = 1
EXIT_NOT_RUNNING = 3

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class Group(click.Group):
    """Turns an error of ours into a message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except UnicodeEncodeError:
            console.error(
                InvalidInput("The text is not valid Unicode.", "Check the terminal's encoding.")
            )
            ctx.exit(EXIT_FAILED)
        except AssistantError as exc:
            console.error(exc)
            code = {"already_running": EXIT_ALREADY_RUNNING, "unreachable": EXIT_NOT_RUNNING}
            ctx.exit(code.get(exc.code, EXIT_FAILED))


@contextlib.contextmanager
def daemon(*, start: bool = True) -> Iterator[Any]:
    """A client of the daemon, which is started if none runs."""
    from assistant.clients import launch
    from assistant.clients.http import Client

    paths = load_paths()
    if start:
        load_settings(paths)
        launch.start(paths)
    with Client.to(paths) as client:
        yield client


def example(text: str) -> Callable[[Any], Any]:
    """Show an example below a command's help."""

    def add(command: Any) -> Any:
        command.epilog = f"Example: {text}"
        return command

    return add
