"""What keeps pages: the store on this machine's disk, or any other that a programme brings."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from ..errors import StorageError
from ..evidence import Page
from .extraction.document import Extracted


class PageStorage(Protocol):
    """Keeps pages by the SHA-256 of their bytes; called from several threads at once.

    The text of a page never changes once it is kept: every offset into it must stay valid.
    """

    def put(
        self,
        body: bytes,
        *,
        url: str,
        final_url: str,
        media_type: str,
        fetched_at: datetime,
        extracted: Extracted,
    ) -> Page:
        """Keep a page. Bytes that are known keep the text that they were first kept with.

        Raises:
            StorageError: it cannot be kept.
        """
        ...

    def get(self, page_id: str) -> Page:
        """The page of that id.

        Raises:
            StorageError: it is not here.
        """
        ...

    def latest(self, *urls: str) -> Page | None:
        """What was last found at one of ``urls``, asked for or led to; None if nothing was."""
        ...


class EitherStore:
    """Keeps pages in ``first``, and finds those that only ``second`` has."""

    def __init__(self, first: PageStorage, second: PageStorage) -> None:
        self._first, self._second = first, second

    def put(
        self,
        body: bytes,
        *,
        url: str,
        final_url: str,
        media_type: str,
        fetched_at: datetime,
        extracted: Extracted,
    ) -> Page:
        """See :meth:`PageStorage.put`."""
        return self._first.put(
            body,
            url=url,
            final_url=final_url,
            media_type=media_type,
            fetched_at=fetched_at,
            extracted=extracted,
        )

    def get(self, page_id: str) -> Page:
        """See :meth:`PageStorage.get`."""
        try:
            return self._first.get(page_id)
        except StorageError:
            return self._second.get(page_id)

    def latest(self, *urls: str) -> Page | None:
        """See :meth:`PageStorage.latest`."""
        return self._first.latest(*urls)
