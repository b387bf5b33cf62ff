"""Files from the model hub: HTTP with range requests, so that a broken download goes on."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import httpx

from .. import retrying
from ..cancellation import Cancellation
from ..errors import DownloadError
from ..threads import in_thread
from .catalogue_entries import CatalogueFile, HubSource
from .disk_space import require_space
from .partials import Origin, append, file_size, read_origin, truncate, write_origin

HUB = "https://huggingface.co"
CONNECT_SECONDS = 3.0
"""A machine without a way to the hub must find that out quickly."""
READ_SECONDS = 30.0
_ATTEMPTS = 3
"""In a row without a new byte."""
_BLOCK = 1 << 20


def hub_url() -> str:
    """The hub's address; ``HF_ENDPOINT`` names a mirror."""
    return (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")


class HubFetcher:
    """Fetches files of one repository of the hub."""

    def __init__(self, source: HubSource) -> None:
        self._source = source
        self._base = hub_url()
        self._timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)

    async def check_reachable(self) -> None:
        """Ask the hub once for anything at all.

        Raises:
            DownloadError: it cannot be reached.
        """
        transport = retrying.RetryTransport(attempts=1)
        async with httpx.AsyncClient(transport=transport, timeout=self._timeout) as client:
            try:
                await client.head(self._base)
            except (httpx.RequestError, httpx.InvalidURL) as error:
                raise self._unreachable(error) from error

    async def fetch(
        self, file: CatalogueFile, partial: Path, report: Callable[[int, int | None], None]
    ) -> None:
        """Gather ``file`` in ``partial``, going on where an earlier attempt ended.

        ``report`` is told the bytes that are there and those of the whole.

        Raises:
            DownloadError: the hub refused, failed, or has a file of another size.
            StorageError: the disk is full.
        """
        failures, furthest = 0, file_size(partial)
        transport = retrying.RetryTransport()
        async with httpx.AsyncClient(
            transport=transport, timeout=self._timeout, follow_redirects=True
        ) as client:
            while True:
                try:
                    return await self._stream(client, file, partial, report)
                except httpx.RequestError as error:
                    failures = 0 if file_size(partial) > furthest else failures + 1
                    furthest = max(furthest, file_size(partial))
                    if failures == _ATTEMPTS:
                        raise self._unreachable(error) from error
                    await retrying.sleep(2.0**failures / 2)

    async def _stream(
        self,
        client: httpx.AsyncClient,
        file: CatalogueFile,
        partial: Path,
        report: Callable[[int, int | None], None],
    ) -> None:
        url = self._file_url(file)
        headers = {"Accept-Encoding": "identity"} | _range_headers(file, partial, url)
        async with client.stream("GET", url, headers=headers) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                if "If-Range" in headers and _whole(response, partial):
                    return
                truncate(partial, 0)
                raise httpx.RemoteProtocolError("the missing range is not to be had")
            what = f"{file.name} of {self._source.repository}"
            if response.status_code not in (200, 206):
                raise DownloadError(f"the model hub answered {response.status_code} for {what}")
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise DownloadError(f"the model hub sent {what} in an encoding not asked for")
            start, total = _extent(response)
            if start not in (0, file_size(partial)):
                truncate(partial, 0)
                raise httpx.RemoteProtocolError("another range than the missing one came")
            if file.bytes is not None and total not in (None, file.bytes):
                raise DownloadError(
                    f"the model hub has {total:,} bytes of {file.name}, "
                    f"the catalogue {file.bytes:,}"
                )
            truncate(partial, start)
            if total is not None:
                require_space(partial, total - start)
            write_origin(partial, _origin(response, url, total))
            await self._write(response, partial, start, total, report)
        if total is not None and file_size(partial) < total:
            raise httpx.RemoteProtocolError("the body ended early")

    async def _write(
        self,
        response: httpx.Response,
        partial: Path,
        done: int,
        total: int | None,
        report: Callable[[int, int | None], None],
    ) -> None:
        report(done, total)
        gathered = bytearray()
        try:
            # without a chunk size: httpx would drop what it holds when the connection breaks
            async for chunk in response.aiter_raw():
                gathered += chunk
                done += len(chunk)
                if len(gathered) >= _BLOCK:
                    block, gathered = gathered, bytearray()
                    await in_thread(functools.partial(_append, partial, bytes(block)))
                    report(done, total)
        finally:
            await in_thread(functools.partial(_append, partial, bytes(gathered)))
        report(done, total)

    def _file_url(self, file: CatalogueFile) -> str:
        source = self._source
        return f"{self._base}/{source.repository}/resolve/{source.revision}/{quote(file.name)}"

    def _unreachable(self, error: Exception) -> DownloadError:
        reason = str(error) or type(error).__name__
        return DownloadError(f"the model hub at {self._base} cannot be reached ({reason})")


def _append(partial: Path, block: bytes, stop: Cancellation) -> None:
    # too short a work to be stopped within
    append(partial, block)


def _range_headers(file: CatalogueFile, partial: Path, url: str) -> dict[str, str]:
    """Ask for what is missing, as long as it must be of the same file.

    With a digest in the catalogue any prefix may be continued: a wrong one is found out at the
    end. Without one, only the server's validator tells whether the file is still the same.
    """
    have = file_size(partial)
    origin = read_origin(partial)
    if have == 0 or (file.bytes is not None and have >= file.bytes):
        truncate(partial, 0)
        return {}
    if origin is not None and origin.url == url:
        return {"Range": f"bytes={have}-", "If-Range": origin.etag}
    if file.sha256 is not None:
        return {"Range": f"bytes={have}-"}
    truncate(partial, 0)
    return {}


def _extent(response: httpx.Response) -> tuple[int, int | None]:
    """Where the body starts in the file (-1: not told) and the size of the whole."""
    length = response.headers.get("Content-Length", "")
    if response.status_code == httpx.codes.OK:
        return 0, int(length) if length.isdecimal() else None
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    return (int(match[1]), int(match[2])) if match else (-1, None)


def _whole(response: httpx.Response, partial: Path) -> bool:
    """Whether the range was refused because nothing is missing."""
    return bool(response.headers.get("Content-Range") == f"bytes */{file_size(partial)}")


def _origin(response: httpx.Response, url: str, total: int | None) -> Origin | None:
    etag = response.headers.get("ETag", "")
    return Origin(url=url, etag=etag, total=total) if etag.startswith('"') else None
