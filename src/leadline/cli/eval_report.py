"""``leadline eval report``: all kept results as one page."""

from __future__ import annotations

from pathlib import Path

import click

from .terminal import note, warn, write_file


@click.command("report")
@click.argument(
    "folder",
    metavar="[DIR]",
    required=False,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The HTML file to write.",
)
def report_evals(folder: Path | None, output: Path) -> None:
    """All results in DIR as one HTML page, with what differs between runs on the same data.

    Without DIR: the results that Leadline keeps. The page loads nothing and needs no script.
    """
    from ..evals.result_report import read_results, results_html
    from ..locations import locations

    results, problems = read_results(folder or locations().evaluations)
    for problem in problems:
        warn(problem)
    write_file(output, results_html(results).encode())
    note(f"{len(results)} results in {output}")
