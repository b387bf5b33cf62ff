"""A corpus: indexed once, brought up to date, searched; whatever the folder holds."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, CorpusError
from leadline.tools.corpus import Corpus
from leadline.tools.corpus_catalogue import CorpusCatalogue
from leadline.tools.corpus_manifest import IndexReport
from leadline.tools.page_store import PageStore

if TYPE_CHECKING:
    from tests.tools.conftest import WordEmbedder

DOCUMENTS = {
    "lead.md": "# The lead line\n\nA lead is armed with tallow to bring up the ground.",
    "fathom.txt": "A fathom is six feet. Soundings are called in fathoms.",
    "deep/biscuit.html": "<title>Biscuit</title><h1>Baking</h1><p>Ship's biscuit is baked twice.</p>",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "documents"
    for name, text in DOCUMENTS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def store() -> PageStore:
    return PageStore()


@pytest.fixture
def catalogue(store: PageStore, word_embedder: WordEmbedder) -> CorpusCatalogue:
    return CorpusCatalogue(store=store, embedder=word_embedder)


def update(corpus: Corpus) -> IndexReport:
    return asyncio.run(corpus.update(cancel=Cancellation()))


def titles(corpus: Corpus, query: str, k: int = 3) -> list[str]:
    return [hit.title for hit in corpus.search(query, k)]


def touch_later(path: Path) -> None:
    later = time.time_ns() + 10_000_000_000
    os.utime(path, ns=(later, later))


def test_indexed_and_found(catalogue: CorpusCatalogue, folder: Path) -> None:
    corpus = catalogue.add("sea", str(folder))
    report = update(corpus)
    assert (report.pages, report.added, report.skipped) == (3, 3, []) and report.passages >= 3
    hits = corpus.search("What is the lead armed with?", 2)
    page = corpus.page(hits[0].page_id)
    assert "tallow" in page.text[hits[0].start : hits[0].end]
    assert hits[0].title == page.title == "The lead line"
    assert hits[0].url == (folder / "lead.md").as_uri() == page.final_url
    assert titles(corpus, "six feet")[0] == "fathom.txt"
    assert titles(corpus, "baked")[0] == "Biscuit"


def test_second_update_does_nothing(
    catalogue: CorpusCatalogue, folder: Path, word_embedder: WordEmbedder
) -> None:
    corpus = catalogue.add("sea", str(folder))
    update(corpus)
    embedded = len(word_embedder.texts)
    report = update(catalogue.open("sea"))
    assert (report.added, report.removed, report.unchanged) == (0, 0, 3)
    assert len(word_embedder.texts) == embedded


def test_changed_new_gone_and_touched_files(catalogue: CorpusCatalogue, folder: Path) -> None:
    corpus = catalogue.add("sea", str(folder))
    update(corpus)
    (folder / "lead.md").write_text("# The sinker\n\nNow it is made of bismuth.")
    touch_later(folder / "lead.md")
    (folder / "new.txt").write_text("Kelp grows at ten fathoms.")
    (folder / "deep" / "biscuit.html").unlink()
    touch_later(folder / "fathom.txt")
    report = update(corpus)
    assert (report.added, report.removed, report.unchanged, report.pages) == (2, 1, 1, 3)
    assert titles(corpus, "bismuth")[0] == "The sinker"
    assert "The lead line" not in titles(corpus, "tallow", 10)
    assert "Biscuit" not in titles(corpus, "baked twice", 10)


def test_the_same_bytes_twice_are_one_page(catalogue: CorpusCatalogue, folder: Path) -> None:
    (folder / "copy.txt").write_text(DOCUMENTS["fathom.txt"])
    corpus = catalogue.add("sea", str(folder))
    assert update(corpus).pages == 3
    (folder / "fathom.txt").unlink()
    update(corpus)
    assert [hit.url for hit in corpus.search("six feet", 1)] == [(folder / "copy.txt").as_uri()]


def test_words_alone_without_an_embedder(store: PageStore, folder: Path) -> None:
    corpus = CorpusCatalogue(store=store).add("sea", str(folder))
    update(corpus)
    assert corpus.manifest.embedder is None
    assert titles(corpus, "tallow") == ["The lead line"]


def test_an_embedder_that_comes_later_embeds_what_is_there(
    store: PageStore, folder: Path, word_embedder: WordEmbedder
) -> None:
    update(CorpusCatalogue(store=store).add("sea", str(folder)))
    corpus = CorpusCatalogue(store=store, embedder=word_embedder).open("sea")
    assert update(corpus).unchanged == 3
    assert corpus.manifest.embedder == "words" and len(word_embedder.texts) >= 3


def test_another_embedder_is_refused_until_the_update(
    store: PageStore, folder: Path, word_embedder: WordEmbedder
) -> None:
    update(CorpusCatalogue(store=store, embedder=word_embedder).add("sea", str(folder)))
    other = type(word_embedder)("others")
    corpus = CorpusCatalogue(store=store, embedder=other).open("sea")
    with pytest.raises(CorpusError, match="was embedded with words, not with others"):
        corpus.search("lead", 3)
    update(corpus)
    assert titles(corpus, "tallow")[0] == "The lead line"


async def test_vectors_count_only_when_they_are_complete(
    catalogue: CorpusCatalogue, folder: Path, word_embedder: WordEmbedder
) -> None:
    paragraphs = (f"Ballast {n}. " + "x " * 450 for n in range(300))
    (folder / "a.txt").write_text("\n\n".join(paragraphs))
    corpus = catalogue.add("sea", str(folder))
    cancel = Cancellation()

    def stop_in_between(task: str, done: int, total: int | None, unit: str) -> None:
        if unit == "passages" and done:
            cancel.cancel()

    with pytest.raises(Cancelled):
        await corpus.update(cancel=cancel, progress=stop_in_between)
    word_embedder.texts.clear()
    assert titles(corpus, "tallow") == ["The lead line"] and not word_embedder.texts
    await corpus.update(cancel=Cancellation())
    assert len(corpus.search("tallow", 3)) == 3


async def test_vectors_that_would_take_long_are_left_to_a_later_update(
    catalogue: CorpusCatalogue, folder: Path
) -> None:
    corpus = catalogue.add("c", str(folder))
    report = await corpus.update(embed_at_most=2, cancel=Cancellation())
    assert report.unembedded == report.passages == 3
    assert corpus.search("fathoms", 1)[0].title == "fathom.txt"
    report = await corpus.update(embed_at_most=3, cancel=Cancellation())
    assert report.unembedded == 0
    assert corpus.search("fathoms", 1)[0].title == "fathom.txt"


def test_hits_do_not_overlap_and_quote_the_page(catalogue: CorpusCatalogue, folder: Path) -> None:
    (folder / "long.txt").write_text(" ".join(f"The depth at mark {n} is {n}." for n in range(900)))
    corpus = catalogue.add("sea", str(folder))
    update(corpus)
    hits = corpus.search("depth at mark", 12)
    assert len(hits) == 12
    spans = sorted((hit.page_id, hit.start, hit.end) for hit in hits)
    for (page, _, end), (following, start, _) in itertools.pairwise(spans):
        assert page != following or end <= start
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_hidden_ignored_and_looping_paths(catalogue: CorpusCatalogue, folder: Path) -> None:
    for name in (".git/config.txt", "node_modules/x.txt", ".hidden.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("not a document")
    (folder / "deep" / "loop").symlink_to(folder)
    (folder / "broken").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe")
    report = update(catalogue.add("sea", str(folder)))
    assert report.pages == 3
    assert [skipped.path for skipped in report.skipped] == [str(folder / "broken")]


def test_file_names_of_odd_bytes(catalogue: CorpusCatalogue, folder: Path) -> None:
    with open(os.fsencode(folder) + b"/lot-\xff\xfe %41\n#?.txt", "w") as file:
        file.write("Kelp grows at ten fathoms.")
    corpus = catalogue.add("sea", str(folder))
    assert update(corpus).pages == 4 and update(corpus).unchanged == 4
    assert corpus.search("kelp", 1)[0].url.isascii()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_told(catalogue: CorpusCatalogue, folder: Path) -> None:
    (folder / "lead.md").chmod(0)
    report = update(catalogue.add("sea", str(folder)))
    assert report.pages == 2
    assert [(s.path, s.reason) for s in report.skipped] == [
        ("lead.md", "unreadable: Permission denied")
    ]


def test_a_file_beyond_the_limit_is_told_and_the_rest_goes_on(
    catalogue: CorpusCatalogue, folder: Path
) -> None:
    with open(folder / "huge.txt", "wb") as file:
        file.truncate(2 * 2**30)
    report = update(catalogue.add("sea", str(folder)))
    assert report.pages == 3
    assert [(s.path, s.reason) for s in report.skipped] == [("huge.txt", "larger than 64 MiB")]


def test_nothing_but_a_file_beyond_the_limit(catalogue: CorpusCatalogue, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with open(tmp_path / "one" / "huge.txt", "wb") as file:
        file.truncate(2 * 2**30)
    with pytest.raises(CorpusError, match=r"'huge\.txt' is left out: larger than 64 MiB"):
        update(catalogue.add("one", str(tmp_path / "one")))


def empty(folder: Path) -> None:
    return None


def binaries(folder: Path) -> None:
    for number in range(3):
        (folder / f"{number}.bin").write_bytes(bytes(range(256)) * 10)
    (folder / "a.zip").write_bytes(b"PK\x03\x04" + bytes(20))


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        (empty, "holds no documents"),
        (binaries, "all 4 documents are left out: 3 is a binary file"),
    ],
)
def test_folder_without_text(
    catalogue: CorpusCatalogue, tmp_path: Path, fill: Callable[[Path], None], words: str
) -> None:
    (tmp_path / "bare").mkdir()
    fill(tmp_path / "bare")
    with pytest.raises(CorpusError, match=words) as caught:
        update(catalogue.add("bare", str(tmp_path / "bare")))
    assert caught.value.remedy


def test_skipped_files_are_told_again_without_being_read_again(
    catalogue: CorpusCatalogue, folder: Path
) -> None:
    (folder / "cat.png").write_bytes(b"\x89PNG\0\0\0")
    corpus = catalogue.add("sea", str(folder))
    first, second = update(corpus), update(corpus)
    assert first.skipped == second.skipped
    assert [skipped.path for skipped in second.skipped] == ["cat.png"]
    assert sum(first.skipped_by_reason().values()) == 1


def test_full_disk_while_embedding_goes_on_later(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    paragraphs = (f"Mark {n}. " + "x " * 450 for n in range(800))
    (folder / "long.txt").write_text("\n\n".join(paragraphs))
    script = """
