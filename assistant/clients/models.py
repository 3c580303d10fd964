"""`nestor models`: the catalogue, and which of its models are here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from assistant.clients import console
from assistant.clients.commands import Group, daemon, example, json_option


@click.group("models", cls=Group)
def models() -> None:
    """List, fetch, check, choose and remove models."""


@example("nestor models list")
@models.command("list")
@json_option
def models_list(as_json: bool) -> None:
    """Show the catalogue."""
    with daemon() as client:
        rows = client.get("/api/v1/models")["items"]
    if as_json:
        return console.as_json(rows)
    return console.table(
        ("id", "model", "size", "memory", "state"),
        [
            (
                row["id"],
                row["title"],
                console.megabytes(row["bytes"]),
                console.megabytes(row["ram_bytes"]),
                _model_state(row),
            )
            for row in rows
        ],
    )


@example("nestor models pull starter")
@models.command("pull")
@click.argument("model")
@json_option
def models_pull(model: str, as_json: bool) -> None:
    """Fetch a model; an interrupted fetch goes on where it stopped."""
    _steps(model, "pull", as_json)


@example("nestor models verify starter")
@models.command("verify")
@click.argument("model")
@json_option
def models_verify(model: str, as_json: bool) -> None:
    """Read a model's whole file and compare its hash."""
    _steps(model, "verify", as_json)


@example("nestor models use small")
@models.command("use")
@click.argument("model")
@json_option
def models_use(model: str, as_json: bool) -> None:
    """Answer with another model from now on."""
    if Path(model).is_file():
        model = str(Path(model).absolute())
    with daemon() as client:
        info = client.post("/api/v1/models/use", {"model": model})
    return console.as_json(info) if as_json else console.line(f"{info['id']} is in use.")


@example("nestor models rm small")
@models.command("rm")
@click.argument("model")
@json_option
def models_rm(model: str, as_json: bool) -> None:
    """Delete a model's file."""
    with daemon() as client:
        data = client.delete(f"/api/v1/models/{model}")
    return (
        console.as_json(data)
        if as_json
        else console.line(f"Freed {console.megabytes(data['freed_bytes'])}.")
    )


def _steps(model: str, verb: str, as_json: bool) -> None:
    with daemon() as client:
        steps = client.stream(f"/api/v1/models/{model}/{verb}")
        last = console.follow(steps, model)
    if as_json:
        return console.as_json(last)
    return console.line(f"{model} is here and verified.")


def _model_state(row: dict[str, Any]) -> str:
    state = "in use" if row["in_use"] and row["state"] == "present" else row["state"]
    return f"{state}, suggested for this machine" if row["proposed"] else state
