"""The page store: content-addressed, settled, whole after any failure."""

from __future__ import annotations

import errno
import hashlib
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leadline.errors import StorageError
from leadline.evidence import Page
from leadline.tools.extraction.document import Extracted
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
from leadline.errors import StorageError
from leadline.tools.extraction.document import Extracted
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