import asyncio, resource, sys
import numpy as np
from leadline.cancellation import Cancellation
from leadline.errors import StorageError
from leadline.tools.corpus_catalogue import CorpusCatalogue

class LargeVectors:
    model_id, dimensions, embedded = "large", 2048, 0

    def embed(self, texts, *, cancel, progress):
        self.embedded += len(texts)
        return np.random.default_rng(0).normal(size=(len(texts), 2048)).astype(np.float32)

embedder = LargeVectors()
corpus = CorpusCatalogue(embedder=embedder).add("sea", sys.argv[1])
limit = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, limit[1]))
try:
    asyncio.run(corpus.update(cancel=Cancellation()))
except StorageError as error:
    assert "free some space" in error.remedy, error
else:
    raise AssertionError("it fitted")
assert 256 < embedder.embedded < 800, embedder.embedded
resource.setrlimit(resource.RLIMIT_FSIZE, limit)
embedder.embedded = 0
report = asyncio.run(corpus.update(cancel=Cancellation()))
assert report.unchanged == 1 and 0 < embedder.embedded < report.passages, embedder.embedded
assert len(corpus.search("Mark 700", 5)) == 5
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_lost_vectors_are_made_again(
    catalogue: CorpusCatalogue, folder: Path, home: Path, word_embedder: WordEmbedder
) -> None:
    corpus = catalogue.add("sea", str(folder))
    passages = update(corpus).passages
    corpus.close()
    shutil.rmtree(home / "state" / "corpora" / "sea" / "vectors")
    word_embedder.texts.clear()
    update(catalogue.open("sea"))
    assert len(word_embedder.texts) == passages


