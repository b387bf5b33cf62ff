"""Where a report is to be written, and in which format."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Label

from ...agent.exports.formats import FORMATS, ExportFormat, format_of, suggested_name
from ...agent.report import Report
from ...errors import LeadlineError
from ..report_actions import write_report
from ..widgets.choices import Choices
from .dialogs import ChoiceDialog
from .problems import show_problem

_WORDS: dict[ExportFormat, str] = {
    "md": "Markdown",
    "html": "HTML, citations lead to the quoted words",
    "pdf": "PDF",
    "json": "JSON",
    "csv": "CSV, the table",
    "xlsx": "spreadsheet, the table",
}
_TABLES_ONLY = ("csv", "xlsx")


class ExportDialog(ModalScreen[Path | None]):
    """Asks for a file; its ending is its format."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back", id="export.leave")
    ]

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report

    def compose(self) -> ComposeResult:
        forms = [f for f in FORMATS if self._report.table is not None or f not in _TABLES_ONLY]
        with Vertical(classes="dialog"):
            yield Label("Write the report to", classes="dialog-title")
            yield Input(suggested_name(self._report, "md"), id="export-path", compact=True)
            yield Label(id="export-problem", markup=False)
            yield Choices(
                [(form, f".{form}  {_WORDS[form]}") for form in forms],
                chosen=["md"],
                one=True,
                id="export-format",
            )
            yield Label("enter in the name writes · tab goes to the formats", classes="hint")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Choices.Changed)
    def _format_chosen(self, event: Choices.Changed) -> None:
        name = self.query_one(Input)
        name.value = str(Path(name.value).with_suffix(f".{event.choices.chosen[0]}"))

    @on(Input.Submitted)
    def _accept(self, event: Input.Submitted) -> None:
        path = Path(event.value.strip()).expanduser()
        try:
            format_of(path)
        except LeadlineError as error:
            self.query_one("#export-problem", Label).update(str(error))
            return
        self.dismiss(path)


async def export_report(app: App[Any], report: Report) -> None:
    """Ask where to write the report, and write it; what goes wrong is shown. For a worker."""
    path = await app.push_screen_wait(ExportDialog(report))
    if path is None:
        return
    if await asyncio.to_thread(path.exists):
        choices = [("keep", "Keep it"), ("replace", "Replace it")]
        there = ChoiceDialog(f"{path} is there already", choices)
        if await app.push_screen_wait(there) != "replace":
            return
    try:
        written = await asyncio.to_thread(write_report, report, path)
    except LeadlineError as error:
        show_problem(app, error)
    else:
        app.notify(str(written), title="The report is written to", markup=False)
