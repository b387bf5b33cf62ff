"""Downloads against a real HTTP server on loopback that breaks in the ways servers break."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, DownloadError, ModelCorrupt, StorageError
from leadline.locations import Locations, locations
from leadline.progress import Progress, silent
from leadline.runtime.catalogue import ModelFiles, model_state, resolve
from leadline.runtime.catalogue_entries import (
    CATALOGUE,
    CatalogueEntry,
    CatalogueFile,
    HubSource,
)
from leadline.runtime.download import pull
from leadline.runtime.hub import HubFetcher
from leadline.runtime.partials import file_size, partial_path

CONTENT = b"GGUF" + bytes(range(251)) * 20_000  # 5 MB: several chunks
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Hub(ThreadingHTTPServer):
    """One file with range requests; ``faults`` are consumed one a GET."""

    daemon_threads = True

    def __init__(self, content: bytes = CONTENT) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.etag = '"one"'
        self.ranges: list[str | None] = []
        self.sent = 0
        self.faults: list[str | int] = []
        """A status to answer with, or "drop N", "hang N" after N bytes, "ignore-range"."""
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        hub = self.server
        asked = self.headers["Range"]
        hub.ranges.append(asked)
        fault = str(hub.faults.pop(0)) if hub.faults else ""
        if fault.isdecimal():
            self.send_response(int(fault))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = 0
        stale = self.headers["If-Range"] not in (None, hub.etag)
        if asked and not stale and fault != "ignore-range":
            match = re.fullmatch(r"bytes=(\d+)-", asked)
            assert match
            start = int(match[1])
            if start >= len(hub.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(hub.content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            last = len(hub.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(hub.content)}")
        else:
            self.send_response(200)
        body = hub.content[start:]
        self.send_header("ETag", hub.etag)
        if fault == "no-length":
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        kind, _, amount = fault.partition(" ")
        if kind in ("drop", "hang"):
            body = body[: int(amount)]
        hub.sent += len(body)
        try:
            self.wfile.write(body)
            self.wfile.flush()
        except ConnectionError:
            self.close_connection = True
            return
        if kind == "hang":
            hub.released.wait(20)
        if kind in ("drop", "hang", "no-length"):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(variable, raising=False)
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


def _entry(model_id: str, file: CatalogueFile) -> CatalogueEntry:
    return CatalogueEntry(
        id=model_id,
        kind="generator",
        files=(file,),
        licence="Apache-2.0",
        context_length=512,
        description="for tests",
        sources=(HubSource("nobody/tiny", "abc123"),),
    )


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> CatalogueEntry:
    entry = _entry("tiny", CatalogueFile("tiny.gguf", len(CONTENT), SHA256))
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    return entry


@pytest.fixture
def unpinned(monkeypatch: pytest.MonkeyPatch) -> CatalogueEntry:
    entry = _entry("loose", CatalogueFile("loose.gguf"))
    monkeypatch.setitem(CATALOGUE, "loose", entry)
    return entry


async def _pull(
    entry: CatalogueEntry,
    cancel: Cancellation | None = None,
    progress: Progress = silent,
    note: Callable[[str], None] = lambda _: None,
) -> ModelFiles:
    return await pull(
        entry.id,
        locations=locations(),
        cancel=cancel or Cancellation(),
        progress=progress,
        note=note,
    )


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a file on the disk sets no event
            await asyncio.sleep(0.02)


def _weights(entry: CatalogueEntry) -> Path:
    return locations().models / entry.id / entry.files[0].name


async def test_a_whole_download(hub: Hub, tiny: CatalogueEntry) -> None:
    seen: list[tuple[str, int, int | None, str]] = []
    files = await _pull(
        tiny, progress=lambda task, done, total, unit: seen.append((task, done, total, unit))
    )
    assert files.weights.read_bytes() == CONTENT
    assert files.sha256 == SHA256
    amounts = [done for task, done, _, _ in seen if task == "tiny"]
    assert amounts == sorted(amounts) and amounts[-1] == len(CONTENT)
    assert {told[2:] for told in seen} == {(len(CONTENT), "bytes")}
    assert not partial_path(files.weights).exists()

    assert await _pull(tiny) == files
    assert hub.ranges == [None], "what is here is not fetched again"


async def test_a_dropped_connection_is_resumed(hub: Hub, tiny: CatalogueEntry) -> None:
    hub.faults = ["drop 3000000", "drop 1000000"]
    assert (await _pull(tiny)).weights.read_bytes() == CONTENT
    assert hub.ranges == [None, "bytes=3000000-", "bytes=4000000-"]
    assert hub.sent == len(CONTENT), "no byte is fetched twice"


async def test_a_later_pull_goes_on(hub: Hub, tiny: CatalogueEntry) -> None:
    hub.faults = ["drop 3000000", 404]
    with pytest.raises(DownloadError, match=r"answered 404 .* tiny\.gguf of nobody/tiny"):
        await _pull(tiny)
    state = model_state(tiny)
    assert (state.word, state.done, state.total) == ("partial", 3000000, len(CONTENT))
    await _pull(tiny)
    assert hub.sent == len(CONTENT)


async def test_a_file_that_changed_meanwhile_starts_over(
    hub: Hub, unpinned: CatalogueEntry
) -> None:
    hub.faults = ["drop 3000000", 404]
    with pytest.raises(DownloadError):
        await _pull(unpinned)
    hub.content, hub.etag = CONTENT[::-1], '"two"'
    assert (await _pull(unpinned)).weights.read_bytes() == CONTENT[::-1]


async def test_a_weak_validator_does_not_join_what_may_differ(
    hub: Hub, unpinned: CatalogueEntry
) -> None:
    hub.etag = 'W/"one"'
    hub.faults = ["drop 3000000"]
    assert (await _pull(unpinned)).weights.read_bytes() == CONTENT
    assert hub.ranges == [None, None]


async def test_a_server_that_ignores_ranges(hub: Hub, tiny: CatalogueEntry) -> None:
    hub.faults = ["drop 3000000", "ignore-range"]
    assert (await _pull(tiny)).weights.read_bytes() == CONTENT


async def test_a_prefix_that_was_wrong_is_fetched_again(hub: Hub, tiny: CatalogueEntry) -> None:
    partial = partial_path(_weights(tiny))
    partial.parent.mkdir(parents=True)
    partial.write_bytes(bytes(1000))
    assert (await _pull(tiny)).weights.read_bytes() == CONTENT
    assert hub.ranges == ["bytes=1000-", None]


async def test_a_whole_partial_file_needs_no_bytes(hub: Hub, unpinned: CatalogueEntry) -> None:
    hub.faults = [f"hang {len(CONTENT) - 1}"]
    cancel = Cancellation()
    task = asyncio.create_task(_pull(unpinned, cancel))
    partial = partial_path(_weights(unpinned))
    await _until(lambda: file_size(partial) > 4_000_000)
    cancel.cancel()
    with pytest.raises(Cancelled):
        await task
    partial.write_bytes(CONTENT)
    hub.sent = 0
    assert (await _pull(unpinned)).weights.read_bytes() == CONTENT
    assert hub.sent == 0


async def test_wrong_bytes_are_refused_and_removed(hub: Hub, tiny: CatalogueEntry) -> None:
    hub.content = bytes(len(CONTENT))
    with pytest.raises(ModelCorrupt) as raised:
        await _pull(tiny)
    assert f"expected {SHA256}" in raised.value.problem
    assert raised.value.remedy == "leadline models pull tiny"
    assert not _weights(tiny).exists()
    assert not partial_path(_weights(tiny)).exists()
    hub.content = CONTENT
    assert (await _pull(tiny)).weights.read_bytes() == CONTENT


async def test_another_size_is_refused_before_it_is_fetched(hub: Hub, tiny: CatalogueEntry) -> None:
    hub.content = CONTENT * 2
    with pytest.raises(DownloadError, match="has 10,040,008 bytes"):
        await _pull(tiny)
    assert file_size(partial_path(_weights(tiny))) == 0


async def test_a_server_error_passes(hub: Hub, tiny: CatalogueEntry) -> None:
    hub.faults = [500, 503]
    assert (await _pull(tiny)).weights.read_bytes() == CONTENT


async def test_a_server_error_that_stays(hub: Hub, tiny: CatalogueEntry) -> None:
    hub.faults = [500] * 20
    with pytest.raises(DownloadError, match="answered 500"):
        await _pull(tiny)


async def test_a_server_that_never_gets_anywhere_is_given_up(
    hub: Hub, tiny: CatalogueEntry
) -> None:
    hub.faults = ["drop 100", *["drop 0"] * 20]
    with pytest.raises(DownloadError, match="cannot be reached"):
        await _pull(tiny)
    assert len(hub.ranges) < 20


async def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, tiny: CatalogueEntry) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(DownloadError, match=r"cannot download 'tiny': the model hub at .*:9"):
        await _pull(tiny)
    assert time.monotonic() - started < 3


async def test_a_hub_that_swallows_connections_costs_one_timeout(
    monkeypatch: pytest.MonkeyPatch, tiny: CatalogueEntry
) -> None:
    monkeypatch.setattr("leadline.runtime.hub.CONNECT_SECONDS", 0.3)
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{full.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(DownloadError, match="ConnectTimeout"):
            await _pull(tiny)
    assert time.monotonic() - started < 1


async def test_an_unpinned_file_is_pinned_by_its_first_download(
    hub: Hub, unpinned: CatalogueEntry
) -> None:
    files = await _pull(unpinned)
    assert files.sha256 == SHA256
    files.weights.unlink()
    hub.content, hub.etag = CONTENT[::-1], '"two"'
    with pytest.raises(ModelCorrupt, match=f"expected {SHA256}"):
        await _pull(unpinned)
    hub.content, hub.etag = CONTENT, '"one"'
    assert (await _pull(unpinned)).sha256 == SHA256


async def test_cancelling_stops_within_two_seconds_and_keeps_what_is_there(
    hub: Hub, tiny: CatalogueEntry
) -> None:
    hub.faults = ["hang 3000000"]
    cancel = Cancellation()
    task = asyncio.create_task(_pull(tiny, cancel))
    partial = partial_path(_weights(tiny))
    await _until(lambda: file_size(partial) > 2_000_000)
    started = time.monotonic()
    cancel.cancel()
    with pytest.raises(Cancelled):
        await task
    assert time.monotonic() - started < 2
    kept = partial.read_bytes()
    assert CONTENT.startswith(kept) and len(kept) <= 3_000_000
    assert (await _pull(tiny)).weights.read_bytes() == CONTENT
    assert hub.ranges == [None, f"bytes={len(kept)}-"]


async def test_two_pulls_at_once_take_turns(hub: Hub, tiny: CatalogueEntry) -> None:
    notes: list[str] = []
    hub.faults = ["drop 1000"]
    first, second = await asyncio.gather(
        _pull(tiny, note=notes.append), _pull(tiny, note=notes.append)
    )
    assert first == second == resolve("tiny")
    assert notes == ["another pull of 'tiny' is running, waiting"]
    assert hub.sent == len(CONTENT)


def test_two_processes_at_once_take_turns(hub: Hub, home: Path) -> None:
    programme = textwrap.dedent(f"""
        import asyncio
        from leadline.cancellation import Cancellation
        from leadline.locations import locations
        from leadline.runtime.catalogue_entries import *
        from leadline.runtime.download import pull
        file = CatalogueFile("tiny.gguf", {len(CONTENT)}, "{SHA256}")
        CATALOGUE["tiny"] = CatalogueEntry(
            "tiny", "generator", (file,), "MIT", 1, "", (HubSource("nobody/tiny"),)
        )
        print(asyncio.run(pull("tiny", locations=locations(), cancel=Cancellation())).sha256)
    """)
    processes = [
        subprocess.Popen([sys.executable, "-c", programme], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert answers == [SHA256, SHA256]
    assert hub.sent == len(CONTENT)


async def test_too_little_space_is_said_before_anything_is_written(
    hub: Hub, tiny: CatalogueEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadline.runtime.disk_space._RESERVE", 1 << 60)
    with pytest.raises(StorageError, match="MB left"):
        await _pull(tiny)
    assert file_size(partial_path(_weights(tiny))) == 0


async def test_a_full_disk_leaves_a_prefix(
    hub: Hub, unpinned: CatalogueEntry, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadline.runtime.disk_space._RESERVE", 0)
    hub.faults = ["no-length"]
    places = Locations(small_disk / "config", small_disk / "cache", small_disk / "state")
    with pytest.raises(StorageError, match="no space left on the disk"):
        await pull("loose", locations=places, cancel=Cancellation())
    partial = places.models / "loose" / "loose.gguf.partial"
    assert 0 < file_size(partial) < len(CONTENT)
    assert CONTENT.startswith(partial.read_bytes())
    assert model_state(unpinned, places).word == "partial"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 5_000), max_size=6), st.integers(0, 9_000))
async def test_any_sequence_of_drops_gives_the_file(drops: list[int], length: int) -> None:
    content = CONTENT[:length]
    with Hub(content) as server, tempfile.TemporaryDirectory() as folder:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        server.faults = [f"drop {drop + 1}" for drop in drops]
        partial = Path(folder) / "file.partial"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HF_ENDPOINT", server.url)
            fetcher = HubFetcher(HubSource("nobody/tiny"))
        file = CatalogueFile("file", length, hashlib.sha256(content).hexdigest())
        await fetcher.fetch(file, partial, lambda done, total: None)
        assert partial.read_bytes() == content
        assert server.sent == length
        server.shutdown()
        thread.join()
