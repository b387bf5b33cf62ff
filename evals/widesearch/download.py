"""WideSearch's data from the hub: the tasks and one gold table each."""

from __future__ import annotations

import os
from pathlib import Path

from ...cancellation import Cancellation, unless_cancelled
from ...locations import locations, make_private
from ...progress import Progress, silent
from ...runtime.catalogue_entries import CatalogueFile, HubSource
from ...runtime.hub import HubFetcher
from ...runtime.partials import partial_path, write_origin
from ...storage import storage_errors
from .tasks import GOLD_FOLDER, TASKS_FILE, load_tasks

REPOSITORY = "datasets/ByteDance-Seed/WideSearch"


async def download(
    *, revision: str = "main", cancel: Cancellation, progress: Progress = silent
) -> Path:
    """The folder that holds the data set, after fetching what is not there yet.

    A folder holds one revision; a download that was stopped goes on.

    Raises:
        DownloadError: the hub cannot be reached, or lacks a file.
        ConfigError: the tasks cannot be read.
        StorageError: the disk refused.
        Cancelled: ``cancel`` was set.
    """
    name = revision.replace("/", "-")
    folder = make_private(locations().cache / "datasets" / "widesearch" / name)
    fetcher = HubFetcher(HubSource(REPOSITORY, revision))
    if not (folder / TASKS_FILE).exists():
        await fetcher.check_reachable()
    await unless_cancelled(_fetch(fetcher, TASKS_FILE, folder), cancel)
    tasks = load_tasks(folder, gold=False).tasks
    for done, task in enumerate(tasks):
        progress("WideSearch", done, len(tasks), "gold tables")
        name = f"{GOLD_FOLDER}/{task.instance_id}.csv"
        await unless_cancelled(_fetch(fetcher, name, folder), cancel)
    progress("WideSearch", len(tasks), len(tasks), "gold tables")
    return folder


async def _fetch(fetcher: HubFetcher, name: str, folder: Path) -> None:
    path = folder / name
    if path.exists():
        return
    make_private(path.parent)
    partial = partial_path(path)
    await fetcher.fetch(CatalogueFile(name), partial, _untold)
    with storage_errors(path):
        os.replace(partial, path)
    write_origin(partial, None)


def _untold(done: int, total: int | None) -> None:
    """The files are small: whole ones are counted."""
