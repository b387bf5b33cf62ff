"""The page store: content-addressed, settled, whole after any failure."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import random
import sqlite3
import subprocess
import sys
import threading
import zlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import StorageError
from leadline.evidence import Page
from leadline.tools.extraction.document import Extracted
from leadline.tools.page_check import check
from leadline.tools.page_store import PageStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def put(
    store: PageStore,
    body: bytes,
    url: str = "https://lead.example/",
    hours: int = 0,
    text: str = "",
) -> Page:
    return store.put(
        body,
        url=url,
        final_url=url,
        media_type="text/plain",
        fetched_at=NOON + timedelta(hours=hours),
        extracted=Extracted("text/plain", "Title", text or body.decode(), "en", (0, 4)),
    )


def test_put_and_get_back(tmp_path: Path) -> None:
    store = PageStore(tmp_path)
    page = put(store, "seven fathöms".encode())
    assert page.page_id == hashlib.sha256("seven fathöms".encode()).hexdigest()
    assert store.get(page.page_id) == page == PageStore(tmp_path).get(page.page_id)
    assert store.raw(page.page_id) == "seven fathöms".encode()
    assert page.page_id in store and "0" * 64 not in store
    assert page.sheet_starts == (0, 4)


def test_a_pages_text_never_changes(tmp_path: Path) -> None:
    store = PageStore(tmp_path)
    first = put(store, b"bytes", text="as extracted first")
    again = put(store, b"bytes", hours=1, text="as a better extractor would")
    assert again.text == first.text == store.get(first.page_id).text
    assert len(store) == 1


def test_versions_of_a_url_newest_first(tmp_path: Path) -> None:
    store = PageStore(tmp_path)
    old, new = put(store, b"old"), put(store, b"new", hours=2)
    put(store, b"else", url="https://other.example/")
    assert store.by_url("https://lead.example/") == [new, old]
    assert {page.page_id for page in store} >= {old.page_id, new.page_id} and len(list(store)) == 3


def test_the_same_bytes_at_two_urls_are_one_page(tmp_path: Path) -> None:
    store = PageStore(tmp_path)
    here = put(store, b"same")
    there = put(store, b"same", url="https://mirror.example/", hours=1)
    assert here.page_id == there.page_id and there.url == "https://mirror.example/"
    assert store.by_url("https://lead.example/") == [here]
    assert len(list(store)) == len(store) == 1


def test_missing_page_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="page 000000000000 is not in the page store"):
        PageStore(tmp_path).get("0" * 64)


def test_many_threads(tmp_path: Path) -> None:
    store = PageStore(tmp_path)

    def work(worker: int) -> None:
        for number in range(20):
            put(store, f"{number}".encode(), url=f"https://{worker}.example/")

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store) == 20
    assert all(len(store.by_url(f"https://{worker}.example/")) == 20 for worker in range(4))


_WORK = """
import random, resource, sys
from datetime import UTC, datetime
from pathlib import Path
from leadline.cancellation import Cancellation
from leadline.errors import StorageError
from leadline.tools.extraction.document import Extracted
from leadline.tools.page_check import check
from leadline.tools.page_store import PageStore

store = PageStore(Path(sys.argv[1]))

def put(body, url="https://lead.example/"):
    store.put(body, url=url, final_url=url, media_type="text/plain",
              fetched_at=datetime.now(UTC), extracted=Extracted("text/plain", "", "text"))
"""


def process(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WORK + script, *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_several_processes(tmp_path: Path) -> None:
    script = """
for number in range(30):
    put(str(number).encode(), f"https://{sys.argv[2]}.example/")
"""
    for worker in [process(script, tmp_path, number) for number in range(2)]:
        assert (worker.communicate(timeout=60)[1], worker.returncode) == ("", 0)
    store = PageStore(tmp_path)
    assert len(store) == 30
    assert all(len(store.by_url(f"https://{number}.example/")) == 30 for number in range(2))


def test_full_disk_keeps_the_store_whole(tmp_path: Path) -> None:
    script = """
put(b"before")
limit = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limit[1]))
try:
    put(random.Random(0).randbytes(400_000))
except StorageError as error:
    assert "free some space" in str(error), error
else:
    raise AssertionError("it fitted")
