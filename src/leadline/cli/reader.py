"""``leadline reader``: which attention heads of a model read, and finding them."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ..cancellation import Cancellation
from .completing import corpora, model_ids
from .running import run_async
from .terminal import note, progress_bars, stdout_console, warn, write_json

if TYPE_CHECKING:
    from ..progress import Progress
    from ..runtime.calibration import CalibrationQuestion
    from ..runtime.heads import CalibrationData, HeadTable
    from ..settings import Settings
    from ..tools.corpus import Corpus

    Questions = tuple[list[CalibrationQuestion], list[CalibrationData]]

_AMOUNTS = {"contrast": 50, "copy": 20, "repeats": 8}
_ENOUGH = 20
"""Fewer questions than these let heads be chosen by chance."""
_TRIED_FOR_ONE = 4
"""Passages of a corpus that are asked about at most, for one question that is kept."""


@click.group()
def reader() -> None:
    """Find and show the attention heads that a model reads with."""


@reader.command()
@click.argument("model", shell_complete=model_ids)
@click.option(
    "--method",
    type=click.Choice(list(_AMOUNTS)),
    help="contrast: gold passages against look-alikes (with --data or --corpus). copy: answers "
    "that stand in made texts. repeats: random tokens, twice (without data, the default).",
)
@click.option(
    "--data",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of questions as HotpotQA or MuSiQue have it; may be repeated.",
)
@click.option(
    "--corpus",
    metavar="NAME",
    shell_complete=corpora,
    help="A corpus; the model writes questions for it.",
)
@click.option(
    "--questions",
    type=click.IntRange(1),
    help="Questions of each file or of the corpus (50), made ones of copy (20), sequences of "
    "repeats (8).",
)
@click.option(
    "--layers",
    type=click.IntRange(0),
    help="Last layer looked at, counted from 0; a little past the middle when not given, deeper in "
    "models above a billion weights.",
)
@click.option("--heads", type=click.IntRange(1), default=8, show_default=True, help="Heads kept.")
@click.option(
    "--writer", metavar="MODEL", help="Writes the corpus's questions; else the setting `model`."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def calibrate(
    model: str,
    method: Literal["contrast", "copy", "repeats"] | None,
    data: tuple[Path, ...],
    corpus: str | None,
    questions: int | None,
    layers: int | None,
    heads: int,
    writer: str | None,
    as_json: bool,
) -> None:
    """Find the heads of MODEL that look at what a question asks for, and read with them from now on.

    MODEL is a catalogue id, a GGUF file or a Hugging Face folder. This takes minutes.
    """
    if (data or corpus) and method in ("copy", "repeats"):
        raise click.UsageError(f"--method {method} makes its own texts: leave --data and --corpus")
    if method == "contrast" and not (data or corpus):
        raise click.UsageError("--method contrast needs --data or --corpus")
    chosen = method or ("contrast" if data or corpus else "repeats")
    amount = questions or _AMOUNTS[chosen]

    async def work(cancel: Cancellation) -> HeadTable:
        from ..runtime.calibrator import Calibrator
        from ..settings import load_settings
        from ..threads import in_thread

        with progress_bars() as progress:
            items, described = _of_files(data, amount)
            if corpus is not None:
                settings = load_settings(model=writer)
                written, data_of_corpus = await _of_corpus(
                    corpus, amount, settings, cancel, progress
                )
                items += written
                described += data_of_corpus

            if chosen == "contrast" and len(items) < _ENOUGH:
                warn(f"heads chosen on fewer than {_ENOUGH} questions may be chosen by chance")

            def find(stop: Cancellation) -> HeadTable:
                calibrator = Calibrator.open(
                    model, last_layer=layers, cancel=stop, progress=progress
                )
                if chosen == "contrast":
                    return calibrator.by_contrast(
                        items, described, heads=heads, cancel=stop, progress=progress
                    )
                if chosen == "copy":
                    return calibrator.by_copying(
                        tasks=amount, heads=heads, cancel=stop, progress=progress
                    )
                return calibrator.by_repeats(
                    sequences=amount, heads=heads, cancel=stop, progress=progress
                )

            return await in_thread(find, cancel=cancel)

    from ..runtime.heads import save_head_table

    table = run_async(work)
    path = save_head_table(table)
    _show(table, path, as_json=as_json)


@reader.command("heads")
@click.argument("model", shell_complete=model_ids)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_heads(model: str, as_json: bool) -> None:
    """Show the heads that MODEL reads with, and how they were found."""
    from ..runtime.calibrator import model_digest
    from ..runtime.heads import find_head_table, own_table_path
    from ..threads import in_thread

    async def work(cancel: Cancellation) -> str:
        with progress_bars() as progress:
            return await in_thread(
                lambda stop: model_digest(model, cancel=stop, progress=progress), cancel=cancel
            )

    digest = run_async(work)
    own = own_table_path(digest)
    _show(find_head_table(digest), own if own.is_file() else None, as_json=as_json)


def _of_files(paths: tuple[Path, ...], amount: int) -> Questions:
    from ..runtime.question_files import describe_file, read_question_file

    items, described = [], []
    for path in paths:
        first = read_question_file(path)[:amount]
        if len(first) < amount:
            warn(f"{path} has {len(first)} questions, fewer than {amount}")
        items += first
        described.append(describe_file(path, first))
    return items, described


async def _of_corpus(
    name: str, amount: int, settings: Settings, cancel: Cancellation, progress: Progress
) -> Questions:
    """Questions that the settings' model writes for a corpus."""
    from ..agent.assembly import open_embedder, open_engine
    from ..runtime.passages import Passage
    from ..runtime.question_writing import describe_written, sample_passages, write_questions
    from ..threads import in_thread
    from ..tools.corpus_catalogue import CorpusCatalogue
    from ..tools.page_store import PageStore
    from ..tools.quarantine import fence

    async with contextlib.AsyncExitStack() as stack:
        store = stack.enter_context(contextlib.closing(PageStore()))
        embedder = await open_embedder(settings, warn=warn)
        catalogue = CorpusCatalogue(store=store, embedder=embedder)
        corpus = stack.enter_context(contextlib.closing(catalogue.open(name)))
        engine = await open_engine(settings)
        stack.push_async_callback(engine.aclose)

        async def search(question: str, k: int, cancel: Cancellation) -> list[Passage]:
            hits = await in_thread(
                lambda stop: corpus.search(question, k, cancel=stop), cancel=cancel
            )
            return [Passage(corpus.page(hit.page_id), hit.start, hit.end) for hit in hits]

        tried = _TRIED_FOR_ONE * amount
        passages = sample_passages(
            [corpus.page(page_id) for page_id in _some_pages(corpus, tried)],
            count=tried,
            max_chars=corpus.manifest.passage_chars,
        )
        written = await write_questions(
            engine,
            passages,
            search,
            count=amount,
            fence=lambda text: fence(text, "passage"),
            cancel=cancel,
            progress=progress,
        )
    if len(written) < amount:
        warn(f"{len(written)} sound questions were written, fewer than {amount}")
    return written, [describe_written(name, written)]


def _some_pages(corpus: Corpus, count: int) -> list[str]:
    """The same ``count`` pages, by id, at each call, chosen at random."""
    from ..locations import locations
    from ..tools.corpus_index import CorpusIndex

    folder = locations().corpora / corpus.name
    index = CorpusIndex(folder, passage_chars=corpus.manifest.passage_chars)
    with contextlib.closing(index):
        documents = index.documents().values()
    pages = sorted({document.page_id for document in documents if document.page_id})
    return random.Random(0).sample(pages, min(count, len(pages)))


def _show(table: HeadTable, path: Path | None, *, as_json: bool) -> None:
    if as_json:
        write_json({**table.model_dump(mode="json"), "path": path})
        return
    from rich.table import Table

    shown = Table("layer", "head", "score", box=None, pad_edge=False)
    for head in table.heads:
        shown.add_row(str(head.layer), str(head.head), f"{head.score:.4f}")
    stdout_console().print(shown)
    for data in table.calibrated_on:
        note(f"{table.method}, {data.questions} of {data.name}")
    where = f"kept in {path}" if path else "comes with Leadline"
    note(f"{table.model_id}, {table.created}; {where}; layers up to {table.exit_layer} are run")
