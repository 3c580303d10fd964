"""`nestor remember`, `recall` and `forget`: the memory by hand."""

from __future__ import annotations

from typing import Any

import click

from assistant.clients import console, forgetting
from assistant.clients.commands import daemon, example, json_option
from assistant.errors import InvalidInput


@example('nestor remember "My sister Ana lives in Lyon"')
@click.command()
@click.argument("text", nargs=-1, required=True)
@click.option(
    "--kind", default="note", show_default=True, help="fact, preference, event, task, note."
)
@click.option("--said-at", help="When it was said (ISO 8601); now if left out.")
@json_option
def remember(text: tuple[str, ...], kind: str, said_at: str | None, as_json: bool) -> None:
    """Store a memory."""
    with daemon() as client:
        body = {"text": " ".join(text), "kind": kind, "said_at": said_at, "source": "cli"}
        row = client.post("/api/v1/memories", body)
    return console.as_json(row) if as_json else console.line(f"Remembered ({row['id']}).")


@example('nestor recall "sister"')
@click.command()
@click.argument("query", nargs=-1, required=True)
@click.option("-k", default=5, show_default=True, type=click.IntRange(1, 100), help="How many.")
@json_option
def recall(query: tuple[str, ...], k: int, as_json: bool) -> None:
    """Show the memories nearest to a question."""
    with daemon() as client:
        found = client.post("/api/v1/memories/search", {"query": " ".join(query), "k": k})
    if as_json:
        return console.as_json(found["items"])
    for row in found["items"]:
        text = f"{row['source']}: {row['text']}" if row.get("place") else row["text"]
        console.line(f"{row['score']:.2f}  {row['said_at'][:10]}  {text}  ({row['id']})")
    if not found["items"]:
        console.line("Nothing comes to mind.")
    return None


@example('nestor forget "my sister\'s address"')
@click.command()
@click.argument("query", nargs=-1)
@click.option("--id", "ids", multiple=True, help="Forget this memory; may be repeated.")
@click.option(
    "--source",
    help="All from this source: its id (`nestor sources list`), or a memory's source, exactly.",
)
@click.option("--after", help="All that was said from then on (ISO 8601), turns of chats too.")
@click.option("--before", help="All that was said before then.")
@click.option("--everything", is_flag=True, help="All memories and conversations.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
def forget(query: tuple[str, ...], dry_run: bool, yes: bool, as_json: bool, **which: Any) -> None:
    """Forget for good, say what went, and search all files for what may be left of it."""
    body = {name: value for name, value in which.items() if value}
    body |= {"query": " ".join(query)} if query else {}
    if len({"range" if name in ("after", "before") else name for name in body}) != 1:
        raise InvalidInput(
            "Say what to forget.",
            "Give either words, --id, --source, --after and --before, or --everything.",
        )
    with daemon() as client:
        if query and not yes and not dry_run:
            body = {"ids": _choose(client, str(body["query"]))}
        elif not {"query", "ids"} & set(body) or dry_run:
            told = client.post("/api/v1/forget", body | {"dry_run": True})
            if dry_run:
                return console.as_json(told) if as_json else forgetting.would_go(told)
            if not yes:
                forgetting.would_go(told)
                if any(told.get("counts", {}).values()):
                    click.confirm("Forget all of this?", abort=True, err=True)
                else:
                    body = {"ids": []}
            body |= {"confirm": told["confirm"]} if "confirm" in told else {}
        nothing: dict[str, Any] = {"forgotten": [], "backups": []}
        told = nothing if body == {"ids": []} else client.post("/api/v1/forget", body)
    return console.as_json(told) if as_json else forgetting.went(told)


def _choose(client: Any, query: str) -> list[str]:
    found = client.post("/api/v1/memories/search", {"query": query, "k": 5})["items"]
    return [row["id"] for row in found if click.confirm(f"Forget: {row['text']}", err=True)]
