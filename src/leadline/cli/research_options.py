"""The options that commands which research have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from .completing import corpora, model_ids

F = TypeVar("F", bound=Callable[..., Any])

corpus_option = click.option(
    "--corpus",
    "corpora",
    multiple=True,
    metavar="NAME|DIR",
    shell_complete=corpora,
    help="Search this corpus, or index and search this folder. Repeatable.",
)
model_option = click.option(
    "-m",
    "--model",
    shell_complete=model_ids,
    help="Model that plans and writes: an id, or a GGUF file.",
)
reader_option = click.option(
    "--reader", shell_complete=model_ids, help='Model that reads: an id, or "none".'
)
quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="Say nothing on stderr but warnings and errors."
)


def seconds_option(help: str) -> Callable[[F], F]:
    """``--seconds``, said to be what ``help`` says."""
    return click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help=help)


_OPTIONS = (
    corpus_option,
    click.option("--no-web", is_flag=True, help="Do not search the web."),
    click.option("--web", is_flag=True, help="Search the web as well as the corpora."),
    click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object."),
    click.option("--jsonl", "as_jsonl", is_flag=True, help="Print every event as a line of JSON."),
    seconds_option("Wall-clock budget."),
    model_option,
    reader_option,
    quiet_option,
)


def research_options(command: F) -> F:
    """Add those that every such command at a terminal has."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check_options(
    *, corpora: tuple[str, ...], no_web: bool, web: bool, as_json: bool, as_jsonl: bool
) -> None:
    """Raises click.UsageError: options exclude each other, or leave nothing to search."""
    if no_web and web:
        raise click.UsageError("--web and --no-web exclude each other")
    if as_json and as_jsonl:
        raise click.UsageError("--json and --jsonl exclude each other")
    if no_web and not corpora:
        raise click.UsageError("--no-web leaves nothing to search: add --corpus NAME or DIR")
