"""Where a report is to be written, and in which format."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Label

from ...agent.exports.formats import FORMATS, ExportFormat, format_of, suggested_name
from ...agent.report import Report
from ...errors import LeadlineError
from ..widgets.choices import Choices

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
