"""`nestor ask` and `nestor chat`: questions, and answers as they come."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import click

from assistant.clients import console
from assistant.clients.commands import daemon, example, json_option
from assistant.clients.orders import VERBS, order
from assistant.errors import AssistantError, ConversationNotFound, Unreachable


@example('nestor ask "Where does my sister live?"')
@click.command()
@click.argument("text", nargs=-1, required=True)
@click.option("--continue", "-c", "again", is_flag=True, help="Go on with the latest conversation.")
@click.option("--no-memory", is_flag=True, help="Leave memories out of the prompt.")
@click.option("--verbose", "-v", is_flag=True, help="Show the receipt.")
@json_option
def ask(text: tuple[str, ...], again: bool, no_memory: bool, verbose: bool, as_json: bool) -> None:
    """Ask one question and print the answer as it comes.

    One of the words start, stop and toggle alone opens or closes the window on the desktop.
    """
    if len(text) == 1 and text[0] in VERBS:
        return order("ask", text[0], as_json=as_json)
    with daemon() as client:
        conversation = _latest(client) if again else client.post("/api/v1/conversations", {})["id"]
        events = client.stream(
            f"/api/v1/conversations/{conversation}/turns",
            {"text": " ".join(text), "memory": not no_memory},
        )
        if as_json:
            return console.as_json(_answer(conversation, list(events)))
        seen = console.pieces(events)
    if verbose:
        console.receipt(seen)
    return None


@example("nestor chat")
@click.command()
@click.option("--continue", "-c", "again", is_flag=True, help="Go on with the latest conversation.")
@click.option("--verbose", "-v", is_flag=True, help="Show a receipt after each answer.")
@click.option("--json", "as_json", is_flag=True, help="Print each answer as a line of JSON.")
def chat(again: bool, verbose: bool, as_json: bool) -> None:
    """Talk. An empty line or Ctrl-D ends it."""
    from assistant.clients import keystrokes

    with daemon() as client:
        conversation = _latest(client) if again else client.post("/api/v1/conversations", {})["id"]
        path = f"/api/v1/conversations/{conversation}/turns"
        client.warm(conversation)
        # What is typed goes ahead at each pause, so that the answer comes sooner.
        sent_ahead = partial(client.warm, conversation)
        while text := keystrokes.line("" if as_json else "> ", sent_ahead):
            try:
                if as_json:
                    answer = _answer(conversation, list(client.stream(path, {"text": text})))
                    click.echo(json.dumps(answer, ensure_ascii=False))
                    continue
                seen = console.pieces(client.stream(path, {"text": text}))
                if verbose:
                    console.receipt(seen)
            except Unreachable:
                raise
            except AssistantError as exc:
                console.error(exc)


def _latest(client: Any) -> str:
    rows = client.get("/api/v1/conversations", limit=1)["items"]
    if not rows:
        raise ConversationNotFound("There is no conversation to go on with.", "Ask without -c.")
    return str(rows[0]["id"])


def _answer(conversation: str, events: list[Any]) -> dict[str, Any]:
    by_name = {event.event: event.data for event in events}
    return {
        "conversation": conversation,
        "turn": by_name["started"]["turn"],
        "text": "".join(event.data["text"] for event in events if event.event == "token"),
        "recalled": by_name["recalled"]["items"],
        "receipt": by_name["receipt"],
    }
