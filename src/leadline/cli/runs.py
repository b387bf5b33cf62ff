"""``leadline runs``: past runs, their reports and the pages they cite."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import RunError
from ..locations import locations
from ..safe_text import safe_line
from .completing import run_ids
from .exit_codes import ExitCode
from .terminal import note, warn, write_json, write_jsonl, write_result

if TYPE_CHECKING:
    from ..agent.events import Event
    from ..agent.run_store import RunFolder
    from ..tools.page_store import PageStore


@click.group()
def runs() -> None:
    """List, search, show, resume, replay, rename, remove, export and import runs."""


@runs.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_runs(as_json: bool) -> None:
    """All runs, oldest first."""
    from ..agent.run_store import RunStore

    _list(RunStore(locations().runs).all(), as_json=as_json, none="No runs yet.")


@runs.command("search")
@click.argument("words", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def search_runs(words: tuple[str, ...], as_json: bool) -> None:
    """Runs that have all WORDS in their title, question or answer, oldest first."""
    from ..agent.run_store import RunStore

    found = RunStore(locations().runs).search(" ".join(words))
    _list(found, as_json=as_json, none="No run has these words.")


@runs.command("rename")
@click.argument("run", shell_complete=run_ids)
@click.argument("title")
def rename_run(run: str, title: str) -> None:
    """Call RUN by TITLE; an empty one gives it the name of its question again."""
    from ..agent.run_store import RunStore

    folder = RunStore(locations().runs).get(run)
    folder.rename(title)
    write_result(f"{folder.path.name}  {safe_line(folder.title)}")


@runs.command("rm")
@click.argument("run", nargs=-1, required=True, shell_complete=run_ids)
def remove_runs(run: tuple[str, ...]) -> None:
    """Remove each RUN with its log, its checkpoints and its report."""
    from ..agent.memory import forget_removed
    from ..agent.run_store import open_runs
    from ..settings import load_settings

    store = open_runs(load_settings())
    for run_id in dict.fromkeys(store.get(name).path.name for name in run):
        store.delete(run_id)
        write_result(f"{run_id} is removed")
    forget_removed(store)


@runs.command("show")
@click.argument("run", shell_complete=run_ids)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--jsonl", "as_jsonl", is_flag=True, help="Print the run's events, a line each.")
@click.option(
    "--ragnarok",
    is_flag=True,
    help="Print the answer as a line of a TREC RAG run (Ragnarök's JSON).",
)
@click.option("--page", metavar="PAGE_ID", help="Print the text of a page that the run read.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write the report to this file: .md, .html, .pdf, .json; a table also as .csv or .xlsx.",
)
def show_run(
    run: str,
    as_json: bool,
    as_jsonl: bool,
    ragnarok: bool,
    page: str | None,
    output: Path | None,
) -> None:
    """The report of RUN: an id, the start or the end of one, or "last"."""
    if output and (as_json or as_jsonl or ragnarok or page):
        raise click.UsageError(
            "-o writes the report: leave out --json, --jsonl, --ragnarok and --page"
        )

    from ..agent.events import PageRead
    from ..agent.exports.formats import export_to, finished_report
    from ..agent.exports.trec_answer import answer_of_report
    from ..agent.run_store import RunStore

    folder = RunStore(locations().runs).get(run)
    if page is not None:
        read = {event.page_id for event in folder.events() if isinstance(event, PageRead)}
        matches = [page_id for page_id in read if page_id.startswith(page)]
        if len(matches) != 1:
            raise RunError(
                f"run {folder.path.name} read {len(matches)} pages {page!r}",
                remedy="take a page_id from the citations of its --json report",
            )
        with _pages() as store:
            write_result(store.get(matches[0]).text)
        return
    if as_jsonl:
        for event in folder.events():
            write_jsonl(event.model_dump(mode="json"))
        return
    report = finished_report(folder)
    if output is not None:
        with _pages() as store:
            export_to(output, report, store)
        return
    if ragnarok:
        write_jsonl(answer_of_report(report).model_dump(mode="json"))
    elif as_json:
        write_json(report.model_dump(mode="json"))
    else:
        write_result(report.markdown)


@runs.command("resume")
@click.argument("run", shell_complete=run_ids)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Wall-clock budget.")
def resume_run(run: str, as_json: bool, seconds: float | None) -> int:
    """Go on with RUN from where it was stopped. The budget counts what it had used before."""
    from ..agent.assembly import wishes_of
    from ..agent.run_store import RunStore
    from ..budget import Limits
    from ..settings import load_settings
    from .research_session import Presentation, research

    record = RunStore(locations().runs).get(run).record
    settings = load_settings(model=record.model, reader=record.reader, seconds=seconds)
    return research(
        wishes_of(record, settings),
        lambda researcher, cancel, on_event, progress: researcher.resume(
            record.run_id,
            limits=Limits(seconds=settings.seconds),
            cancel=cancel,
            on_event=on_event,
            progress=progress,
        ),
        Presentation(as_json=as_json),
    )


@runs.command("replay")
@click.argument("run", shell_complete=run_ids)
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@click.option("--jsonl", "as_jsonl", is_flag=True, help="Print the run's events, a line each.")
def replay_run(run: str, as_json: bool, as_jsonl: bool) -> int:
    """Render the report of RUN again from its log and the stored pages, and say what differs.

    Every quote has to stand in its page to the letter. Nothing is fetched and no model is asked.
    """
    from ..agent.replay import replay
    from ..agent.run_store import RunStore

    def show(event: Event) -> None:
        if as_jsonl:
            write_jsonl(event.model_dump(mode="json"))

    with _pages() as store:
        done = replay(RunStore(locations().runs).get(run), store, show)
    if as_json:
        write_json(asdict(done))
    elif not as_jsonl and done.markdown is not None:
        write_result(done.markdown)
    note(f"{done.run_id}: {done.events} events replayed, {done.spans} quotes verified")
    for difference in done.differences:
        warn(difference)
    return ExitCode.FAILED if done.differences else ExitCode.OK


@runs.command("export")
@click.argument("run", shell_complete=run_ids)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
def export_run(run: str, file: Path, as_json: bool) -> None:
    """Write the finished RUN and every page that it read to FILE, for another machine."""
    from ..agent.run_archive import export_run as export
    from ..agent.run_store import RunStore

    with _pages() as store:
        done = export(RunStore(locations().runs).get(run), store, file)
    if as_json:
        write_json({"run_id": done.run_id, "file": str(file), "pages": done.pages})
    else:
        write_result(f"{done.run_id}: {done.pages} pages, {file}")
    if done.missing:
        note(f"{len(done.missing)} pages that it read but does not cite are no longer kept")


@runs.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
def import_run(file: Path, as_json: bool) -> None:
    """Verify the run in FILE, which `leadline runs export` wrote, and keep it with its pages.

    Every page has to have the bytes that it is named after, and every quote of the report has to
    stand in its page as it is read on this machine.
    """
    from ..agent.run_archive import import_run as import_
    from ..agent.run_store import RunStore

    with _pages() as store:
        done = import_(file, RunStore(locations().runs), store)
    if as_json:
        write_json(
            {
                "run_id": done.run_id,
                "pages": done.pages,
                "quotes": done.quotes,
                "differing": list(done.differing),
            }
        )
    else:
        write_result(f"{done.run_id}: {done.pages} pages, {done.quotes} quotes verified")
    if done.differing:
        note(f"{len(done.differing)} pages read differently here; their cited quotes hold")


@contextlib.contextmanager
def _pages() -> Iterator[PageStore]:
    from ..tools.page_store import PageStore

    with contextlib.closing(PageStore(locations().pages)) as store:
        yield store


def _list(folders: Sequence[RunFolder], *, as_json: bool, none: str) -> None:
    rows = [_row(folder) for folder in folders]
    if as_json:
        write_json(rows)
        return
    if not rows:
        write_result(none)
    for row in rows:
        seconds = f"{row['seconds']:.0f} s" if row["status"] != "unfinished" else ""
        title = safe_line(str(row["title"]))
        write_result(f"{row['run_id']}  {row['status']:<16}  {seconds:>6}  {title}")


def _row(folder: RunFolder) -> dict[str, object]:
    from ..agent.run_summary import RunSummary

    run = RunSummary.of(folder)
    return {
        "run_id": run.run_id,
        "started_at": run.started_at.isoformat(timespec="seconds"),
        "status": run.status,
        "title": run.title,
        "question": run.question,
        "claims": run.claims,
        "seconds": None if run.seconds is None else round(run.seconds, 1),
    }
