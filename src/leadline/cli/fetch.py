"""``leadline fetch URL``: a page as a searcher would see it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from ..cancellation import Cancellation
from ..locations import locations
from ..settings import load_settings
from .running import run_async
from .terminal import write_json, write_result

if TYPE_CHECKING:
    from ..evidence import Page
    from ..settings import Settings


@click.command()
@click.argument("url")
@click.option("--json", "as_json", is_flag=True, help="Print an object instead of text.")
@click.option(
    "--fresh", is_flag=True, help="Ask the server, however young the page is that is kept."
)
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="HOST[:PORT]",
    help="Let this private host through. Repeatable.",
)
def fetch(url: str, as_json: bool, fresh: bool, allow_hosts: tuple[str, ...]) -> None:
    """Fetch the page at URL, keep it, and print its title, address, date and text.

    The page goes the way of every page that a searcher reads: private addresses are refused,
    robots.txt is honoured, size and time are bounded, and a page that was fetched within
    reuse_seconds is not asked for again.
    """
    settings = load_settings()
    allowed = (*settings.allow_hosts, *allow_hosts)
    page = run_async(lambda cancel: _opened(url, settings, allowed, fresh, cancel))
    if as_json:
        write_json(
            {
                "page_id": page.page_id,
                "url": page.url,
                "final_url": page.final_url,
                "title": page.title,
                "media_type": page.media_type,
                "fetched_at": page.fetched_at.isoformat(),
                "published": page.published.isoformat() if page.published else None,
                "authors": list(page.authors),
                "language": page.language,
                "text": page.text,
            }
        )
        return
    fetched = page.fetched_at.astimezone().strftime("%Y-%m-%d %H:%M")
    head = [page.title, page.final_url, fetched]
    write_result("\n".join([*filter(None, head), "", page.text]))


async def _opened(
    url: str, settings: Settings, allow_hosts: tuple[str, ...], fresh: bool, cancel: Cancellation
) -> Page:
    from ..tools.fetch import Fetcher
    from ..tools.network_guard import NetworkGuard
    from ..tools.page_store import PageStore
    from ..tools.rendered_fetch import BrowserRenderer
    from ..tools.web_pages import Reuse, WebPages

    reuse = Reuse(seconds=settings.reuse_seconds, offline=settings.offline)
    store = await asyncio.to_thread(PageStore)
    try:
        guard = NetworkGuard(allow_hosts=allow_hosts)
        async with (
            Fetcher(guard, cache=locations().web) as fetcher,
            BrowserRenderer(fetcher, executable=settings.browser) as browser,
        ):
            renderer = browser if settings.render == "needed" else None
            pages = WebPages(fetcher, store, reuse, renderer)
            page = await pages.open(url, cancel=cancel, confirm=fresh)
    finally:
        store.close()
    cancel.check()
    return page
