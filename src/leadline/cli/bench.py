"""``leadline bench``: how fast this machine reads and writes, and how near its limits that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..cancellation import Cancellation
from .eval_result import show_result
from .running import run_async
from .terminal import progress_bars

if TYPE_CHECKING:
    from ..evals.result import DataUsed
    from ..evals.rows import Row
    from ..progress import Progress

    Measure = Callable[[Cancellation, Progress], list[Row]]

_plot = click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the figures into this PNG file (needs the extra 'plot').",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_rounds = click.option(
    "--rounds", type=click.IntRange(1), default=5, show_default=True, help="Repeats of each call."
)


@click.group()
def bench() -> None:
    """Measure kernels, reading and decoding on this machine: side by side, in one run."""


@bench.command()
@_rounds
@click.option("--max-window", type=click.IntRange(512), help="Leave out longer windows.")
@_plot
@_json
def kernels(rounds: int, max_window: int | None, plot: Path | None, as_json: bool) -> None:
    """Each kernel against torch, and as a share of what the processor can do."""
    from ..evals.kernel_bench import LONG_WINDOWS, WINDOWS, KernelBench
    from ..evals.result import DataUsed

    limit = max_window or max(LONG_WINDOWS)
    chosen = KernelBench(
        windows=[window for window in WINDOWS if window <= limit],
        long_windows=[window for window in LONG_WINDOWS if window <= limit],
        rounds=rounds,
    )
    settings = {"rounds": rounds, "windows": list(chosen.windows)}
    _run(
        "kernels",
        lambda cancel, progress: chosen.rows(cancel=cancel, progress=progress),
        data=DataUsed("", "", 0),
        settings=settings,
        plot=plot,
        as_json=as_json,
    )


@bench.command()
@click.option("--reader", default="qwen2.5-coder-0.5b", show_default=True, help="Model that reads.")
@click.option("--tokens", type=click.IntRange(1024), default=4096, show_default=True)
@click.option("--cached", type=click.IntRange(1024), default=32768, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@_plot
@_json
def reader(
    reader: str, tokens: int, cached: int, rounds: int, plot: Path | None, as_json: bool
) -> None:
    """Tokens a second of each tier, and seconds to ask again what was read.

    The text is the Python language reference that ships inside Python.
    """
    from pydoc_data.topics import topics

    from ..evals.reader_bench import ReaderBench
    from ..evals.result import DataUsed
    from ..runtime.catalogue import resolve
    from ..runtime.gguf_weights import convert

    text = "\n\n".join(topics.values())
    settings = {"reader": reader, "tokens": tokens, "cached": cached, "rounds": rounds}

    def measure(cancel: Cancellation, progress: Progress) -> list[Row]:
        files = resolve(reader)
        model = convert(files.weights, sha256=files.sha256, cancel=cancel, progress=progress)
        chosen = ReaderBench(
            model,
            files.id,
            text,
            files.weights,
            windows=[size for size in (1024, 2048, 4096) if size <= tokens],
            tokens=tokens,
            cached=cached,
            rounds=rounds,
        )
        return chosen.rows(cancel=cancel, progress=progress)

    data = DataUsed("pydoc_data.topics", _digest(text), len(topics))
    _run("reader", measure, data=data, settings=settings, plot=plot, as_json=as_json)


@bench.command()
@click.option("-m", "--model", help="A catalogue id, or a GGUF file; without it the one in use.")
@click.option("--tokens", type=click.IntRange(2), default=64, show_default=True, help="Per answer.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@_plot
@_json
def decoding(model: str | None, tokens: int, rounds: int, plot: Path | None, as_json: bool) -> None:
    """Tokens a second of 1, 2, 4 and 8 searchers that share one local model."""
    import asyncio

    from ..evals.decoding_bench import SEARCHERS, DecodingBench
    from ..evals.result import DataUsed
    from ..runtime.catalogue import resolve
    from ..runtime.llama_engine import LlamaEngine
    from ..settings import load_settings

    files = resolve(load_settings(model=model).model)
    settings = {"tokens": tokens, "rounds": rounds, "searchers": list(SEARCHERS)}

    def measure(cancel: Cancellation, progress: Progress) -> list[Row]:
        engine = LlamaEngine(files.path, model_id=files.id, parallel=max(SEARCHERS))
        try:
            bench = DecodingBench(engine, tokens=tokens, rounds=rounds)
            return bench.rows(cancel=cancel, progress=progress)
        finally:
            asyncio.run(engine.aclose())

    data = DataUsed("", "", 0)
    _run("decoding", measure, data=data, settings=settings, plot=plot, as_json=as_json)


def _run(
    name: str,
    measure: Measure,
    *,
    data: DataUsed,
    settings: Mapping[str, object],
    plot: Path | None,
    as_json: bool,
) -> None:
    if plot is not None:
        from ..evals.bench_plot import require_matplotlib

        require_matplotlib()
    from ..evals.result import Stopwatch, measured

    watch = Stopwatch()

    async def work(cancel: Cancellation) -> list[Row]:
        from ..threads import in_thread

        with progress_bars() as progress:
            return await in_thread(lambda stop: measure(stop, progress), cancel=cancel)

    rows = run_async(work)
    result = measured(name, data=data, options=settings, rows=rows, questions=(), watch=watch)
    if plot is not None:
        from ..evals.bench_plot import draw

        draw(rows, plot, title=f"{name} on {result.machine['processor']}")
    show_result(result, as_json=as_json)


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()