resource.setrlimit(resource.RLIMIT_FSIZE, limit)
assert len(store) == 1
put(b"after")
"""
    worker = process(script, tmp_path)
    assert (worker.communicate(timeout=60)[1], worker.returncode) == ("", 0)
    store = PageStore(tmp_path)
    assert {store.raw(page.page_id) for page in store} == {b"before", b"after"}


def test_what_is_known_of_a_page_is_kept(tmp_path: Path) -> None:
    extracted = Extracted(
        "text/html", "T", "text", "en", published=date(2024, 5, 6), authors=("A. Sailor",)
    )
    store = PageStore(tmp_path)
    page = store.put(
        b"x", url="u", final_url="u", media_type="text/html", fetched_at=NOON, extracted=extracted
    )
    assert store.get(page.page_id) == page
    assert (page.published, page.authors) == (date(2024, 5, 6), ("A. Sailor",))


def test_the_states_of_an_address(tmp_path: Path) -> None:
    store = PageStore(tmp_path)
    old = put(store, b"old")
    new = put(store, b"new", hours=2)
    put(store, b"old", hours=1)
    assert [
        (version.page_id, version.first_seen, version.last_seen)
        for version in store.versions("https://lead.example/")
    ] == [
        (new.page_id, NOON + timedelta(hours=2), NOON + timedelta(hours=2)),
        (old.page_id, NOON, NOON + timedelta(hours=1)),
    ]
    latest = store.latest("https://lead.example/")
    assert latest is not None
    assert latest.page_id == new.page_id
    assert store.latest("https://nowhere.example/") is None


def test_what_others_fetched_is_not_the_latest(tmp_path: Path) -> None:
    store = PageStore(tmp_path)
    own = put(store, b"own")
    forged = store.put(
        b"forged",
        url=own.url,
        final_url=own.url,
        media_type="text/plain",
        fetched_at=NOON + timedelta(days=9999),
        extracted=Extracted("text/plain", "", "forged"),
        imported=True,
    )
    assert forged.page_id in store
    latest = store.latest(own.url)
    assert latest is not None
    assert latest.page_id == own.page_id


def test_pages_that_are_nearly_the_same(tmp_path: Path) -> None:
    store = PageStore(tmp_path)
    prose = " ".join(f"word{n * n % 997}" for n in range(600))
    first = put(store, b"1", text=prose)
    copy = put(store, b"2", text=f"Cookies? {prose} Imprint")
    put(store, b"3", text=" ".join(reversed(prose.split())))
    [(found, resemblance)] = store.near_duplicates(first.page_id)
    assert found == copy.page_id
    assert 0.9 < resemblance <= 1


def filled(folder: Path, pages: int) -> tuple[PageStore, list[str]]:
    """A store of pages of 100 kB each that cannot be compressed, and their ids in order of use."""
    store = PageStore(folder)
    noise = random.Random(0)
    ids = [put(store, noise.randbytes(100_000), text=f"page {n}").page_id for n in range(pages)]
    return store, ids


def test_eviction_drops_what_was_not_used_for_longest(tmp_path: Path) -> None:
    store, ids = filled(tmp_path, 20)
    used_again = store.get(ids[0])
    put(store, store.raw(ids[0]), text="known already")
    kept = {ids[1], ids[3]}
    done = store.evict(1_000_000, keep=kept, grace=timedelta(0))
    assert done.pages >= 10
    assert done.bytes == store.bytes_used() <= 1_000_000
    assert used_again.page_id in store
    assert kept <= set(store.page_ids())
    assert ids[2] not in store and ids[-1] in store
    store.close()
    assert (tmp_path / "pages.sqlite3").stat().st_size <= 1_000_000


def test_eviction_leaves_what_is_kept_or_young(tmp_path: Path) -> None:
    store, ids = filled(tmp_path, 5)
    assert store.evict(0, keep=(), grace=timedelta(hours=1)).pages == 0
    assert store.evict(0, keep=ids, grace=timedelta(0)).pages == 0
    assert len(store) == 5


def test_a_store_of_the_first_version_is_brought_up(tmp_path: Path) -> None:
    tmp_path.mkdir(exist_ok=True)
    with contextlib.closing(sqlite3.connect(tmp_path / "pages.sqlite3")) as connection:
        connection.executescript(FIRST_VERSION)
        body = zlib.compress(b"old text")
        page_id = hashlib.sha256(b"old text").hexdigest()
        connection.execute(
            "INSERT INTO pages VALUES (?, 'text/plain', 'T', NULL, '[]', ?, ?)",
            (page_id, body, body),
        )
        connection.execute(
            "INSERT INTO fetches VALUES (1, ?, 'u', 'u', ?)", (page_id, NOON.isoformat())
        )
        connection.commit()
    store = PageStore(tmp_path)
    page = store.get(page_id)
    assert (page.text, page.fetched_at, page.authors) == ("old text", NOON, ())
    put(store, b"new text")
    assert len(store) == 2
    assert check(store, cancel=Cancellation()) == []


FIRST_VERSION = """
CREATE TABLE pages (page_id TEXT PRIMARY KEY, media_type TEXT NOT NULL, title TEXT NOT NULL,
    language TEXT, sheet_starts TEXT NOT NULL, text BLOB NOT NULL, raw BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE fetches (fetch_id INTEGER PRIMARY KEY,
    page_id TEXT NOT NULL REFERENCES pages (page_id) ON DELETE CASCADE, url TEXT NOT NULL,
    final_url TEXT NOT NULL, fetched_at TEXT NOT NULL, UNIQUE (page_id, url, fetched_at));
PRAGMA user_version = 1;
"""


def test_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "pages.sqlite3").write_bytes(b"this is no database, " * 100)
    with pytest.raises(StorageError, match=r"pages\.sqlite3 is damaged"):
        PageStore(tmp_path)


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as caught:
        PageStore(tmp_path / "file" / "pages")
    cause = caught.value.__cause__
    assert isinstance(cause, OSError) and cause.errno == errno.ENOTDIR
