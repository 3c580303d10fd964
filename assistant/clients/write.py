"""`nestor write`: standard input, rewritten, to standard output."""

from __future__ import annotations

import sys
from typing import Any

import click

from assistant.clients import console
from assistant.clients.commands import daemon, example, json_option
from assistant.clients.orders import VERBS, order
from assistant.errors import InvalidInput

_OPERATIONS = ("rewrite", "shorten", "fix", "reply")


def body(text: str, chosen: dict[str, Any]) -> dict[str, Any]:
    """Pure: what to send. Raises InvalidInput where two things are asked at once."""
    asked = [name for name in _OPERATIONS if chosen.get(name)]
    asked += ["translate"] if chosen.get("language") else []
    if chosen.get("instruction") and not asked:
        asked = ["instruct"]
    if chosen.get("tone") and not asked:
        asked = ["tone"]
    if len(asked) > 1:
        raise InvalidInput("Two things are asked at once.", f"Choose one of {', '.join(asked)}.")
    wanted = {name: chosen.get(name) or "" for name in ("instruction", "language", "tone")}
    return {
        "text": text,
        "operation": asked[0] if asked else "rewrite",
        "remember_tone": bool(chosen.get("remember_tone")),
        **wanted,
    }


@example("nestor write --shorten < letter.txt")
@click.command("write")
@click.argument("verb", type=click.Choice(VERBS), required=False)
@click.option("--rewrite", is_flag=True, help="Say the same, well. The default.")
@click.option("--shorten", is_flag=True, help="Say it in fewer words.")
@click.option("--fix", is_flag=True, help="Correct spelling and grammar, nothing else.")
@click.option("--reply", is_flag=True, help="Write a reply to it.")
@click.option(
    "--translate", "language", metavar="LANGUAGE", help="Into this language: fr, German, …"
)
@click.option("--tone", help="In this tone: friendly, formal, …")
@click.option("--do", "instruction", metavar="TEXT", help="Do this with it, in your words.")
@click.option("--remember-tone", is_flag=True, help="Keep this tone for rewriting and replies.")
@click.option(
    "--diff", "show_diff", is_flag=True, help="Show what changed instead: [-old-]{+new+}."
)
@json_option
def write(verb: str | None, show_diff: bool, as_json: bool, **chosen: Any) -> None:
    """Rewrite standard input and print the result; what to look at goes to standard error.

    One of the words start, stop and toggle opens or closes the window on the desktop instead.
    """
    if verb is not None:
        return order("write", verb, as_json=as_json)
    text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise InvalidInput("The text is not UTF-8.", "Convert it, or set the encoding.") from exc
    sent = body(text, chosen)
    with daemon() as client:
        seen = {one.event: one.data for one in client.stream("/api/v1/write", sent)}
    result = seen["result"]
    if as_json:
        return console.as_json(result | {"receipt": seen["receipt"]})
    shown = marked(result["diff"]) if show_diff else result["text"]
    # To a file or a program it goes as it is; a terminal is not steered by it.
    click.echo(console.plain(shown) if sys.stdout.isatty() else shown, nl=sys.stdout.isatty())
    for flag in result["flags"]:
        words = f" {', '.join(flag['words'])}" if flag["words"] else ""
        console.err.print(console.plain(f"{flag['message']}{words}"))
    return None


def marked(changes: list[dict[str, str]]) -> str:
    """Pure: changes as `git diff --word-diff` shows them."""
    marks = {"keep": ("", ""), "delete": ("[-", "-]"), "insert": ("{+", "+}")}
    return "".join(f"{marks[c['op']][0]}{c['text']}{marks[c['op']][1]}" for c in changes)
