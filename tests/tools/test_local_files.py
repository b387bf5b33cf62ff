"""Files of this machine as pages."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ExtractionError, InputError
from leadline.tools import local_files
from leadline.tools.local_files import page_of_file, pages_of_folder
from leadline.tools.page_store import PageStore, page_id_of


@pytest.fixture
def store() -> Iterator[PageStore]:
    opened = PageStore()
    yield opened
    opened.close()


def test_a_file_becomes_a_stored_page(tmp_path: Path, store: PageStore) -> None:
    path = tmp_path / "lead line.md"
    path.write_text("# The lead\n\nIt is armed with tallow.")
    page = page_of_file(path, store)
    assert (page.title, page.media_type) == ("The lead", "text/markdown")
    assert page.url == page.final_url == path.as_uri()
    assert page.page_id == page_id_of(path.read_bytes())
    assert page.fetched_at.timestamp() == pytest.approx(path.stat().st_mtime)
    assert store.get(page.page_id).text == page.text


def test_a_file_without_a_title_has_its_name(tmp_path: Path, store: PageStore) -> None:
    (tmp_path / "depth.txt").write_text("Eleven metres.")
    assert page_of_file(tmp_path / "depth.txt", store).title == "depth.txt"


def test_a_pipe_is_read_to_its_end(tmp_path: Path, store: PageStore) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("Eleven metres.",))
    writer.start()
    assert page_of_file(pipe, store).text == "Eleven metres."
    writer.join()


def test_known_bytes_keep_their_text_under_a_new_address(tmp_path: Path, store: PageStore) -> None:
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text("# The lead\n\nIt is armed with tallow.")
    first, second = (page_of_file(tmp_path / name, store) for name in ("a.md", "b.md"))
    assert (first.page_id, first.text, first.title) == (second.page_id, second.text, second.title)
    assert first.url != second.url


@pytest.mark.parametrize(
    ("body", "problem"), [(b"", "is empty"), (b"\0\1\2" * 50, "is a binary file")]
)
def test_a_file_without_text_is_refused(
    tmp_path: Path, store: PageStore, body: bytes, problem: str
) -> None:
    (tmp_path / "x").write_bytes(body)
    with pytest.raises(ExtractionError, match=problem):
        page_of_file(tmp_path / "x", store)


def test_missing_and_huge_files_are_refused(
    tmp_path: Path, store: PageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"cannot read '.*nowhere' \(No such file"):
        page_of_file(tmp_path / "nowhere", store)
    monkeypatch.setattr(local_files, "MAX_FILE_BYTES", 2**20)
    (tmp_path / "huge.txt").write_bytes(b"a" * (2**20 + 1))
    with pytest.raises(InputError, match="larger than 1 MiB"):
        page_of_file(tmp_path / "huge.txt", store)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


def test_a_folder_gives_what_can_be_read_and_names_the_rest(docs: Path, store: PageStore) -> None:
    (docs / "sub").mkdir()
    (docs / "sub" / "a.txt").write_text("A fathom is six feet.")
    (docs / "copy.txt").write_text("A fathom is six feet.")
    (docs / "b.md").write_text("# Lead\n\nTallow.")
    (docs / "empty.md").write_text("")
    (docs / "gone.txt").symlink_to(docs / "nowhere")
    found = pages_of_folder(docs, store, cancel=Cancellation())
    assert [page.title for page in found.pages] == ["Lead", "copy.txt"]
    told = {os.path.basename(file.path): file.problem for file in found.unreadable}
    assert told == {"empty.md": "is empty", "gone.txt": "No such file or directory"}


def test_a_folder_with_nothing_to_read_is_one_line(docs: Path, store: PageStore) -> None:
    with pytest.raises(InputError, match="holds no files"):
        pages_of_folder(docs, store, cancel=Cancellation())
    for name in ("a", "b"):
        (docs / name).write_bytes(b"\0\1" * 50)
    with pytest.raises(InputError, match=r"holds no file with text \(2 × is a binary file\)"):
        pages_of_folder(docs, store, cancel=Cancellation())


def test_opening_a_folder_can_be_stopped(docs: Path, store: PageStore) -> None:
    (docs / "a.txt").write_text("A fathom is six feet.")
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        pages_of_folder(docs, store, cancel=cancel)
