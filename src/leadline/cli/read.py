"""``leadline read``: what a file, a web page or a folder says to a question, in its own words."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..cancellation import Cancellation
from ..safe_text import safe_line
from ..storage import write_atomically
from .completing import files, model_ids
from .exit_codes import ExitCode
from .running import run_async
from .terminal import note, progress_bars, stdout_console, warn, write_json, write_result

if TYPE_CHECKING:
    from ..evidence import Evidence, Page
    from ..runtime.heatmap import HeadMap
    from ..runtime.reader import Reading
    from ..tools.local_files import FolderPages
    from .reading_session import ReadingOutcome

_PICTURES = (".html", ".htm", ".png")
_UNREADABLE_SHOWN = 10


@click.command()
@click.argument("source", metavar="FILE|URL|DIR|-", shell_complete=files)
@click.argument("question", nargs=-1, required=True)
@click.option("--also", multiple=True, metavar="QUESTION", help="Ask this as well. Repeatable.")
@click.option(
    "--reader", metavar="ID", shell_complete=model_ids, help='Model that reads: an id, or "none".'
)
@click.option(
    "--top", type=click.IntRange(1, 100), default=5, show_default=True, help="Pieces of evidence."
)
@click.option(
    "--tokens",
    type=click.IntRange(256),
    help="Tokens that attention goes over for one question.  [default: the setting reading_tokens]",
)
@click.option(
    "--context",
    type=click.IntRange(0),
    default=200,
    show_default=True,
    help="Characters shown on both sides of the evidence.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--heatmap",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="OUT.html|OUT.png",
    help="Draw what each attention head looked at.",
)
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="HOST[:PORT]",
    help="Let this private host through. Repeatable.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing on stderr but warnings and errors.")
def read(
    source: str,
    question: tuple[str, ...],
    also: tuple[str, ...],
    reader: str | None,
    top: int,
    tokens: int | None,
    context: int,
    as_json: bool,
    heatmap: Path | None,
    allow_hosts: tuple[str, ...],
    quiet: bool,
) -> ExitCode:
    """Show what a text says to QUESTION: its own words, best first.

    The text is a file (PDF, HTML, Markdown, text), a web page, every file of a folder, or standard
    input. Nothing is written by a model. Exits with 1 if nothing was found, with 4 if nothing was
    found for one question of several.
    """
    if heatmap and also:
        raise click.UsageError("--heatmap draws one question: leave out --also")
    if heatmap and heatmap.suffix.lower() not in _PICTURES:
        raise click.UsageError(f"--heatmap {str(heatmap)!r} must end in .html or .png")
    if heatmap and heatmap.suffix.lower() == ".png":
        from .heatmap_png import require_pillow

        require_pillow()

    from ..agent.researcher import checked_question
    from ..runtime.reader import ReadingBudget
    from ..settings import load_settings
    from .reading_session import STDIN, ReadingRequest, read_source

    settings = load_settings(reader=reader, reading_tokens=tokens)
    settings = settings.model_copy(update={"allow_hosts": (*settings.allow_hosts, *allow_hosts)})
    request = ReadingRequest(
        source=source,
        # Read here, where Ctrl-C ends the wait for it.
        stdin=sys.stdin.buffer.read() if source == STDIN else b"",
        questions=tuple(checked_question(_text(given)) for given in (" ".join(question), *also)),
        budget=ReadingBudget(window_tokens=settings.reading_tokens, evidence=top),
        settings=settings,
        look=heatmap is not None,
    )

    async def work(cancel: Cancellation) -> ReadingOutcome:
        with progress_bars(quiet=quiet) as progress:
            return await read_source(request, cancel, progress)

    outcome = run_async(work)
    evidence = [_evidence(reading) for reading in outcome.readings]
    _tell_unreadable(outcome.found)
    if as_json:
        write_json(_json(request.questions, outcome, evidence))
    else:
        for text, found in zip(request.questions, evidence, strict=True):
            _show(text, found, outcome.found.pages, context, titled=bool(also))
    if not quiet:
        _tell_reading(outcome)
    if outcome.head_map is not None and heatmap is not None:
        _draw(heatmap, outcome.head_map, evidence[0], outcome.model_id)
        if not quiet:
            note(f"heatmap: {heatmap}")
    answered = sum(bool(found) for found in evidence)
    if answered == len(evidence):
        return ExitCode.OK
    return ExitCode.PARTIAL if answered else ExitCode.FAILED


def _text(argument: str) -> str:
    """An argument whose bytes may not be UTF-8."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _evidence(reading: Reading) -> list[Evidence]:
    """What there is a sign of: the first stage gives 0 to what shares no word with the question."""
    return [found for found in reading.evidence if found.score > 0]


