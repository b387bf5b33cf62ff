"""Options that evaluations share."""

from __future__ import annotations

from pathlib import Path

import click


def names(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    """What commas part."""
    return tuple(part.strip() for part in value.split(",") if part.strip())


data_option = click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of data, laid out as published.",
)
sets_option = click.option(
    "--sets", callback=names, default="", help="Some sets, parted by commas."
)
part_option = click.option(
    "--part",
    type=click.Choice(["calibration", "held-out", "all"]),
    default="held-out",
    show_default=True,
    help="Heads and prompts are chosen on the first 50 questions of each set.",
)
limit_option = click.option("--limit", type=click.IntRange(1), help="Take the first N questions.")
seed_option = click.option("--seed", type=int, help="Shuffle first.")
fresh_option = click.option(
    "--fresh", is_flag=True, help="Forget what an interrupted run finished."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
output_option = click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the result in this folder, not among Leadline's own.",
)
