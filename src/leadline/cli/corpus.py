"""``leadline corpus``: folders and sites, indexed once and searched offline."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ..cancellation import Cancellation
from ..errors import CorpusError, ModelMissing
from .completing import corpora, folders
from .running import run_async
from .terminal import note, progress_bars, stdout_console, warn, write_json, write_result

if TYPE_CHECKING:
    from ..progress import Progress
    from ..tools.corpus import Corpus, Hit
    from ..tools.corpus_catalogue import CorpusCatalogue
    from ..tools.corpus_manifest import IndexReport
    from ..tools.vector_index import Embedder as EmbedderProtocol

_SKIPPED_SHOWN = 10


@click.group()
def corpus() -> None:
    """Index folders and sites, and search them."""


@corpus.command()
@click.argument("name")
@click.argument("place", metavar="PATH|URL", shell_complete=folders)
@click.option(
    "--max-pages", type=click.IntRange(1), default=500, show_default=True, help="Pages of a site."
)
@click.option(
    "--max-file-mb",
    type=click.IntRange(1, 2000),
    default=64,
    show_default=True,
    help="Skip larger files.",
)
@click.option("--no-embeddings", is_flag=True, help="Search by words only; indexes much faster.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def add(
    name: str, place: str, max_pages: int, max_file_mb: int, no_embeddings: bool, as_json: bool
) -> None:
    """Index a folder or a site under NAME, or bring it up to date.

    Folders are read with all they hold, except hidden files and folders, __pycache__ and
    node_modules. Sites are followed by links within the start page's folder.
    """
    embedder = None if no_embeddings else _embedder()
    with _catalogue(embedder) as catalogue:
        new = name not in catalogue.names()
        made = catalogue.add(
            name,
            place,
            max_pages=max_pages,
            max_file_bytes=max_file_mb * 2**20,
            embeddings=not no_embeddings,
        )
        try:
            with contextlib.closing(made), progress_bars() as progress:
                report = run_async(lambda cancel: _update(made, cancel, progress))
        except CorpusError:
            if new:
                catalogue.remove(name)
            raise
    _tell_skipped(report)
    if as_json:
        write_json(_report_json(name, report))
        return
    note(
        f"{report.added:,} documents indexed, {report.unchanged:,} unchanged, {report.removed:,} gone"
    )
    write_result(
        f"{name}: {report.pages:,} pages, {report.passages:,} passages, {report.seconds:.1f} s"
    )


@corpus.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_corpora(as_json: bool) -> None:
    """List the corpora there are."""
    with _catalogue(None) as catalogue:
        rows = []
        for name in catalogue.names():
            try:
                with contextlib.closing(catalogue.open(name)) as found:
                    rows.append(_corpus_json(found))
            except CorpusError as error:
                warn(str(error))
    if as_json:
        write_json(rows)
        return
    if not rows:
        note("no corpora yet: `leadline corpus add NAME PATH` makes one")
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("name", "pages", "passages", "embedder", "indexed", "origin"):
        table.add_column(heading)
    for row in rows:
        indexed = str(row["indexed_at"] or "unfinished")[:16]
        table.add_row(
            str(row["name"]),
            str(row["pages"]),
            str(row["passages"]),
            str(row["embedder"] or "none"),
            indexed,
            str(row["origin"]),
        )
    stdout_console().print(table)


@corpus.command()
@click.argument("name", shell_complete=corpora)
def rm(name: str) -> None:
    """Remove a corpus's index; the documents themselves are left alone."""
    with _catalogue(None) as catalogue:
        catalogue.remove(name)
    note(f"corpus '{name}' is removed")


@corpus.command()
@click.argument("name", metavar="NAME|DIR", shell_complete=corpora)
@click.argument("query")
@click.option("-k", type=click.IntRange(1, 1000), default=10, show_default=True, help="Passages.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def search(name: str, query: str, k: int, as_json: bool) -> None:
    """Print the passages of a corpus that fit QUERY best."""
    with (
        _catalogue(_embedder()) as catalogue,
        contextlib.closing(catalogue.open_any(name)) as found,
    ):
        if found.manifest.indexed_at is None or found.name != name:
            # A directory is brought up to date on every use.
            with progress_bars() as progress:
                run_async(lambda cancel: _update(found, cancel, progress))
        hits = found.search(query, k, cancel=Cancellation())
        quotes = [found.page(hit.page_id).text[hit.start : hit.end] for hit in hits]
    if as_json:
        write_json([_hit_json(hit, quote) for hit, quote in zip(hits, quotes, strict=True)])
        return
    if not hits:
        note(f"nothing in '{name}' fits")
    for number, (hit, quote) in enumerate(zip(hits, quotes, strict=True), start=1):
        write_result(f"{number}. {hit.title}\n   {hit.url}\n\n{_indented(quote)}\n")


async def _update(made: Corpus, cancel: Cancellation, progress: Progress) -> IndexReport:
    if made.manifest.kind == "folder":
        return await made.update(cancel=cancel, progress=progress)
    from ..locations import locations
    from ..settings import load_settings
    from ..tools.fetch import Fetcher
    from ..tools.network_guard import NetworkGuard

    guard = NetworkGuard(allow_hosts=load_settings().allow_hosts)
    async with Fetcher(guard, cache=locations().web) as fetcher:
        return await made.update(fetcher=fetcher, cancel=cancel, progress=progress)


@contextlib.contextmanager
def _catalogue(embedder: EmbedderProtocol | None) -> Iterator[CorpusCatalogue]:
    from ..tools.corpus_catalogue import CorpusCatalogue
    from ..tools.page_store import PageStore

    with contextlib.closing(PageStore()) as store:
        yield CorpusCatalogue(store=store, embedder=embedder)


def _embedder() -> EmbedderProtocol | None:
    """The embedder of the settings; None, with a warning, when it is not on this machine."""
    from ..settings import load_settings

    model_id = load_settings().embedder
    if model_id == "none":
        return None
    from ..runtime.catalogue import resolve

    try:
        files = resolve(model_id)
    except ModelMissing as error:
        warn(f"searching by words alone: {error}")
        return None
    from ..runtime.embedder import Embedder

    return Embedder(files.folder, model_id=files.id)


def _tell_skipped(report: IndexReport) -> None:
    for skipped in report.skipped[:_SKIPPED_SHOWN]:
        warn(f"left out '{skipped.path}': {skipped.reason}")
    if len(report.skipped) > _SKIPPED_SHOWN:
        warn(f"{len(report.skipped):,} documents are left out in all:")
        for reason, count in report.skipped_by_reason().most_common():
            warn(f"  {count:,} × {reason}")


def _report_json(name: str, report: IndexReport) -> dict[str, object]:
    return {
        "name": name,
        "pages": report.pages,
        "passages": report.passages,
        "added": report.added,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "skipped": [{"path": s.path, "reason": s.reason} for s in report.skipped],
        "seconds": round(report.seconds, 3),
    }


def _corpus_json(found: Corpus) -> dict[str, object]:
    pages, passages = found.counts()
    manifest = found.manifest.model_dump(mode="json", exclude={"version"})
    return {**manifest, "pages": pages, "passages": passages}


def _hit_json(hit: Hit, quote: str) -> dict[str, object]:
    return {
        "page_id": hit.page_id,
        "start": hit.start,
        "end": hit.end,
        "quote": quote,
        "score": hit.score,
        "title": hit.title,
        "url": hit.url,
    }


def _indented(text: str) -> str:
    return "\n".join(f"   {line}".rstrip() for line in text.splitlines())
