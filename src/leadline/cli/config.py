"""``leadline config``: what is set, where, and how to change it."""

from __future__ import annotations

import sys

import click

from .completing import setting_names
from .terminal import note, stdout_console, write_json, write_result


@click.group()
def config() -> None:
    """Show and change settings, each with the place it comes from."""


@config.command()
@click.argument("name", required=False, shell_complete=setting_names)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(name: str | None, as_json: bool) -> None:
    """Show every setting, or the one called NAME, and where its value comes from.

    What is typed wins over the environment, that over the project's file, that over the user's.
    """
    from dataclasses import asdict

    from rich.markup import escape
    from rich.table import Table

    from ..setting_origins import DEFAULT, setting_values
    from ..settings import check_name

    if name is not None:
        check_name(name)
    values = [value for value in setting_values() if name in (None, value.name)]
    if as_json:
        write_json({value.name: asdict(value) for value in values})
        return
    console = stdout_console()
    table = Table("setting", "value", "from", box=None, pad_edge=False, header_style="bold")
    for value in values:
        origin = value.origin
        if value.overridden:
            origin += f" (over {', '.join(value.overridden)})"
        style = "dim" if origin == DEFAULT else ""
        table.add_row(value.name, escape(_text(value.value)), escape(origin), style=style)
    console.print(table)


@config.command()
def path() -> None:
    """Print the path of the user's settings file, whether it is there yet or not."""
    from ..setting_files import user_file

    write_result(str(user_file()))


@config.command("set")
@click.argument("name", shell_complete=setting_names)
@click.argument("value", required=False)
def set_(name: str, value: str | None) -> None:
    """Set NAME to VALUE in the user's settings file.

    \b
    leadline config set model qwen2.5-coder-0.5b
    leadline config set search_backends ddgs,wikipedia
    leadline config set search_urls.brave http://127.0.0.1:8080
    leadline config set endpoint_key        asks for it, or reads it from standard input
    """
    from ..setting_writing import write_setting
    from ..settings import check_name, is_secret, places_of

    bare = name.partition(".")[0]
    check_name(bare)
    if value is None:
        if not is_secret(bare):
            raise click.UsageError(f"give a value for {name}, or `leadline config unset {name}`")
        value = _secret(name)
    written = write_setting(name, value)
    note(f"{name} is set in {written}")
    if (winner := places_of(bare)[0]) != str(written):
        note(f"{winner} sets it too, and wins")


@config.command()
@click.argument("name", shell_complete=setting_names)
def unset(name: str) -> None:
    """Take NAME out of the user's settings file."""
    from ..setting_writing import write_setting

    note(f"{name} is not set in {write_setting(name, None)}")


@config.command()
def schema() -> None:
    """Print the JSON Schema of a settings file."""
    from ..settings import Settings

    write_json({**Settings.model_json_schema(), "additionalProperties": False})


def _secret(name: str) -> str:
    if sys.stdin.isatty():
        typed: str = click.prompt(name, hide_input=True, err=True)
        return typed
    return sys.stdin.readline().strip()


def _text(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    if isinstance(value, dict):
        return ", ".join(f"{name}={text}" for name, text in value.items()) or "–"
    return str(value).lower() if isinstance(value, bool) else str(value)
