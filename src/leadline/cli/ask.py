"""``leadline "question"``: research a question, print the cited report."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..errors import InputError


@click.command()
@click.argument("question", nargs=-1)
@click.option(
    "--corpus",
    "corpora",
    multiple=True,
    metavar="NAME|DIR",
    help="Search this corpus, or index and search this folder. Repeatable.",
)
@click.option("--no-web", is_flag=True, help="Do not search the web.")
@click.option("--web", is_flag=True, help="Search the web as well as the corpora.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
@click.option("--jsonl", "as_jsonl", is_flag=True, help="Print every event as a line of JSON.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=True),
    help="Write the report to this file instead of stdout.",
)
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Wall-clock budget.")
@click.option("-m", "--model", help="Model that plans and writes: an id, or a GGUF file.")
@click.option("--reader", help='Model that reads: an id, or "none".')
@click.option("-q", "--quiet", is_flag=True, help="Say nothing on stderr but warnings and errors.")
def ask(
    question: tuple[str, ...],
    corpora: tuple[str, ...],
    no_web: bool,
    web: bool,
    as_json: bool,
    as_jsonl: bool,
    output: Path | None,
    seconds: float | None,
    model: str | None,
    reader: str | None,
    quiet: bool,
) -> int:
    """Research QUESTION and print a report in which every claim is cited.

    The question comes from the arguments or, without them, from stdin. Corpora alone are searched
    when any is given, and the web otherwise; --web searches both.
    """
    if no_web and web:
        raise click.UsageError("--web and --no-web exclude each other")
    if as_json and as_jsonl:
        raise click.UsageError("--json and --jsonl exclude each other")
    if as_jsonl and output:
        raise click.UsageError("--jsonl goes to stdout: redirect it instead of using -o")
    if no_web and not corpora:
        raise click.UsageError("--no-web leaves nothing to search: add --corpus NAME or DIR")
    from ..agent.assembly import Wishes
    from ..agent.researcher import checked_question
    from ..budget import Limits
    from ..settings import load_settings
    from .research_session import Presentation, research

    text = checked_question(question_text(question))
    settings = load_settings(model=model, reader=reader, seconds=seconds)
    return research(
        Wishes(settings=settings, corpora=corpora, web=web or not (no_web or corpora)),
        lambda researcher, cancel, on_event, progress: researcher.run(
            text,
            limits=Limits(seconds=settings.seconds),
            cancel=cancel,
            on_event=on_event,
            progress=progress,
        ),
        Presentation(as_json=as_json, as_jsonl=as_jsonl, output=output, quiet=quiet),
    )


def question_text(words: tuple[str, ...]) -> str:
    """The question in the arguments, or the one on stdin.

    Raises:
        InputError: there are no arguments, and stdin is a terminal.
    """
    if words:
        return " ".join(words)
    if sys.stdin.isatty():
        raise InputError("no question was given", remedy='ask one: leadline "How does … work?"')
    return sys.stdin.buffer.read().decode("utf-8", errors="replace")
