"""``leadline fetch URL``: a page as a searcher would see it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from ..cancellation import Cancellation
from ..settings import load_settings
from .running import run_async
from .terminal import write_json, write_result

if TYPE_CHECKING:
    from ..evidence import Page


@click.command()
@click.argument("url")
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of text.")
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="HOST[:PORT]",
    help="Let this private host through. Repeatable.",
)
def fetch(url: str, as_json: bool, allow_hosts: tuple[str, ...]) -> None:
    """Fetch the page at URL, keep it, and print its title, address, date and text.

    The page goes the way of every page that a searcher reads: private addresses are refused,
    robots.txt is honoured, size and time are bounded.
    """
    allowed = (*load_settings().allow_hosts, *allow_hosts)
    page = run_async(lambda cancel: _fetched(url, allowed, cancel))
    if as_json:
        write_json(
            {
                "page_id": page.page_id,
                "url": page.url,
                "final_url": page.final_url,
                "title": page.title,
                "media_type": page.media_type,
                "fetched_at": page.fetched_at.isoformat(),
                "text": page.text,
            }
        )
        return
    fetched = page.fetched_at.astimezone().strftime("%Y-%m-%d %H:%M")
    head = [page.title, page.final_url, fetched]
    write_result("\n".join([*filter(None, head), "", page.text]))


async def _fetched(url: str, allow_hosts: tuple[str, ...], cancel: Cancellation) -> Page:
    from ..tools.fetch import Fetcher
    from ..tools.intake import keep
    from ..tools.network_guard import NetworkGuard
    from ..tools.page_store import PageStore

    async with Fetcher(NetworkGuard(allow_hosts=allow_hosts)) as fetcher:
        fetched = await fetcher.fetch(url, cancel=cancel)
    store = await asyncio.to_thread(PageStore)
    try:
        page = await asyncio.to_thread(keep, fetched, store)
    finally:
        store.close()
    cancel.check()
    return page