def _draw(path: Path, head_map: HeadMap, evidence: Sequence[Evidence], model_id: str) -> None:
    if path.suffix.lower() == ".png":
        from .heatmap_png import heatmap_png

        picture: str | bytes = heatmap_png(head_map, evidence, model_id=model_id)
    else:
        from .heatmap_html import heatmap_html

        picture = heatmap_html(head_map, evidence, model_id=model_id)
    write_atomically(path.absolute(), picture)


def _show(
    question: str,
    evidence: Sequence[Evidence],
    pages: Sequence[Page],
    context: int,
    *,
    titled: bool,
) -> None:
    from rich.text import Text

    from .highlight import excerpts, plain, print_highlighted

    if not evidence:
        note(f"nothing in it bears on: {safe_line(question)}")
        return
    shown = excerpts(evidence, pages, context=context)
    console = stdout_console()
    if not console.is_terminal:
        title = [safe_line(question)] if titled else []
        write_result("\n\n".join([*title, *map(plain, shown)]) + "\n\n")
        return
    if titled:
        console.print(Text(safe_line(question), "bold underline"), end="\n\n")
    for excerpt in shown:
        print_highlighted(excerpt, console)


def _tell_unreadable(found: FolderPages) -> None:
    for file in found.unreadable[:_UNREADABLE_SHOWN]:
        warn(f"left out '{safe_line(file.path)}': {safe_line(file.problem)}")
    if len(found.unreadable) > _UNREADABLE_SHOWN:
        warn(f"{len(found.unreadable):,} files are left out in all")


def _tell_reading(outcome: ReadingOutcome) -> None:
    pages = len(outcome.found.pages)
    tokens = sum(reading.read_tokens for reading in outcome.readings)
    read = f"attention over {tokens:,} tokens" if tokens else "words and meaning alone"
    seconds = sum(reading.seconds for reading in outcome.readings)
    note(
        f"{pages:,} {'page' if pages == 1 else 'pages'}, {read}, {seconds:.1f} s"
        f" ({outcome.model_id})"
    )


def _json(
    questions: Sequence[str], outcome: ReadingOutcome, evidence: Sequence[Sequence[Evidence]]
) -> dict[str, object]:
    from ..evidence import Citation
    from .highlight import local_path

    pages = {page.page_id: page for page in outcome.found.pages}
    return {
        "questions": list(questions),
        "pages": [
            {
                "page_id": page.page_id,
                "url": page.final_url,
                "path": str(path) if (path := local_path(page)) else None,
                "title": page.title,
                "chars": len(page.text),
            }
            for page in pages.values()
        ],
        "evidence": [
            {
                "question": item.question,
                **Citation.of(item.span, pages[item.span.page_id]).model_dump(),
                "score": item.score,
            }
            for found in evidence
            for item in found
        ],
        "unreadable": [
            {"path": file.path, "reason": file.problem} for file in outcome.found.unreadable
        ],
        "read_tokens": sum(reading.read_tokens for reading in outcome.readings),
        "seconds": round(sum(reading.seconds for reading in outcome.readings), 3),
        "model": outcome.model_id,
    }