def test_full_disk_while_indexing_goes_on_later(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(60):
        words = " ".join(f"w{number}x{n}" for n in range(3000))
        (folder / f"{number:02}.txt").write_text(f"{words} common{number}")
    script = """
import asyncio, resource, sys
from leadline.cancellation import Cancellation
from leadline.errors import StorageError
from leadline.tools.corpus_catalogue import CorpusCatalogue

corpus = CorpusCatalogue().add("sea", sys.argv[1])
limit = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, limit[1]))
try:
    asyncio.run(corpus.update(cancel=Cancellation()))
except StorageError as error:
    assert error.remedy, error
else:
    raise AssertionError("it fitted")
resource.setrlimit(resource.RLIMIT_FSIZE, limit)
report = asyncio.run(corpus.update(cancel=Cancellation()))
assert report.pages == 60 and 0 < report.unchanged < 60, report
assert corpus.search("common59", 1)[0].title == "59.txt"
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def test_cancelled_update_goes_on_later(catalogue: CorpusCatalogue, folder: Path) -> None:
    corpus = catalogue.add("sea", str(folder))
    cancel = Cancellation()

    def stop_at_second(task: str, done: int, total: int | None, unit: str) -> None:
        if done == 1:
            cancel.cancel()

    with pytest.raises(Cancelled):
        await corpus.update(cancel=cancel, progress=stop_at_second)
    report = await catalogue.open("sea").update(cancel=Cancellation())
    assert 0 < report.unchanged < 3 and report.pages == 3


async def test_cancelled_task_stops_its_thread_and_frees_the_lock(
    catalogue: CorpusCatalogue, folder: Path
) -> None:
    for number in range(200):
        (folder / f"{number}.txt").write_text(f"mark {number} " + "depth " * 500)
    corpus = catalogue.add("sea", str(folder))
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell(task: str, done: int, total: int | None, unit: str) -> None:
        loop.call_soon_threadsafe(begun.set)

    task = asyncio.create_task(corpus.update(cancel=Cancellation(), progress=tell))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    report = await catalogue.open("sea").update(cancel=Cancellation())
    assert report.pages == 203 and report.added > 0


def test_killed_while_indexing_leaves_no_half_page(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number:03}.txt").write_text(f"mark {number} " + "depth " * 2000)
    script = """
import asyncio, sys
from leadline.cancellation import Cancellation
from leadline.tools.corpus_catalogue import CorpusCatalogue

def tell(task, done, total, unit):
    print(done, flush=True)

corpus = CorpusCatalogue().add("sea", sys.argv[1])
asyncio.run(corpus.update(cancel=Cancellation(), progress=tell))
"""
    worker = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    while int(worker.stdout.readline()) < 20:
        pass
    worker.kill()
    worker.wait()
    corpus = CorpusCatalogue().open("sea")
    report = update(corpus)
    assert report.pages == 300 and report.unchanged >= 20
    for number in (0, 150, 299):
        assert corpus.search(f"mark {number}", 1)[0].title == f"{number:03}.txt"


def test_two_processes_at_once(tmp_path: Path, home: Path, folder: Path) -> None:
    for number in range(50):
        (folder / f"{number}.txt").write_text(f"mark {number} " + "depth " * 500)
    script = """
import asyncio, sys
from leadline.cancellation import Cancellation
from leadline.tools.corpus_catalogue import CorpusCatalogue

corpus = CorpusCatalogue().add("sea", sys.argv[1])
report = asyncio.run(corpus.update(cancel=Cancellation()))
print(report.pages, report.added, report.unchanged)
"""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ends = [worker.communicate(timeout=120) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], ends
    assert sorted(out.split() for out, _ in ends) == [["53", "0", "53"], ["53", "53", "0"]]


def test_a_single_file_is_a_corpus(catalogue: CorpusCatalogue, folder: Path) -> None:
    corpus = catalogue.add("one", str(folder / "lead.md"))
    assert update(corpus).pages == 1
    assert titles(corpus, "tallow") == ["The lead line"]


def test_folder_that_went_away(catalogue: CorpusCatalogue, folder: Path) -> None:
    corpus = catalogue.add("sea", str(folder))
    update(corpus)
    folder.rename(folder.parent / "elsewhere")
    with pytest.raises(CorpusError, match="cannot read"):
        update(corpus)
    assert titles(corpus, "tallow")[0] == "The lead line"
