"""From a fetched page to a stored one."""

from __future__ import annotations

from ..evidence import Page
from .extraction import extract
from .fetch import FetchedPage
from .page_storage import PageStorage


def keep(fetched: FetchedPage, store: PageStorage) -> Page:
    """Extract the text of ``fetched`` and put both into ``store``. Blocks: run it in a thread.

    Raises:
        ExtractionError: there is no text to be had from it.
        StorageError: the disk refused.
    """
    extracted = extract(
        fetched.body,
        name=fetched.final_url,
        media_type=fetched.media_type,
        charset=fetched.charset,
    )
    return store.put(
        fetched.body,
        url=fetched.url,
        final_url=fetched.final_url,
        media_type=fetched.media_type,
        fetched_at=fetched.fetched_at,
        extracted=extracted,
    )
