"""A run: its plan, its searchers, its report, while it goes on and afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import DataTable, Footer, OptionList, TabbedContent, TabPane

from ...errors import LeadlineError
from ...safe_text import safe_line
from ..commands import PaletteCommand
from ..open_run import OpenRun
from ..places import Place, places_of_cell, places_of_row
from ..report_actions import copy_markdown, edit_copy
from ..widgets.findings import Findings
from ..widgets.log import LogView
from ..widgets.plan import PlanTree
from ..widgets.report_view import ReportView
from ..widgets.rows import RowList
from ..widgets.run_header import RunHeader
from ..widgets.table_grid import TableGrid
from .dialogs import BudgetDialog, ClarifyDialog, MessageDialog, TextDialog
from .export import export_report
from .page import PageScreen
from .plan_editing import ask_for_edit
from .problems import show_problem

if TYPE_CHECKING:
    from ..app import LeadlineApp

_REFRESH_SECONDS = 0.1
_CLOCK_REFRESHES = 5
"""Clocks move every half second, what happens is drawn at once."""


class RunScreen(Screen[None]):
    """Draws one run, and hands what the person wants of it to its feed."""

    BINDING_GROUP_TITLE = "Run"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "Pause", id="run.pause", tooltip="Start nothing new, or go on"),
        Binding("s", "stop", "Stop", id="run.stop", tooltip="It can be resumed"),
        Binding("r", "resume", "Resume", id="run.resume"),
        Binding("n", "follow_up", "Follow up", id="run.follow_up"),
        Binding("e", "edit", "Edit plan", id="run.edit"),
        Binding("b", "budget", "Budget", id="run.budget"),
        Binding("c", "copy", "Copy", id="run.copy", tooltip="The answer as Markdown"),
        Binding("x", "export", "Export", id="run.export", tooltip="Write it to a file"),
        Binding("v", "edit_copy", "Edit a copy", id="run.edit_copy", show=False),
        Binding("1", "tab('findings')", "Findings", id="run.findings", show=False),
        Binding("2", "tab('report')", "Report", id="run.report", show=False),
        Binding("3", "tab('log')", "Log", id="run.log", show=False),
        Binding("z", "zoom", "Zoom", id="run.zoom", show=False, tooltip="Only the part in use"),
        Binding("i", "details", "Details", id="run.details", show=False),
        Binding("escape", "leave", "Back", id="run.back"),
    ]

    def __init__(self, run: OpenRun) -> None:
        super().__init__()
        self.run = run
        self._drawn: tuple[int, ...] = ()
        self._ticks = 0
        self._refusals_told = run.view.refusals
        self._was_under_way = run.under_way
        self._report_seen = run.view.report is not None

    @property
    def _leadline(self) -> LeadlineApp:
        return cast("LeadlineApp", self.app)

    def compose(self) -> ComposeResult:
        yield RunHeader(id="run-header")
        with Container(id="run-body"):
            yield PlanTree(id="plan")
            with TabbedContent(id="run-tabs", initial="findings"):
                with TabPane("Findings", id="findings"):
                    yield Findings(id="findings-list")
                with TabPane("Report", id="report"):
                    if self._is_table:
                        yield TableGrid(id="table-grid")
                    else:
                        yield ReportView(id="report-list")
                with TabPane("Log", id="log"):
                    yield LogView(id="log-lines")
        yield Footer()

    @property
    def _is_table(self) -> bool:
        return self.run.as_table or self.run.view.table is not None

    def on_mount(self) -> None:
        self.query_one(PlanTree).focus()
        if self._report_seen or self._is_table:
            self.action_tab("report")
        self.set_interval(_REFRESH_SECONDS, self._tick)
        self.call_after_refresh(self._draw)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _tick(self) -> None:
        if self.app.screen is not self:
            return
        self._ticks += 1
        self._raise_questions()
        if self._to_draw() != self._drawn:
            self._draw()
        elif self._ticks % _CLOCK_REFRESHES == 0:
            self._draw_clocks()
        if self._was_under_way != self.run.under_way:
            self._was_under_way = self.run.under_way
            self._draw()
            self.refresh_bindings()
            if self.run.problem is not None and not self.run.under_way:
                show_problem(self.app, self.run.problem)

    def _to_draw(self) -> tuple[int, ...]:
        """How far the run is, and how wide its lists are: one in a tab is drawn before it is laid out."""
        return self.run.view.applied, *(rows.row_width for rows in self.query(RowList))

    def _draw(self) -> None:
        """Draw what is in view of the run as it stands."""
        view = self.run.view
        plan = self._draw_clocks()
        match self.query_one(TabbedContent).active:
            case "findings":
                self.query_one(Findings).update(view, plan.chosen_id)
            case "report" if self._is_table:
                self.query_one(TableGrid).update(view)
            case "report":
                self.query_one(ReportView).update(view)
            case _:
                self.query_one(LogView).update(view)
        if (to_draw := self._to_draw()) != self._drawn:
            self._drawn = to_draw
            self.refresh_bindings()
        if view.report is not None and not self._report_seen:
            self._report_seen = True
            self.action_tab("report")

    def _draw_clocks(self) -> PlanTree:
        """Draw what changes with time alone."""
        self.query_one(RunHeader).show(self.run)
        plan = self.query_one(PlanTree)
        plan.update(self.run.view, self.run.now(), under_way=self.run.under_way)
        if plan.highlighted is None:
            plan.action_first()
        return plan

    def _raise_questions(self) -> None:
        """Show what the run asks, and what was said beside its log."""
        run = self.run
        for notice in run.notices:
            self.notify(safe_line(notice), severity="warning", markup=False)
        run.notices.clear()
        if run.clarification is not None:
            clarification, run.clarification = run.clarification, None
            self.app.push_screen(ClarifyDialog(clarification), run.answer)
        if run.view.refusals > self._refusals_told:
            self._refusals_told = run.view.refusals
            self.notify(safe_line(run.view.refused), title="Not taken", severity="warning")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what can be done at the moment is offered."""
        run = self.run
        match action:
            case "pause" | "stop" | "budget":
                return run.under_way and not run.stopping
            case "edit":
                return run.under_way and not run.stopping and not self._is_table
            case "resume":
                return run.resumable
            case "follow_up" | "copy" | "export" | "edit_copy":
                return run.view.report is not None
            case "details":
                return run.problem is not None
            case _:
                return True

    def action_pause(self) -> None:
        """Pause, or go on."""
        if self.run.feed is not None:
            steering = self.run.feed.steering
            if steering.paused:
                steering.unpause()
            else:
                steering.pause()
                self.notify("What is under way is finished first", title="Pausing")

    def action_stop(self) -> None:
        if self.run.feed is not None:
            self.run.feed.stop()
            self._draw()

    def action_resume(self) -> None:
        self._leadline.resume(self.run)
        self._was_under_way = True
        self._draw()
        self.refresh_bindings()

    @work
    async def action_edit(self) -> None:
        edit = await ask_for_edit(self.app, self.run.view, self.query_one(PlanTree).chosen_id)
        if edit is not None and self.run.feed is not None:
            self.run.feed.steering.edit(edit)

    @work
    async def action_budget(self) -> None:
        used = f"Used so far: {self.run.used()}"
        dialog = BudgetDialog(self.run.current_limits, used)
        limits = await self.app.push_screen_wait(dialog)
        if limits is not None and self.run.feed is not None:
            self.run.limits = limits
            self.run.feed.steering.set_limits(limits)

    @work
    async def action_follow_up(self) -> None:
        title = "What else would you like to know of these pages?"
        question = await self.app.push_screen_wait(TextDialog(title))
        if question:
            self._leadline.follow_up(self.run, question)

    def action_copy(self) -> None:
        if self.run.view.report is not None:
            copy_markdown(self.app, self.run.view.report)

    @work
    async def action_export(self) -> None:
        if self.run.view.report is not None:
            await export_report(self.app, self.run.view.report)

    def action_edit_copy(self) -> None:
        if self.run.view.report is not None:
            try:
                edit_copy(self.app, self.run.view.report)
            except LeadlineError as error:
                show_problem(self.app, error)

    def action_tab(self, tab: str) -> None:
        tabs = self.query_one(TabbedContent)
        tabs.active = tab
        targets = {
            "findings": "#findings-list",
            "report": "#table-grid" if self._is_table else "#report-list",
            "log": "#log-lines",
        }
        self.query_one(targets[tab]).focus()
        self.call_after_refresh(self._draw)

    def action_zoom(self) -> None:
        if self.maximized is not None:
            self.minimize()
        elif self.focused is not None:
            self.maximize(self.focused)
        self.call_after_refresh(self._draw)

    def action_leave(self) -> None:
        """Back; the run goes on."""
        if self.maximized is not None:
            self.action_zoom()
        else:
            self.app.pop_screen()

    def action_details(self) -> None:
        problem = self.run.problem
        if problem is not None:
            text = "\n\n".join(filter(None, [problem.remedy, self.run.details]))
            self.app.push_screen(MessageDialog(problem.problem, text))

    @on(TabbedContent.TabActivated)
    def _tab_changed(self) -> None:
        self._draw()

    @on(OptionList.OptionHighlighted, "#plan")
    def _question_chosen(self) -> None:
        if self.query_one(TabbedContent).active == "findings":
            self._draw()

    @on(OptionList.OptionSelected, "#plan")
    def _question_opened(self) -> None:
        self.action_tab("findings")

    @on(OptionList.OptionSelected, "#findings-list, #report-list")
    def _row_opened(self, event: OptionList.OptionSelected) -> None:
        chosen = self.query_one(PlanTree).chosen_id
        if event.option_id is None:
            return
        self._open(*places_of_row(self.run.view, event.option_id, chosen))

    @on(DataTable.CellSelected)
    def _cell_opened(self) -> None:
        found = self.query_one(TableGrid).cell_at_cursor()
        if found is not None:
            self._open(places_of_cell(self.run.view, *found), 0)

    def _open(self, places: list[Place], at: int) -> None:
        if not places:
            self.notify("There are no words to show for this")
            return
        app = self._leadline
        self.app.push_screen(
            PageScreen(places, load=app.load_page, look=app.looker(self.run), at=at)
        )

    def palette_commands(self) -> Iterable[PaletteCommand]:
        offered = (
            ("pause", "run: pause or go on", "Work under way is finished first", self.action_pause),
            ("stop", "run: stop", "It can be resumed", self.action_stop),
            ("resume", "run: resume", "Go on from where it was", self.action_resume),
            ("edit", "plan: edit", "Add, drop, reword, fork", self.action_edit),
            ("budget", "run: change the budget", "Time, pages, tokens", self.action_budget),
            ("follow_up", "question: follow up", "On the same pages", self.action_follow_up),
            ("copy", "report: copy as Markdown", "To the clipboard", self.action_copy),
            ("export", "report: write to a file", "Markdown, HTML, PDF", self.action_export),
            ("edit_copy", "report: edit a copy", "In your editor", self.action_edit_copy),
            ("details", "run: what went wrong", "In full", self.action_details),
            ("zoom", "view: zoom", "Show only the part in use", self.action_zoom),
        )
        for action, name, help, run in offered:
            if self.check_action(action, ()):
                yield PaletteCommand(name, help, run)
