"""A run in one file: what another machine gets, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leadline.agent.events import PageRead, RunFinished
from leadline.agent.page_keeping import trim
from leadline.agent.report import Claim, Report, render_markdown
from leadline.agent.run_archive import export_run, import_run
from leadline.agent.run_store import RunFolder, RunStore
from leadline.budget import Usage
from leadline.errors import InputError, RunError
from leadline.evidence import Citation, Page
from leadline.locations import locations
from leadline.tools.extraction import extract
from leadline.tools.page_store import PageStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BODY = b"# Harbour\n\nThe harbour of Port Alder was opened in 1902.\n"


def kept(store: PageStore, body: bytes, url: str = "https://alder.example/h") -> Page:
    return store.put(
        body,
        url=url,
        final_url=url,
        media_type="text/markdown",
        fetched_at=NOW,
        extracted=extract(body, name="h.md"),
    )


def finished(runs: RunStore, page: Page, *others: Page) -> RunFolder:
    """A run whose one claim cites ``page``, and that read ``others`` as well."""
    folder = runs.create("When was it opened?", model="m", reader="r", sources=("web",))
    start = page.text.index("opened in 1902")
    claim = Claim(
        text="It was opened in 1902.",
        citations=(Citation.of(page.span(start, start + 14), page),),
        verdict="supported",
    )
    report = Report(
        run_id=folder.path.name,
        status="complete",
        question="When was it opened?",
        markdown=render_markdown([claim], status="complete"),
        claims=(claim,),
        open_questions=(),
        usage=Usage(seconds=3, pages=1),
        started_at=NOW,
        finished_at=NOW,
    )
    log = folder.open_log(lambda event: None)
    for read in (page, *others):
        log.emit(
            PageRead(
                page_id=read.page_id,
                url=read.final_url,
                title=read.title,
                characters=len(read.text),
            )
        )
    log.emit(RunFinished(report=report))
    log.close()
    folder.save_report(report)
    return folder


@pytest.fixture
def archive(tmp_path: Path, store: PageStore, runs: RunStore) -> Path:
    other = kept(store, b"# Ferry\n\nThe ferry leaves at 07:30.\n", "https://alder.example/f")
    path = tmp_path / "run.zip"
    done = export_run(finished(runs, kept(store, BODY), other), store, path)
    assert (done.pages, done.missing) == (2, ())
    return path


@pytest.fixture
def elsewhere(tmp_path: Path) -> tuple[RunStore, PageStore]:
    """Another machine."""
    return RunStore(tmp_path / "there" / "runs"), PageStore(tmp_path / "there" / "pages")


def test_a_run_travels_whole(
    archive: Path, runs: RunStore, store: PageStore, elsewhere: tuple[RunStore, PageStore]
) -> None:
    their_runs, their_store = elsewhere
    done = import_run(archive, their_runs, their_store)
    assert (done.pages, done.quotes, done.differing) == (2, 1, ())
    here, there = runs.get(done.run_id), their_runs.get(done.run_id)
    assert there.report == here.report
    assert there.record == here.record
    assert list(there.events()) == list(here.events())
    assert [page.text for page in their_store] == [page.text for page in store]
    with pytest.raises(RunError, match="here already"):
        import_run(archive, their_runs, their_store)


def test_an_archive_of_an_imported_run_is_the_same(
    archive: Path, tmp_path: Path, elsewhere: tuple[RunStore, PageStore]
) -> None:
    their_runs, their_store = elsewhere
    done = import_run(archive, their_runs, their_store)
    export_run(their_runs.get(done.run_id), their_store, tmp_path / "again.zip")
    assert contents(tmp_path / "again.zip") == contents(archive)


def test_what_is_imported_is_not_taken_for_a_fetch(
    archive: Path, elsewhere: tuple[RunStore, PageStore]
) -> None:
    import_run(archive, *elsewhere)
    assert elsewhere[1].latest("https://alder.example/h") is None


def test_a_page_found_at_two_addresses_is_exported_as_read(
    tmp_path: Path, store: PageStore, runs: RunStore, elsewhere: tuple[RunStore, PageStore]
) -> None:
    folder = finished(runs, kept(store, BODY))
    kept(store, BODY, "https://mirror.example/h")
    export_run(folder, store, tmp_path / "run.zip")
    assert import_run(tmp_path / "run.zip", *elsewhere).quotes == 1


def test_an_unfinished_run_stays(tmp_path: Path, store: PageStore, runs: RunStore) -> None:
    folder = runs.create("?", model="m", reader="r", sources=())
    with pytest.raises(RunError, match="unfinished"):
        export_run(folder, store, tmp_path / "run.zip")
    assert not (tmp_path / "run.zip").exists()


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def altered(path: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """A copy whose files went through ``change``, with digests that fit."""
    files = contents(path)
    manifest = json.loads(files.pop("archive.json"))
    change(files)
    manifest["sha256"] = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    copy = path.with_suffix(".altered.zip")
    with zipfile.ZipFile(copy, "w") as archive:
        for name, data in {**files, "archive.json": json.dumps(manifest).encode()}.items():
            archive.writestr(name, data)
    return copy


def replaced(suffix: str, old: bytes, new: bytes) -> Callable[[dict[str, bytes]], object]:
    def change(files: dict[str, bytes]) -> None:
        for name, data in list(files.items()):
            if name.endswith(suffix):
                assert suffix != "report.json" or old in data
                files[name] = data.replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (replaced(".raw", b"1902", b"1903"), "other bytes than it was named after"),
        (replaced("report.json", b"opened in 1902", b"opened in 1903"), "does not stand in"),
        (replaced("report.json", b'"start": ', b'"start": 1'), "does not stand in"),
        (replaced("report.json", b"https://alder.", b"https://elder."), "does not stand in"),
        (replaced("run.json", b'"run_id": "2', b'"run_id": "3'), "of different runs"),
        (lambda files: files.update({"../../evil": b"x"}), "it holds a file"),
        (lambda files: files.update({"pages/x.json": b"x"}), "it holds a file"),
        (lambda files: files.pop("events.jsonl"), "it has no events.jsonl"),
        (
            lambda files: [files.pop(name) for name in list(files) if name.endswith(".raw")],
            "it has no pages/",
        ),
        (
            lambda files: [files.pop(name) for name in list(files) if "pages/" in name],
            "does not stand in",
        ),
    ],
)
def test_what_is_not_borne_out_is_refused(
    archive: Path,
    elsewhere: tuple[RunStore, PageStore],
    change: Callable[[dict[str, bytes]], object],
    reason: str,
) -> None:
    with pytest.raises(RunError, match="cannot be trusted") as caught:
        import_run(altered(archive, change), *elsewhere)
    assert reason in caught.value.problem
    assert elsewhere[0].all() == []
    assert len(elsewhere[1]) == 0


def test_a_forged_text_is_never_kept(
    archive: Path, store: PageStore, elsewhere: tuple[RunStore, PageStore]
) -> None:
    forged = altered(archive, replaced(".json", b"leaves at 07:30", b"leaves at 09:30"))
    done = import_run(forged, *elsewhere)
    assert len(done.differing) == 1
    assert "leaves at 07:30" in elsewhere[1].get(done.differing[0]).text


def test_a_digest_that_does_not_fit(archive: Path, elsewhere: tuple[RunStore, PageStore]) -> None:
    files = contents(archive)
    files["run.json"] += b" "
    with zipfile.ZipFile(archive, "w") as copy:
        for name, data in files.items():
            copy.writestr(name, data)
    with pytest.raises(RunError, match=r"run\.json was altered"):
        import_run(archive, *elsewhere)


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x03\x04" + bytes(200)])
def test_a_file_that_is_no_archive(
    tmp_path: Path, elsewhere: tuple[RunStore, PageStore], data: bytes
) -> None:
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(InputError, match="is not the archive of a run"):
        import_run(tmp_path / "x.zip", *elsewhere)
    with pytest.raises(InputError, match="there is no file"):
        import_run(tmp_path / "y.zip", *elsewhere)


@pytest.mark.parametrize("length", [50, 400, 900])
def test_an_archive_that_was_cut_off(
    archive: Path, elsewhere: tuple[RunStore, PageStore], length: int
) -> None:
    archive.write_bytes(archive.read_bytes()[:-length])
    with pytest.raises((InputError, RunError)):
        import_run(archive, *elsewhere)
    assert elsewhere[0].all() == []


def test_trimming_spares_what_runs_cite() -> None:
    store, runs = PageStore(locations().pages), RunStore(locations().runs)
    cited = kept(store, BODY)
    finished(runs, cited)
    others = [kept(store, b"# P\n\n%d\n" % n, f"https://alder.example/{n}") for n in range(3)]
    with store.database.transaction() as connection:
        long_ago = (datetime.now(UTC) - timedelta(days=30)).isoformat()
        connection.execute("UPDATE facts SET used_at = ?", (long_ago,))
    assert trim(store, max_bytes=10**9).pages == 0
    assert trim(store, max_bytes=0).pages == len(others)
    assert store.page_ids() == [cited.page_id]
