"""The runs that are kept: found, opened, resumed, renamed, compared, written to files, deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Input, Label

from ...agent.exports.formats import finished_report
from ...agent.memory import forget_removed
from ...agent.report import Report
from ...agent.run_store import RunStore
from ...agent.run_summary import RunSummary, summaries
from ...errors import LeadlineError
from ...safe_text import safe_line
from ..commands import PaletteCommand
from ..report_actions import copy_markdown, edit_copy
from ..wording import STATUS_WORDS, counted
from .comparison import ComparisonScreen
from .dialogs import ChoiceDialog, TextDialog
from .export import export_report
from .problems import show_problem

if TYPE_CHECKING:
    from ..app import LeadlineApp

_MARK = "»"
_COLUMNS = (
    ("mark", " ", 1),
    ("when", "When", 10),
    ("status", "Status", 16),
    ("pages", "Pages", 5),
    ("claims", "Claims", 6),
    ("title", "Title", 20),
)
"""Key, heading, width in cells; the last takes what is left, and that at least."""


class SessionsScreen(Screen[None]):
    """Lists the runs, newest first; typing in the search field leaves those with all its words."""

    BINDING_GROUP_TITLE = "Sessions"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="sessions.leave"),
        Binding("slash", "search", "Search", id="sessions.search", key_display="/"),
        Binding("g", "resume", "Go on", id="sessions.resume", tooltip="Resume a stopped run"),
        Binding("n", "rename", "Name", id="sessions.rename"),
        Binding("m", "mark", "Mark", id="sessions.mark", tooltip="The first run to compare"),
        Binding("c", "compare", "Compare", id="sessions.compare", tooltip="With the marked run"),
        Binding("x", "export", "Export", id="sessions.export"),
        Binding("e", "edit", "Edit a copy", id="sessions.edit", show=False),
        Binding("y", "copy", "Copy", id="sessions.copy", show=False),
        Binding("d,delete", "delete", "Delete", id="sessions.delete"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._runs: dict[str, RunSummary] = {}
        self._marked: str | None = None

    @property
    def _leadline(self) -> LeadlineApp:
        return cast("LeadlineApp", self.app)

    @property
    def _store(self) -> RunStore:
        return self._leadline.runs

    @property
    def _table(self) -> DataTable[Text]:
        return cast("DataTable[Text]", self.query_one(DataTable))

    def compose(self) -> ComposeResult:
        yield Input(placeholder="search titles, questions and answers", id="search", compact=True)
        yield DataTable(id="sessions", cursor_type="row", cell_padding=1)
        yield Label(id="sessions-note", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        self._table.focus()

    def on_resize(self) -> None:
        self._list()

    def on_screen_resume(self) -> None:
        self._list()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What the run under the cursor allows."""
        run = self._chosen
        if run is None:
            return action not in _OF_A_RUN
        unfinished = run.status == "unfinished"
        if action == "resume":
            return unfinished
        if action in ("compare", "export", "edit", "copy", "mark"):
            if action == "compare":
                return not unfinished and self._marked not in (None, run.run_id)
            return not unfinished
        return True

    @property
    def _chosen(self) -> RunSummary | None:
        # The footer of the screen below asks before there is a table.
        if not self._runs or not self._table.is_valid_row_index(self._table.cursor_row):
            return None
        key = self._table.ordered_rows[self._table.cursor_row].key.value
        return self._runs.get(key or "")

    @on(Input.Changed, "#search")
    def _list(self) -> None:
        self._load(self.query_one("#search", Input).value)

    @work(exclusive=True, group="sessions")
    async def _load(self, words: str) -> None:
        """Reading every report is left to a thread; what is typed meanwhile wins."""
        store = self._store

        def read() -> tuple[list[RunSummary], list[str]]:
            return summaries(store.search(words) if words.strip() else store.all())

        try:
            found, damaged = await asyncio.to_thread(read)
        except LeadlineError as error:
            show_problem(self.app, error)
            return
        if self.query(DataTable):  # the screen may have been left meanwhile
            self._show(found, damaged, searched=bool(words.strip()))

    def _show(self, found: list[RunSummary], damaged: list[str], *, searched: bool) -> None:
        chosen = self._chosen
        newest_first = sorted(found, key=lambda run: run.started_at, reverse=True)
        self._runs = {run.run_id: run for run in newest_first}
        table = self._table
        table.clear(columns=True)
        widths = _widths(table.size.width - table.scrollbar_size_vertical, table.cell_padding)
        for (key, label, _), width in zip(_COLUMNS, widths, strict=True):
            table.add_column(label, key=key, width=width)
        now = datetime.now(UTC)
        for run in self._runs.values():
            table.add_row(*self._cells(run, now, widths[-1]), key=run.run_id)
        if chosen is not None and chosen.run_id in self._runs:
            table.move_cursor(row=list(self._runs).index(chosen.run_id))
        none = "No run has these words." if searched else "No runs yet."
        note = counted(len(found), "run") if found else none
        if damaged:
            note += f" · {counted(len(damaged), 'run')} cannot be read: {', '.join(damaged)}"
        self.query_one("#sessions-note", Label).update(note)
        self.refresh_bindings()

    def _cells(self, run: RunSummary, now: datetime, title_width: int) -> tuple[Text, ...]:
        words = "unfinished" if run.status == "unfinished" else STATUS_WORDS[run.status]
        claims = "table" if run.as_table else str(run.claims)
        return (
            Text(_MARK if run.run_id == self._marked else " "),
            Text(when(run.started_at, now)),
            Text(words),
            Text("–" if run.pages is None else str(run.pages)),
            Text("–" if run.pages is None else claims),
            Text(safe_line(run.title, title_width)),
        )

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        self.refresh_bindings()

    @on(DataTable.RowSelected)
    def _open(self) -> None:
        if run := self._chosen:
            self._leadline.open_run(run.run_id)

    @on(Input.Submitted, "#search")
    def _to_the_list(self) -> None:
        self._table.focus()

    def action_leave(self) -> None:
        search = self.query_one("#search", Input)
        if search.has_focus or search.value:
            search.value = ""
            self._table.focus()
        else:
            self.dismiss()

    def action_search(self) -> None:
        self.query_one("#search", Input).focus()

    def action_resume(self) -> None:
        if run := self._chosen:
            self._leadline.open_run(run.run_id, resume=True)

    @work
    async def action_rename(self) -> None:
        run = self._chosen
        if run is None:
            return
        title = await self.app.push_screen_wait(TextDialog("Call the run", run.title))
        if title is not None:
            await self._change(lambda: self._store.get(run.run_id).rename(title))

    @work
    async def action_delete(self) -> None:
        run = self._chosen
        if run is None:
            return
        answer = await self.app.push_screen_wait(
            ChoiceDialog(
                f"Delete “{safe_line(run.title, 80)}” with its log and its report?",
                [("keep", "Keep it"), ("delete", "Delete it")],
            )
        )
        if answer == "delete":
            await self._change(lambda: _forget(self._store, run.run_id))

    async def _change(self, change: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(change)
        except LeadlineError as error:
            show_problem(self.app, error)
        self._list()

    def action_mark(self) -> None:
        if run := self._chosen:
            self._marked = None if self._marked == run.run_id else run.run_id
            self._list()

    @work
    async def action_compare(self) -> None:
        if (run := self._chosen) is None or self._marked is None:
            return
        first, second = await self._report(self._marked), await self._report(run.run_id)
        if first is not None and second is not None:
            self.app.push_screen(ComparisonScreen(first, second))

    @work
    async def action_export(self) -> None:
        if (run := self._chosen) and (report := await self._report(run.run_id)):
            await export_report(self.app, report)

    @work
    async def action_edit(self) -> None:
        if (run := self._chosen) and (report := await self._report(run.run_id)):
            try:
                edit_copy(self.app, report)
            except LeadlineError as error:
                show_problem(self.app, error)

    @work
    async def action_copy(self) -> None:
        if (run := self._chosen) and (report := await self._report(run.run_id)):
            copy_markdown(self.app, report)

    async def _report(self, run_id: str) -> Report | None:
        try:
            return await asyncio.to_thread(lambda: finished_report(self._store.get(run_id)))
        except LeadlineError as error:
            show_problem(self.app, error)
            return None

    def palette_commands(self) -> Iterable[PaletteCommand]:
        for name, help_, action in (
            ("resume", "Go on from where it was stopped", self.action_resume),
            ("rename", "Give the run another title", self.action_rename),
            ("mark", "Remember the run to compare another with it", self.action_mark),
            ("compare", "Show the run beside the marked one", self.action_compare),
            ("export", "Markdown, HTML, PDF, JSON, CSV", self.action_export),
            ("edit", "Open a copy of the report in your editor", self.action_edit),
            ("copy", "The report's Markdown, to the clipboard", self.action_copy),
            ("delete", "Remove the run, after a question", self.action_delete),
        ):
            if self.check_action(name, ()):
                yield PaletteCommand(f"session: {name}", help_, action)


def _widths(width: int, padding: int) -> list[int]:
    """Cells of each column in a table of ``width`` cells."""
    *fixed, least = (column_width for _, _, column_width in _COLUMNS)
    return [*fixed, max(least, width - sum(fixed) - 2 * padding * len(_COLUMNS))]


def _forget(store: RunStore, run_id: str) -> None:
    """Delete a run, and what later runs were to remember of it."""
    store.delete(run_id)
    forget_removed(store)


_OF_A_RUN = frozenset(("resume", "rename", "mark", "compare", "export", "edit", "copy", "delete"))


def when(moment: datetime, now: datetime) -> str:
    """ "now", "5 min ago", "14:02", "Nov 3", "2025-11-03": the nearer, the finer."""
    local, today = moment.astimezone(), now.astimezone()
    minutes = int((now - moment).total_seconds() // 60)
    if 0 <= minutes < 1:
        return "now"
    if 0 <= minutes < 60:
        return f"{minutes} min ago"
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{local:%b} {local.day}" if local.year == today.year else f"{local:%Y-%m-%d}"
