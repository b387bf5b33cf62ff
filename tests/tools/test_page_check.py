"""A page store that was damaged, and processes that die while they write."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import zlib
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.cancellation import Cancellation
from leadline.errors import StorageError
from leadline.tools.extraction import extract
from leadline.tools.near_duplicates import bands, resemblance, sketch
from leadline.tools.page_check import check, repair
from leadline.tools.page_store import PageStore

CANCEL = Cancellation()


def put(store: PageStore, body: bytes) -> str:
    url = f"https://lead.example/{zlib.crc32(body)}"
    return store.put(
        body,
        url=url,
        final_url=url,
        media_type="text/plain",
        fetched_at=datetime.now(UTC),
        extracted=extract(body, name="x.txt"),
    ).page_id


def filled(folder: Path, pages: int = 60) -> list[str]:
    """A closed store of pages of some 4 kB each."""
    store = PageStore(folder)
    noise = random.Random(1)
    ids = [
        put(store, " ".join(str(noise.random()) for _ in range(400)).encode()) for _ in range(pages)
    ]
    with store.database.errors():
        store.database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return ids


def alter(folder: Path, sql: str, *parameters: object) -> None:
    with closing(sqlite3.connect(folder / "pages.sqlite3")) as connection:
        connection.execute(sql, parameters)
        connection.commit()


def checked(folder: Path) -> list[str]:
    with closing(PageStore(folder)) as store:
        return [damage.problem for damage in check(store, cancel=CANCEL)]


def test_a_whole_store(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    assert checked(tmp_path) == []
    mended = repair(tmp_path, cancel=CANCEL)
    assert (mended.pages, mended.restored, mended.lost) == (3, 0, ())
    assert repair(tmp_path / "empty", cancel=CANCEL).pages == 0


def text_of(folder: Path, page_id: str) -> str:
    with closing(PageStore(folder)) as store:
        return store.get(page_id).text


def test_a_text_is_restored_from_its_bytes(tmp_path: Path) -> None:
    ids = filled(tmp_path, 3)
    text = text_of(tmp_path, ids[1])
    alter(tmp_path, "UPDATE pages SET text = x'00' WHERE page_id = ?", ids[1])
    [problem] = checked(tmp_path)
    assert "it is damaged" in problem
    assert repair(tmp_path, cancel=CANCEL).restored == 1
    assert text_of(tmp_path, ids[1]) == text
    assert checked(tmp_path) == []


@pytest.mark.parametrize("raw", [b"junk", zlib.compress(b"other bytes")])
def test_a_page_without_its_bytes_is_lost_and_named(tmp_path: Path, raw: bytes) -> None:
    ids = filled(tmp_path, 3)
    alter(tmp_path, "UPDATE pages SET raw = ?, text = x'00' WHERE page_id = ?", raw, ids[1])
    mended = repair(tmp_path, cancel=CANCEL)
    [lost] = mended.lost
    assert lost.page_id == ids[1]
    assert lost.urls[0].startswith("https://lead.example/")
    assert mended.pages == 2
    assert checked(tmp_path) == []


@pytest.mark.parametrize("where", [0.3, 0.5, 0.8])
def test_a_file_with_a_hole_is_rebuilt(tmp_path: Path, where: float) -> None:
    ids = filled(tmp_path)
    path = tmp_path / "pages.sqlite3"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(int(size * where) // 4096 * 4096)
        file.write(random.Random(0).randbytes(3 * 4096))
    assert checked(tmp_path)
    mended = repair(tmp_path, cancel=CANCEL)
    assert mended.pages > len(ids) * 0.6
    assert mended.pages + len(mended.lost) >= len(ids) - 2
    assert checked(tmp_path) == []
    assert (tmp_path / "pages.sqlite3.damaged").exists()
    store = PageStore(tmp_path)
    assert put(store, b"and it takes new pages") in store


def test_a_file_that_is_no_store_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "pages.sqlite3").write_bytes(b"this is no database, " * 100)
    assert repair(tmp_path, cancel=CANCEL).pages == 0
    assert checked(tmp_path) == []


def test_a_store_in_use_is_not_repaired(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    store = PageStore(tmp_path)
    with pytest.raises(StorageError, match="in use by another process"):
        repair(tmp_path, cancel=CANCEL)
    store.close()
    repair(tmp_path, cancel=CANCEL)


_WRITER = """
import random, sys
from datetime import UTC, datetime
from pathlib import Path
from leadline.tools.extraction.document import Extracted
from leadline.tools.page_store import PageStore

store, noise = PageStore(Path(sys.argv[1])), random.Random(int(sys.argv[2]))
while True:
    body = noise.randbytes(noise.randrange(1000, 60_000))
    text = " ".join(str(noise.random()) for _ in range(100))
    url = f"https://{sys.argv[2]}.example/{noise.randrange(50)}"
    page = store.put(body, url=url, final_url=url, media_type="text/plain",
                     fetched_at=datetime.now(UTC), extracted=Extracted("text/plain", "", text))
    print(page.page_id, flush=True)
"""


def writer(folder: Path, seed: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WRITER, str(folder), str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kept_after(folder: Path, seconds: float, *, rounds: int) -> set[str]:
    """Two writers at once, killed after ``seconds``, again and again; what they said is kept."""
    said: set[str] = set()
    for number in range(rounds):
        writers = [writer(folder, 2 * number + which) for which in range(2)]
        for process in writers:
            assert process.stdout is not None
            said.add(process.stdout.readline().strip())  # it has begun
        time.sleep(seconds)
        for process in writers:
            os.kill(process.pid, signal.SIGKILL)
        for process in writers:
            out, errors = process.communicate()
            assert errors == ""
            said.update(line for line in out.splitlines() if len(line) == 64)
    return said


def test_writers_that_are_killed_lose_nothing_they_have_said_is_kept(tmp_path: Path) -> None:
    said = kept_after(tmp_path, 0.2, rounds=4)
    assert len(said) > 8
    store = PageStore(tmp_path)
    assert said <= set(store.page_ids())
    store.close()
    assert checked(tmp_path) == []


@pytest.mark.slow
def test_two_processes_share_a_store_for_long(tmp_path: Path) -> None:
    """LEADLINE_SOAK_SECONDS sets how long; half a minute by default."""
    seconds = float(os.environ.get("LEADLINE_SOAK_SECONDS", "30"))
    said = kept_after(tmp_path, seconds, rounds=1)
    store = PageStore(tmp_path)
    print(f"{len(said):,} pages by two processes in {seconds:g} s")
    assert said <= set(store.page_ids())
    store.close()
    assert checked(tmp_path) == []


words = st.lists(
    st.sampled_from(["anchor", "buoy", "cable", "deck", "keel", "测", "深", "锤"]), max_size=60
)


@settings(max_examples=60, deadline=None)
@given(words, words)
def test_a_sketch_estimates_what_texts_share(first: list[str], second: list[str]) -> None:
    one, two = sketch(" ".join(first)), sketch(" ".join(second))
    assert len(one) == 256
    assert resemblance(one, one) == 1
    assert resemblance(one, two) == resemblance(two, one)
    assert len(set(enumerate(bands(one)))) == 16


def test_a_sketch_is_near_the_truth() -> None:
    words = [f"w{n}" for n in range(2000)]
    other = words[:1500] + [f"v{n}" for n in range(500)]
    shared = (1500 - 4) / (2 * (2000 - 4) - (1500 - 4))
    assert abs(resemblance(sketch(" ".join(words)), sketch(" ".join(other))) - shared) < 0.2
