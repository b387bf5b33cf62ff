"""A web site on loopback with SearXNG's search, validators for caches, and faults.

It runs in a thread of its own, so that tests of coroutines, of the command line and of other
processes can all use it. By hand: ``python -m tests.web.site FOLDER [PORT]``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from .faults import Fault, misbehave, prepare
from .served_pages import ServedPage, best_matches, folder_pages

_RESULTS = 10


class WebSite:
    """Serves ``pages`` by path, and searches them at /search?q=…&format=json.

    ``cache_control`` goes with every page; every answer takes ``latency`` seconds. Use it as a
    context manager.
    """

    def __init__(
        self, pages: Mapping[str, ServedPage], *, cache_control: str = "", port: int = 0
    ) -> None:
        self.pages = dict(pages)
        self.cache_control = cache_control
        self.latency = 0.0
        self.port = port
        self.requests: list[str] = []
        """Targets that were asked for, in order."""
        self.arrivals: list[float] = []
        """When each came, by the monotonic clock."""
        self.not_modified = 0
        """How many requests were answered by 304."""
        self.most_at_once = 0
        self.answering: set[int] = set()
        """Ports of the clients whose request is not answered to its end."""
        self._faults: dict[str, tuple[Fault, int | None]] = {}
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="web site", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "") -> str:
        return f"http://{self.host}{path}"

    @property
    def page_requests(self) -> list[str]:
        """Requests for pages, without robots.txt and searches."""
        return [t for t in self.requests if t != "/robots.txt" and not t.startswith("/search?")]

    def wait_for(self, target: str, *, seconds: float = 10.0) -> None:
        """Block until ``target`` was asked for."""
        deadline = time.monotonic() + seconds
        while target not in self.requests:
            assert time.monotonic() < deadline, f"nobody asked for {target}"
            time.sleep(0.01)

    def fail(self, path: str, fault: Fault, *, times: int | None = None) -> None:
        """Misbehave at ``path``, for the next ``times`` requests or for ever."""
        prepare(fault)
        self._faults[path] = (fault, times)

    def fail_share(self, share: float, faults: Sequence[Fault], *, seed: int = 0) -> set[str]:
        """Misbehave for ever at that share of the pages; the paths."""
        chooser = random.Random(seed)
        paths = sorted(self.pages)
        chosen = chooser.sample(paths, round(share * len(paths)))
        for number, path in enumerate(chosen):
            self.fail(path, faults[number % len(faults)])
        return set(chosen)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        connections: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            try:
                # Cancelled when the site closes; asyncio would report that as an error.
                with contextlib.suppress(
                    ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
                ):
                    await self._converse(reader, writer)
            finally:
                connections.discard(task)
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", self.port, backlog=256)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request after another on a connection."""
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            target = head[0].split()[1]
            pairs = (line.partition(":") for line in head[1:] if line)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            self.requests.append(target)
            self.arrivals.append(time.monotonic())
            client = writer.get_extra_info("peername")[1]
            self.answering.add(client)
            self.most_at_once = max(self.most_at_once, len(self.answering))
            try:
                await asyncio.sleep(self.latency)
                path = unquote(urlsplit(target).path)
                if fault := self._fault_at(path):
                    page = self.pages.get(path.removesuffix("~"))
                    await misbehave(fault, path, page.body if page else b"", writer)
                    return
                writer.write(self._answer(target, path, headers))
                await writer.drain()
            finally:
                self.answering.discard(client)

    def _fault_at(self, path: str) -> Fault | None:
        entry = self._faults.get(path) or self._faults.get(path.removesuffix("~"))
        if entry is None:
            return None
        fault, times = entry
        if times is None:
            return fault
        if times <= 0:
            return None
        self._faults[path] = (fault, times - 1)
        return fault

    def _answer(self, target: str, path: str, headers: Mapping[str, str]) -> bytes:
        if path == "/search":
            return _response("200 OK", self._found(target), "Content-Type: application/json")
        page = self.pages.get(path)
        if page is None:
            return _response("404 Not Found", b"")
        tag = f'"{hashlib.sha256(page.body).hexdigest()[:16]}"'
        fields = [f"ETag: {tag}", f"Date: {formatdate(usegmt=True)}"]
        if self.cache_control:
            fields.append(f"Cache-Control: {self.cache_control}")
        if headers.get("if-none-match") == tag:
            self.not_modified += 1
            return _response("304 Not Modified", b"", *fields)
        return _response("200 OK", page.body, f"Content-Type: {page.media_type}", *fields)

    def _found(self, target: str) -> bytes:
        """The JSON of SearXNG's search API."""
        query = parse_qs(urlsplit(target).query).get("q", [""])[0]
        results = [
            {
                "url": self.url(path),
                "title": self.pages[path].title,
                "content": self.pages[path].snippet,
                "engine": "site",
                "score": 1 / rank,
            }
            for rank, path in enumerate(best_matches(self.pages, query, _RESULTS), start=1)
        ]
        answer = {"query": query, "number_of_results": len(results), "results": results}
        return json.dumps({**answer, "unresponsive_engines": []}).encode()


def _response(status: str, body: bytes, *fields: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode() + body


if __name__ == "__main__":
    with WebSite(folder_pages(Path(sys.argv[1])), port=int([*sys.argv, "0"][2])) as served:
        print(f"{len(served.pages)} pages at {served.url('/')}", flush=True)
        threading.Event().wait()
