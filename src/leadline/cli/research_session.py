"""A run from the command line: events told on stderr, the report on stdout, an exit code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from .. import errors
from ..agent.assembly import Wishes, open_researcher
from ..agent.events import Event
from ..agent.report import Report
from ..agent.researcher import Researcher
from ..cancellation import Cancellation
from ..progress import Progress
from .exit_codes import ExitCode, exit_code_for
from .narration import Narrator
from .running import run_async
from .terminal import note, progress_bars, write_json, write_jsonl, write_result

Start = Callable[[Researcher, Cancellation, Callable[[Event], None], Progress], Awaitable[Report]]
"""Begins or resumes the run."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """How a run is shown."""

    as_json: bool = False
    as_jsonl: bool = False
    output: Path | None = None
    quiet: bool = False
    write: Callable[[Report], None] | None = None
    """Writes the result in place of its Markdown."""


def research(wishes: Wishes, start: Start, shown: Presentation) -> ExitCode:
    """Open a researcher, ``start`` the run, print its report."""
    narrator = Narrator(quiet=shown.quiet)

    def show(event: Event) -> None:
        narrator.show(event)
        if shown.as_jsonl:
            write_jsonl(event.model_dump(mode="json"))

    async def work(cancel: Cancellation) -> Report:
        with progress_bars(quiet=shown.quiet) as progress:
            async with open_researcher(
                wishes, cancel=cancel, progress=progress, warn=narrator.warn
            ) as researcher:
                return await start(researcher, cancel, show, progress)

    report = run_async(work)
    if shown.as_json:
        write_json(report.model_dump(mode="json"), shown.output)
    elif shown.write is not None:
        shown.write(report)
    elif not shown.as_jsonl:
        write_result(report.markdown, shown.output)
    if not shown.quiet:
        note(f"{report.status} in {report.usage.seconds:.0f} s; kept as run {report.run_id}")
    return exit_code_of(report)


def exit_code_of(report: Report) -> ExitCode:
    """The exit code that tells a script how a run ended.

    A run that failed because a model or a service was not there says so, as an error would.
    """
    if report.status == "failed" and report.errors:
        codes = {exit_code_for(vars(errors)[problem.kind]("")) for problem in report.errors}
        return codes.pop() if len(codes) == 1 else ExitCode.FAILED
    return {
        "complete": ExitCode.OK,
        "partial": ExitCode.PARTIAL,
        "budget_exhausted": ExitCode.PARTIAL,
        "failed": ExitCode.FAILED,
    }[report.status]
