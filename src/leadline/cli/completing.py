"""What a shell offers for an argument: runs, models, corpora, settings, files.

Each is called by click where the user presses Tab. They look at names only, so that a large store
keeps nobody waiting, and import nothing before they are called.
"""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

_MOST_RUNS = 50
"""More would only fill the screen, and each has its title read."""


def run_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Runs, newest first, each with its title; and "last"."""
    from ..agent.run_store import RunStore
    from ..errors import RunError
    from ..locations import locations
    from ..safe_text import safe_line

    found = [CompletionItem("last")] if "last".startswith(incomplete) else []
    runs = [run for run in RunStore(locations().runs).all() if run.path.name.startswith(incomplete)]
    for run in runs[: -_MOST_RUNS - 1 : -1]:
        try:
            title = safe_line(run.title)
        except RunError:
            title = "damaged"
        found.append(CompletionItem(run.path.name, help=title))
    return found


def model_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Models of the catalogue, or files where a path has been begun."""
    from ..runtime.catalogue_entries import CATALOGUE

    if _is_path(incomplete):
        return files(ctx, param, incomplete)
    return [
        CompletionItem(entry.id, help=entry.description)
        for entry in CATALOGUE.values()
        if entry.id.startswith(incomplete)
    ]


def corpora(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Corpora by name, or folders where a path has been begun or no name begins so."""
    from ..locations import locations
    from ..tools.corpus_manifest import corpus_names

    names = [name for name in corpus_names(locations().corpora) if name.startswith(incomplete)]
    if _is_path(incomplete) or not names:
        return folders(ctx, param, incomplete)
    return [CompletionItem(name) for name in names]


def setting_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Settings by name."""
    from ..settings import Settings

    return [CompletionItem(name) for name in Settings.model_fields if name.startswith(incomplete)]


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What the shell itself finds: files and folders."""
    return [CompletionItem(incomplete, type="file")]


def folders(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What the shell itself finds: folders."""
    return [CompletionItem(incomplete, type="dir")]


def _is_path(incomplete: str) -> bool:
    return "/" in incomplete or incomplete.startswith((".", "~"))
