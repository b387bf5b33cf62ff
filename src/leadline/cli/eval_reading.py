"""Evaluations of reading, as commands under ``leadline eval run``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, Unpack

import click

from ..cancellation import Cancellation
from .eval_options import (
    data_option,
    fresh_option,
    json_option,
    limit_option,
    names,
    output_option,
    part_option,
    seed_option,
    sets_option,
)
from .eval_result import finish, tell_of_files, trials_so_far
from .running import run_async
from .terminal import progress_bars, warn

if TYPE_CHECKING:
    from ..evals.result import EvaluationResult
    from ..evals.trials import Evaluation, FinishedTrials
    from ..progress import Progress
    from ..settings import Settings

    Load = Callable[[Settings, Cancellation, Progress], Awaitable[Evaluation]]

F = TypeVar("F", bound=Callable[..., Any])

ABOUT = {
    "multihop": "Paragraphs that a question needs, among its own or all (MuSiQue, HotpotQA).",
    "rerank": "Re-ranking of BM25's best hundred passages (TREC Deep Learning 2019).",
    "session": "Sessions of follow-up questions, by the normalised U-measure (NUM).",
    "needle": "Paragraphs and stories hidden in long texts (XQuAD and bAbI in Wikipedia pages).",
    "filings": "The sheets that hold the answer in company filings (FinanceBench).",
    "published": "Our InfiniRetri beside the published package (MuSiQue), for those who have it.",
}


class _Shared(TypedDict):
    """Options of every evaluation of reading, its data apart."""

    methods: tuple[str, ...]
    reader: str | None
    fresh: bool
    output: Path | None
    as_json: bool


_trec_runs = click.option(
    "--trec-runs",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the rankings into this folder, as runs and qrels for trec_eval.",
)


def _sizes(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
    """Whole numbers above 0, parted by commas."""
    parts = names(ctx, param, value)
    if not parts or not all(part.isdecimal() and int(part) for part in parts):
        raise click.BadParameter(f"{value!r} is no list of numbers such as 128000,512000")
    return tuple(int(part) for part in parts)


def _shared(command: F) -> F:
    """The options of :class:`_Shared`."""
    for option in (
        json_option,
        output_option,
        fresh_option,
        click.option("--reader", help='Model of the method "reader": an id, or "none".'),
        click.option(
            "--methods",
            callback=names,
            default="bm25,minilm,fusion,reader",
            show_default=True,
            help="What to measure, parted by commas.",
        ),
    ):
        command = option(command)
    return command


@click.command("multihop", help=ABOUT["multihop"])
@data_option
@sets_option
@part_option
@limit_option
@seed_option
@_trec_runs
@_shared
def _multihop(
    data: Path,
    sets: tuple[str, ...],
    part: Literal["calibration", "held-out", "all"],
    limit: int | None,
    seed: int | None,
    trec_runs: Path | None,
    **shared: Unpack[_Shared],
) -> None:
    async def load(settings: Settings, cancel: Cancellation, progress: Progress) -> Evaluation:
        from ..evals import multihop

        return multihop.load(data, sets=sets, part=part, limit=limit, seed=seed)

    _measure_reading(data, load, trec_runs=trec_runs, **shared)


@click.command("rerank", help=ABOUT["rerank"])
@data_option
@limit_option
@seed_option
@_trec_runs
@_shared
def _rerank(
    data: Path,
    limit: int | None,
    seed: int | None,
    trec_runs: Path | None,
    **shared: Unpack[_Shared],
) -> None:
    async def load(settings: Settings, cancel: Cancellation, progress: Progress) -> Evaluation:
        from ..evals import rerank

        return rerank.load(data, limit=limit, seed=seed)

    _measure_reading(data, load, trec_runs=trec_runs, **shared)


@click.command("session")
@data_option
@click.option(
    "--depth",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Documents that are read for each query.",
)
@click.option(
    "--patience",
    type=click.IntRange(1),
    default=132_000,
    show_default=True,
    help="Characters after which nothing that is read counts any more.",
)
@limit_option
@seed_option
@_shared
def _session(
    data: Path,
    depth: int,
    patience: int,
    limit: int | None,
    seed: int | None,
    **shared: Unpack[_Shared],
) -> None:
    """Sessions of follow-up questions, by the normalised U-measure (NUM).

    --data holds sessions.jsonl, a session a line: an id, and queries, each with the documents that
    may be shown for it (id, text, grade).
    """

    async def load(settings: Settings, cancel: Cancellation, progress: Progress) -> Evaluation:
        from ..evals import session

        return session.load(data, depth=depth, patience=patience, limit=limit, seed=seed)

    _measure_reading(data, load, **shared)


@click.command("needle")
@data_option
@sets_option
@click.option(
    "--tokens",
    callback=_sizes,
    default="128000,512000,1000000",
    show_default=True,
    help="Sizes of the long texts.",
)
@click.option(
    "--needles",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Questions for each size and depth, and for each size and task of bAbI.",
)
@seed_option
@_shared
def _needle(
    data: Path,
    sets: tuple[str, ...],
    tokens: tuple[int, ...],
    needles: int,
    seed: int | None,
    **shared: Unpack[_Shared],
) -> None:
    """Paragraphs and stories hidden in long texts.

    --data holds the folders wikitables, xquad and babi. Tokens are the reader's.
    """

    async def load(settings: Settings, cancel: Cancellation, progress: Progress) -> Evaluation:
        from ..evals import needle

        return await needle.load(
            data,
            settings=settings,
            sets=sets,
            sizes=tokens,
            needles=needles,
            seed=seed,
            cancel=cancel,
            progress=progress,
        )

    _measure_reading(data, load, **shared)


@click.command("filings", help=ABOUT["filings"])
@data_option
@limit_option
@seed_option
@_shared
def _filings(data: Path, limit: int | None, seed: int | None, **shared: Unpack[_Shared]) -> None:
    async def load(settings: Settings, cancel: Cancellation, progress: Progress) -> Evaluation:
        from ..evals import filings

        return await filings.load(
            data, settings=settings, limit=limit, seed=seed, cancel=cancel, progress=progress
        )

    _measure_reading(data, load, **shared)


@click.command("published", help=ABOUT["published"])
@data_option
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True, help="Questions.")
@click.option(
    "--precision",
    type=click.Choice(["bfloat16", "float32"]),
    default="bfloat16",
    show_default=True,
    help="In which both compute.",
)
@click.option("--reader", help="Model of both: an id.")
@output_option
@json_option
def _published(
    data: Path,
    limit: int,
    precision: Literal["bfloat16", "float32"],
    reader: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    from ..evals import machine, published, scores
    from ..evals.result import DataUsed, Stopwatch, measured
    from ..runtime.catalogue import resolve
    from ..settings import load_settings
    from ..threads import in_thread

    files = resolve(load_settings(reader=reader).reader)
    watch = Stopwatch()

    async def measure(cancel: Cancellation) -> published.Comparison:
        with progress_bars() as progress:

            def work(stop: Cancellation) -> published.Comparison:
                return published.compare(
                    data, files, limit=limit, precision=precision, cancel=stop, progress=progress
                )

            return await in_thread(work, cancel=cancel)

    found = run_async(measure)
    result = measured(
        "published",
        data=DataUsed(str(data), machine.digest_of_folder(data), limit),
        options={"limit": limit, "precision": precision, "text_tokens": found.tokens},
        reader=files.id,
        rows=scores.rows(found.scores),
        questions=found.scores,
        watch=watch,
    )
    finish(result, as_json=as_json, output=output)


def _measure_reading(
    data: Path, load: Load, *, trec_runs: Path | None = None, **shared: Unpack[_Shared]
) -> None:
    """Load an evaluation, measure the methods, print the rows."""
    from ..evals import machine, scores, trec_files
    from ..evals.bench import Bench
    from ..evals.methods import FIRST_STAGES, check_methods
    from ..evals.result import DataUsed, Stopwatch, measured
    from ..evals.trials import run_trials
    from ..settings import load_settings

    methods = shared["methods"]
    check_methods(methods)
    settings = load_settings(reader=shared["reader"])
    read_with = settings.model_dump(include={"reader", "embedder", "reading_tokens"})
    watch = Stopwatch()

    async def measure(
        cancel: Cancellation,
    ) -> tuple[EvaluationResult, FinishedTrials, list[scores.Score]]:
        with progress_bars() as progress:
            evaluation = await load(settings, cancel, progress)
            digest = await asyncio.to_thread(machine.digest_of_folders, evaluation.folders)
            options = {**evaluation.settings, "methods": methods}
            finished = trials_so_far(
                evaluation.name, digest, {**options, **read_with}, fresh=shared["fresh"]
            )
            resumed = len(finished)
            bench = Bench(settings, cancel=cancel, progress=progress, warn=warn)
            found = await run_trials(evaluation, methods, finished, bench)
        result = measured(
            evaluation.name,
            data=DataUsed(str(data), digest, evaluation.questions),
            options=options,
            settings=settings,
            reader=settings.reader if set(methods) - set(FIRST_STAGES) else "",
            rows=scores.rows(found),
            # Rankings are for other tools, and larger than all the rest.
            questions=[score.model_dump(exclude={"ranking"}) for score in found],
            watch=watch,
            resumed=resumed,
        )
        return result, finished, found

    result, finished, found = run_async(measure)
    if trec_runs is not None:
        files = trec_files.write_trec_runs(found, trec_runs)
        tell_of_files(files, trec_runs, missing=sum(score.ranking is None for score in found))
    finish(result, as_json=shared["as_json"], output=shared["output"])
    finished.forget()


COMMANDS = (_multihop, _rerank, _session, _needle, _filings, _published)
