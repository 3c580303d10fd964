"""The README names everything there is, and nothing else."""

import re
from pathlib import Path

import click
import pytest

from assistant.api.app import routes
from assistant.api.services import Services
from assistant.cli import main
from assistant.config import LIMITS, Limits, Settings
from assistant.errors import tree

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def section(title: str) -> str:
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def first_cells(text: str, header: str) -> list[list[str]]:
    """The rows of the table whose header line begins so."""
    table = text.split(f"\n{header}", 1)[1].split("\n\n", 1)[0]
    return [
        [cell.strip() for cell in row.strip("|").split(" | ")] for row in table.splitlines()[2:]
    ]


def commands(group: click.Group, prefix: str = "nestor") -> set[str]:
    found = set()
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, f"{prefix} {name}")
        else:
            found.add(f"{prefix} {name}")
    return found


def test_every_route():
    there = {
        f"{method.upper()} {re.sub(r'{[^}]*}', '{id}', path)}"
        for path, methods in routes(Services()).openapi()["paths"].items()
        for method in methods
    }
    told = {row[0].strip("`") for row in first_cells(section("API"), "| call |")}
    assert told == there


def test_every_command():
    told = {row[0].strip("`") for row in first_cells(section("Command line"), "| command |")}
    assert told == commands(main)


@pytest.mark.parametrize("name", sorted(commands(main)))
def test_every_command_has_json_help_and_an_example(name):
    command: click.Command = main
    for step in name.split()[1:]:
        command = command.commands[step]
    assert command.help
    assert command.epilog
    assert command.epilog.startswith(f"Example: {name}")
    assert "--json" in {option for param in command.params for option in param.opts}


def test_every_error_code_with_its_status():
    told = {row[0].strip("`"): int(row[1]) for row in first_cells(section("API"), "| code |")}
    assert told == {code: kind.status for code, kind in tree().items()}


def test_every_setting_with_its_default():
    rows = first_cells(section("Settings"), "| setting |")
    told = {row[0].strip("`"): row[1].strip("`") for row in rows}
    defaults = {name: getattr(Settings(), name) for name in Settings.__struct_fields__}
    assert told == {
        name: "empty" if value == "" else str(value) for name, value in defaults.items()
    }


def test_every_limit_with_its_value():
    rows = first_cells(section("API"), "| limit |")
    told = {row[0].strip("`"): int(row[1].replace(",", "")) for row in rows}
    assert told == {name: getattr(LIMITS, name) for name in Limits.__struct_fields__}


def test_every_variable():
    settings = {f"NESTOR_{name.upper()}" for name in Settings.__struct_fields__}
    told = set(re.findall(r"NESTOR_[A-Z_]+", README))
    assert told <= settings | {"NESTOR_HOME", "NESTOR_MODELS", "NESTOR_"}
    assert {"NESTOR_HOME", "NESTOR_MODELS"} <= told


def test_every_file_of_the_trace_exists():
    trace = section("The trace of one turn")
    trace += section("Hearing and speaking").split("```")[1]
    parts = re.findall(r"(?<![/\w])((?:api|core|engine|listen|memory|speech)/\w+)", trace)
    assert len(parts) > 16
    for part in parts:
        assert (Path(__file__).parents[1] / "assistant" / f"{part}.py").is_file(), part


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (Path(__file__).parents[1] / target).exists(), target
