"""`nestor hotkey`: set one by pressing it, list them, try one."""

from __future__ import annotations

import contextlib
from typing import Any

import click

from assistant.clients import console
from assistant.clients.commands import Group, example, json_option
from assistant.clients.desktop.hotkeys import ACTIONS, Combination, chosen
from assistant.config import Paths, load_paths, load_settings
from assistant.errors import AssistantError

_action = click.argument("action", type=click.Choice(ACTIONS))


@click.group(cls=Group)
def hotkey() -> None:
    """The keys that open Nestor from anywhere: set by pressing them, so that they are known to work."""


@example("nestor hotkey set ask ctrl+alt+space")
@hotkey.command("set")
@_action
@click.argument("keys", metavar="KEYS")
@json_option
def set_hotkey(action: str, keys: str, as_json: bool) -> None:
    """Try a hotkey and keep it if a real press and release are heard. KEYS may be `auto` or `off`."""
    tried = _setup(load_paths()).set(action, keys.strip().lower(), _press)
    if as_json:
        return console.as_json(_told(tried) if tried else {"action": action, "keys": "off"})
    if tried is None:
        return console.line(f"The hotkey of `{action}` is off.")
    return console.line(f"{_words(tried)} It is the hotkey of `{action}` now.")


@example("nestor hotkey test ask")
@hotkey.command("test")
@_action
@json_option
def test_hotkey(action: str, as_json: bool) -> None:
    """Wait for a real press and release of the hotkey that is set."""
    tried = _setup(load_paths()).test(action, _press)
    return console.as_json(_told(tried)) if as_json else console.line(_words(tried))


@example("nestor hotkey list")
@hotkey.command("list")
@json_option
def list_hotkeys(as_json: bool) -> None:
    """Each hotkey, and when it was really heard last."""
    rows = rows_of(load_paths())
    if as_json:
        return console.as_json(rows)
    return console.table(
        ("action", "keys", "heard", "by"),
        [(r["action"], r["keys"], r["proven_at"] or "not yet", r["backend"] or "") for r in rows],
    )


def rows_of(paths: Paths) -> list[dict[str, Any]]:
    """Each action's hotkey, with the proof that it works, if there is one."""
    from assistant.clients.desktop.bindings import wanted
    from assistant.clients.desktop.proofs import Proofs

    texts = wanted(load_settings(paths))
    keys, proofs = chosen(texts), Proofs(paths)
    rows = []
    for action in texts:
        named = str(keys[action]) if action in keys else "off"
        proof = proofs.of(action, named)
        rows.append(
            {
                "action": action,
                "keys": named,
                "setting": texts[action],
                "proven_at": proof.at if proof else None,
                "backend": proof.backend if proof else None,
            }
        )
    return rows


def _setup(paths: Paths) -> Any:
    from assistant.clients.desktop.hotkey_setup import Setup

    return Setup(
        paths,
        let_go=lambda: _tell(paths, "hotkeys.pause"),
        take_back=lambda: _tell(paths, "hotkeys.resume"),
    )


def _tell(paths: Paths, action: str) -> None:
    """The program with the icon has our keys; it need not run."""
    from assistant.clients.desktop import control

    with contextlib.suppress(AssistantError):
        control.send(paths, action)


def _press(one: Combination) -> None:
    console.err.print(f"Press {one} now, and let it go …")


def _told(tried: Any) -> dict[str, Any]:
    return {
        "action": tried.action,
        "keys": tried.keys,
        "backend": tried.backend,
        "held_s": round(tried.held_s, 3),
    }


def _words(tried: Any) -> str:
    return f"Heard {tried.keys} go down and up again ({tried.held_s:.2f} s), by {tried.backend}."
