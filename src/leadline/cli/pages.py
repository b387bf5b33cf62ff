"""``leadline pages``: the pages that are kept, and whether they are whole."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ..locations import locations
from ..threads import in_thread
from .exit_codes import ExitCode
from .running import run_async
from .terminal import progress_bars, write_json, write_result

if TYPE_CHECKING:
    from ..tools.page_check import Damage


@click.group()
def pages() -> None:
    """List, check, repair and trim the pages that are kept."""


@pages.command("list")
@click.argument("url")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_pages(url: str, as_json: bool) -> None:
    """The states in which URL was seen, the latest first."""
    from ..tools.page_store import PageStore

    with contextlib.closing(PageStore(locations().pages)) as store:
        versions = store.versions(url)
    if as_json:
        write_json(
            [
                {
                    "page_id": version.page_id,
                    "title": version.title,
                    "first_seen": version.first_seen.isoformat(),
                    "last_seen": version.last_seen.isoformat(),
                }
                for version in versions
            ]
        )
        return
    if not versions:
        write_result("It was never seen.")
    for version in versions:
        seen = version.last_seen.astimezone().strftime("%Y-%m-%d %H:%M")
        write_result(f"{version.page_id[:12]}  {seen}  {version.title}")


@pages.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def check_pages(as_json: bool) -> int:
    """Say what is damaged. Exits with 1 if anything is."""
    from ..tools.page_check import check
    from ..tools.page_store import PageStore

    with contextlib.closing(PageStore(locations().pages)) as store, progress_bars() as progress:
        damages = run_async(
            lambda cancel: in_thread(
                lambda stop: check(store, cancel=stop, progress=progress), cancel=cancel
            )
        )
        count = len(store)
    if as_json:
        write_json([asdict(damage) for damage in damages])
    else:
        _tell(damages)
        write_result(f"{count:,} pages, {len(damages)} damaged")
    return ExitCode.FAILED if damages else ExitCode.OK


@pages.command("repair")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
def repair_pages(as_json: bool) -> None:
    """Save what can be saved of a damaged store, and name what is lost."""
    from ..tools.page_check import repair

    with progress_bars() as progress:
        done = run_async(
            lambda cancel: in_thread(
                lambda stop: repair(locations().pages, cancel=stop, progress=progress),
                cancel=cancel,
            )
        )
    if as_json:
        write_json(asdict(done))
        return
    _tell(list(done.lost))
    write_result(f"{done.pages:,} pages, {done.restored} restored, {len(done.lost)} lost")


@pages.command("trim")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
def trim_pages(as_json: bool) -> None:
    """Drop the pages not used for longest until they fit page_store_gb.

    What a kept run or a corpus uses stays, and so does what was used within a day.
    """
    from ..agent.page_keeping import trim
    from ..settings import load_settings
    from ..tools.page_store import PageStore

    with contextlib.closing(PageStore(locations().pages)) as store:
        done = trim(store, max_bytes=int(load_settings().page_store_gb * 1e9))
    if as_json:
        write_json({"dropped": done.pages, "bytes": done.bytes})
    else:
        write_result(f"{done.pages:,} pages dropped, {done.bytes / 1e6:,.1f} MB used")


def _tell(damages: list[Damage]) -> None:
    for damage in damages:
        name = damage.page_id[:12] if damage.page_id else "the file"
        write_result(f"{name}: {damage.problem} {' '.join(damage.urls)}".rstrip())
