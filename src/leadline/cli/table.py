"""``leadline table "query"``: a table, every cell with the words it rests on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .ask import question_text
from .research_options import check_options, research_options

if TYPE_CHECKING:
    from ..agent.report import Report
    from ..agent.tables.rendering import TableFormat


def _names(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """What commas part."""
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


@click.command()
@click.argument("query", nargs=-1)
@click.option("--columns", callback=_names, help="The table's columns, parted by commas.")
@click.option("--keys", callback=_names, help="Columns that tell its rows apart.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the table to this file: .md, .csv, .json, .html or .xlsx.",
)
@research_options
def table(
    query: tuple[str, ...],
    columns: tuple[str, ...],
    keys: tuple[str, ...],
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
    """Find the table that QUERY asks for, and print it as Markdown with what is missing.

    Columns that the query spells out ("with the columns: …") or --columns names are kept to the
    letter. A cell that was not found is marked, never guessed; where pages disagree, the report
    says so.
    """
    check_options(corpora=corpora, no_web=no_web, web=web, as_json=as_json, as_jsonl=as_jsonl)
    if output and (as_json or as_jsonl):
        raise click.UsageError("-o writes the table: leave out --json and --jsonl")
    form = _format_of(output)

    from ..agent.assembly import Wishes
    from ..agent.researcher import checked_question
    from ..agent.tables.schema import TableWishes
    from ..budget import Limits
    from ..settings import load_settings
    from .research_session import Presentation, research

    text = checked_question(question_text(query))
    settings = load_settings(model=model, reader=reader, seconds=seconds)

    def write(report: Report) -> None:
        from ..agent.tables.rendering import rendered
        from .terminal import write_file

        if output is not None and form is not None and report.table is not None:
            write_file(output, rendered(report.table, form))

    return research(
        Wishes(
            settings=settings,
            corpora=corpora,
            web=web or not (no_web or corpora),
            memory=settings.memory,
        ),
        lambda researcher, cancel, on_event, progress: researcher.tabulate(
            text,
            TableWishes(columns=columns, keys=keys),
            limits=Limits(seconds=settings.seconds),
            cancel=cancel,
            on_event=on_event,
            progress=progress,
        ),
        Presentation(
            as_json=as_json,
            as_jsonl=as_jsonl,
            quiet=quiet,
            write=write if output is not None else None,
        ),
    )


def _format_of(output: Path | None) -> TableFormat | None:
    """The format that a file's name asks for."""
    if output is None:
        return None
    formats: dict[str, TableFormat] = {
        ".md": "md",
        ".csv": "csv",
        ".json": "json",
        ".html": "html",
        ".xlsx": "xlsx",
    }
    form = formats.get(output.suffix.lower())
    if form is None:
        raise click.UsageError(f"-o {output.name}: its ending is none of {', '.join(formats)}")
    return form
