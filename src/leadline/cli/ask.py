"""``leadline "question"``: research a question, print the cited report."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..errors import InputError
from .research_options import check_options, research_options


@click.command()
@click.argument("question", nargs=-1)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=True),
    help="Write the report to this file instead of stdout.",
)
@click.option("--no-clarify", is_flag=True, help="Never ask back what the question means.")
@research_options
def ask(
    question: tuple[str, ...],
    no_clarify: bool,
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
    when any is given, and the web otherwise; --web searches both. At a terminal, a question that
    can be meant in several ways is asked back once, unless --no-clarify, --json, --jsonl or --quiet
    is given.
    """
    check_options(corpora=corpora, no_web=no_web, web=web, as_json=as_json, as_jsonl=as_jsonl)
    if as_jsonl and output:
        raise click.UsageError("--jsonl goes to stdout: redirect it instead of using -o")
    from ..agent.assembly import Wishes
    from ..agent.researcher import checked_question
    from ..budget import Limits
    from ..settings import load_settings
    from .clarifying import interactive, person_at_the_terminal
    from .research_session import Presentation, research

    text = checked_question(question_text(question))
    settings = load_settings(model=model, reader=reader, seconds=seconds)
    asks_back = interactive() and not (no_clarify or as_json or as_jsonl or quiet)
    return research(
        Wishes(settings=settings, corpora=corpora, web=web or not (no_web or corpora)),
        lambda researcher, cancel, on_event, progress: researcher.run(
            text,
            limits=Limits(seconds=settings.seconds),
            cancel=cancel,
            on_event=on_event,
            progress=progress,
            clarify=person_at_the_terminal(progress) if asks_back else None,
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
