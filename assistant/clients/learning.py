"""`nestor suggestions` and `nestor learning`: what may be worth remembering, and who decides."""

from __future__ import annotations

import click

from assistant.clients import console
from assistant.clients.commands import Group, daemon, example, json_option


@click.group("suggestions", cls=Group)
def suggestions() -> None:
    """See, accept and reject what may be worth remembering."""


@example("nestor suggestions list")
@suggestions.command("list")
@json_option
def suggestions_list(as_json: bool) -> None:
    """Show what you said that may be worth keeping; nothing of it is stored yet."""
    with daemon() as client:
        rows = client.get("/api/v1/suggestions", limit=100)["items"]
    if as_json:
        return console.as_json(rows)
    for row in rows:
        private = "" if row["sensitivity"] == "normal" else f"  [{row['sensitivity']}]"
        console.line(f"{row['id']}  {row['created_at'][:10]}  {row['text']}{private}")
    if not rows:
        console.line("There is nothing to decide.")
    return None


@example("nestor suggestions accept g_01m84scp85qj82x0athkn7fjra")
@suggestions.command("accept")
@click.argument("ids", nargs=-1, required=True)
@json_option
def suggestions_accept(ids: tuple[str, ...], as_json: bool) -> None:
    """Remember these, word for word; what they contradict becomes history."""
    with daemon() as client:
        effects = [client.post(f"/api/v1/suggestions/{one}/accept") for one in ids]
    if as_json:
        return console.as_json(effects)
    for effect in effects:
        for word, name in (("Remembered", "stored"), ("Known", "known"), ("History", "closed")):
            for row in effect[name]:
                console.line(f"{word}: {row['text']} ({row['id']})")
    return None


@example("nestor suggestions reject g_01m84scp85qj82x0athkn7fjra")
@suggestions.command("reject")
@click.argument("ids", nargs=-1, required=True)
@json_option
def suggestions_reject(ids: tuple[str, ...], as_json: bool) -> None:
    """Drop these; they are not offered again."""
    with daemon() as client:
        gone = [client.post(f"/api/v1/suggestions/{one}/reject")["rejected"] for one in ids]
    return console.as_json({"rejected": gone}) if as_json else console.line("Dropped.")


@example("nestor learning ask")
@click.command("learning")
@click.argument("mode", type=click.Choice(["ask", "auto", "off"]), required=False)
@json_option
def learning(mode: str | None, as_json: bool) -> None:
    """Show or choose what becomes of what you say: ask, auto or off."""
    path = "/api/v1/learning"
    with daemon() as client:
        chosen = client.put(path, {"mode": mode}) if mode else client.get(path)
    return console.as_json(chosen) if as_json else console.line(chosen["mode"])
