"""Two runs side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from ...agent.report import Report
from ...agent.run_comparison import SourcePage, compare
from ...safe_text import safe_line
from ..wording import STATUS_WORDS, VERDICT_SIGNS, VERDICT_WORDS, counted, duration


class ComparisonScreen(Screen[None]):
    """What two runs say, what bears it out, what it rests on, and what it took.

    Both sides scroll together; on a narrow screen they stand one below the other.
    """

    BINDING_GROUP_TITLE = "Comparison"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back", id="comparison.leave"),
        Binding("s", "swap", "Swap sides", id="comparison.swap"),
    ]

    def __init__(self, first: Report, second: Report) -> None:
        super().__init__()
        self._first, self._second = first, second

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="comparison"):
            with Horizontal(id="comparison-sides"):
                yield Static(id="comparison-first", markup=False)
                yield Static(id="comparison-second", markup=False)
            yield Static(id="comparison-common", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        self._draw()

    def action_swap(self) -> None:
        self._first, self._second = self._second, self._first
        self._draw()

    def _draw(self) -> None:
        found = compare(self._first, self._second)
        sides = (
            ("first", self._first, found.only_first),
            ("second", self._second, found.only_second),
        )
        for side, report, alone in sides:
            lines = [*_told(report), *_sources("Only in this run", alone)]
            self.query_one(f"#comparison-{side}", Static).update(Content("\n").join(lines))
        common = list(_sources("In both runs", found.common))
        self.query_one("#comparison-common", Static).update(Content("\n").join(common))


def _told(report: Report) -> Iterator[Content]:
    usage = report.usage
    yield Content.styled(safe_line(report.question), "bold")
    yield Content.styled(
        f"{STATUS_WORDS[report.status]} · {duration(usage.seconds)} · "
        f"{counted(usage.pages, 'page')} · {usage.read_tokens:,} tokens read · "
        f"{usage.prompt_tokens + usage.completion_tokens:,} of the model",
        "$text-muted",
    )
    yield Content.styled(f"{report.model} writes · {report.reader} reads", "$text-muted")
    yield Content("")
    yield Content.styled("Answer", "$text-accent bold")
    if report.table is not None:
        table = report.table
        yield Content(
            f"a table: {counted(len(table.rows), 'row')}, {table.filled} of {table.cells} cells"
        )
    elif not report.claims:
        yield Content("No answer was found.")
    for claim in report.claims:
        sign, colour = VERDICT_SIGNS[claim.verdict]
        words = VERDICT_WORDS[claim.verdict]
        doubt = Content.styled(f" ({words})", colour) if words else Content("")
        yield Content.assemble((f"{sign} ", colour), safe_line(claim.text)) + doubt
    yield Content("")


def _sources(heading: str, pages: tuple[SourcePage, ...]) -> Iterator[Content]:
    yield Content.styled(heading, "$text-accent bold")
    if not pages:
        yield Content.styled("nothing", "$text-muted")
    for page in pages:
        yield Content(f"• {safe_line(page.title or page.url)}")
        yield Content.styled(f"  {safe_line(page.url)}", "$text-muted")
