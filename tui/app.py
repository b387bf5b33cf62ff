"""The terminal application: which screens there are, runs under way, keys and colours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen

from ..agent.assembly import Wishes, open_researcher
from ..agent.report import Report
from ..agent.researcher import Researcher
from ..agent.run_store import RunStore
from ..agent.tables.schema import TableWishes
from ..budget import Limits
from ..cancellation import Cancellation
from ..errors import LeadlineError
from ..evidence import Evidence, Page
from ..locations import locations
from ..runtime.heatmap import HeadMap
from ..safe_text import safe_line
from ..settings import Settings
from ..tools.page_store import PageStore
from .ascii_filter import AsciiFilter, terminal_shows_unicode
from .commands import OffersCommands, PaletteCommand
from .open_run import OpenRun, kept_run
from .research_thread import OpenResearcher, ResearchThread
from .run_feed import RunFeed
from .screens.ask import AskScreen
from .screens.page import Look
from .screens.problems import show_problem
from .screens.run import RunScreen

_WIDTHS = [(0, "-narrow"), (110, "-wide")]
"""Classes of a screen by its width in columns."""
_POLL_SECONDS = 0.1


class LeadlineApp(App[None], inherit_bindings=False):
    """Leadline on a terminal. ``open_run`` is the id of a run to show first.

    ``opener`` makes the researcher that runs the questions.
    """

    TITLE = "Leadline"
    CSS_PATH = "app.tcss"
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", id="app.quit", priority=True),
        Binding("ctrl+n", "new_question", "New question", id="app.ask", show=False),
        Binding("ctrl+c", "help_quit", show=False, system=True, id="app.interrupt"),
    ]

    def __init__(
        self,
        settings: Settings,
        *,
        open_run: str | None = None,
        opener: OpenResearcher = open_researcher,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.research = ResearchThread(opener)
        self.open_runs: list[OpenRun] = []
        """Runs that were begun, resumed or opened here."""
        self._open_run = open_run
        self._plain = [] if terminal_shows_unicode() else [AsciiFilter()]

    @property
    def runs(self) -> RunStore:
        return RunStore(locations().runs)

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *self._plain]

    def get_default_screen(self) -> Screen[Any]:
        return AskScreen()

    def on_mount(self) -> None:
        self.apply_settings(self.settings)
        self.set_interval(_POLL_SECONDS, self._poll)
        if self._open_run is not None:
            self.open_run(self._open_run)

    def apply_settings(self, settings: Settings) -> None:
        """Take other settings into use: colours and keys now, the rest with the next question."""
        self.settings = settings
        if settings.theme in self.available_themes:
            self.theme = settings.theme
        else:
            self.notify(f"there is no theme {settings.theme!r}", severity="warning", markup=False)
        self.set_keymap(settings.keymap)

    def ask(self, question: str, wishes: Wishes, limits: Limits, *, hold: bool = False) -> OpenRun:
        """Research ``question`` and show how it goes; with ``hold`` it pauses at its plan."""

        async def start(researcher: Researcher, feed: RunFeed) -> Report:
            return await researcher.run(
                question,
                limits=limits,
                cancel=feed.cancel,
                on_event=feed.tell,
                progress=feed.progress,
            )

        run = OpenRun(wishes, limits=limits)
        run.view.question = question
        return self._begin(run, start)

    def tabulate(self, query: str, columns: TableWishes, wishes: Wishes, limits: Limits) -> OpenRun:
        """Find the table that ``query`` asks for and show how it fills."""

        async def start(researcher: Researcher, feed: RunFeed) -> Report:
            return await researcher.tabulate(
                query,
                columns,
                limits=limits,
                cancel=feed.cancel,
                on_event=feed.tell,
                progress=feed.progress,
            )

        run = OpenRun(wishes, limits=limits, as_table=True)
        run.view.question = query
        return self._begin(run, start)

    def resume(self, run: OpenRun) -> None:
        """Go on with a run from where it was stopped."""

        async def start(researcher: Researcher, feed: RunFeed) -> Report:
            return await researcher.resume(
                run.view.run_id,
                limits=run.current_limits,
                cancel=feed.cancel,
                on_event=feed.tell,
                progress=feed.progress,
            )

        run.begin(self.research.start(run.wishes, start))

    def follow_up(self, earlier: OpenRun, question: str) -> OpenRun:
        """Ask another question of the pages of a run."""

        async def start(researcher: Researcher, feed: RunFeed) -> Report:
            return await researcher.run(
                question,
                limits=earlier.limits,
                cancel=feed.cancel,
                on_event=feed.tell,
                progress=feed.progress,
            )

        run = OpenRun(earlier.wishes, limits=earlier.limits)
        run.view.question = question
        return self._begin(run, start)

    def open_run(self, run_id: str, *, resume: bool = False) -> None:
        """Show a run that is kept; ``resume`` goes on with it."""
        for run in self.open_runs:
            if run.view.run_id == run_id:
                self._show_kept(run, resume=resume)
                return
        self._load_run(run_id, resume)

    def show(self, run: OpenRun) -> None:
        """Bring a run to the front."""
        for screen in self.screen_stack:
            if isinstance(screen, RunScreen) and screen.run is run:
                while self.screen is not screen:
                    self.pop_screen()
                return
        self.push_screen(RunScreen(run))

    def load_page(self, page_id: str) -> Page:
        """The kept page with that id. Blocks.

        Raises:
            StorageError: it is not kept any more, or cannot be read.
        """
        with contextlib.closing(PageStore(locations().pages)) as store:
            return store.get(page_id)

    def looker(self, run: OpenRun) -> Look:
        """Asks the reader of ``run`` what it looks at in a page."""

        async def look(question: str, page: Page, evidence: Sequence[Evidence]) -> HeadMap:
            def work(researcher: Researcher) -> Awaitable[HeadMap]:
                return researcher.look(question, [page], evidence, cancel=Cancellation())

            return await asyncio.wrap_future(self.research.ask(run.wishes, work))

        return look

    def action_new_question(self) -> None:
        """Go back to the first screen; runs go on."""
        while len(self.screen_stack) > 1:
            self.pop_screen()

    async def action_quit(self) -> None:
        """Stop what runs, so that it can be resumed, and end."""
        if self.research.busy:
            self.notify("Stopping; the run can be resumed")
        await asyncio.to_thread(self.research.close)
        self.exit()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the command palette offers on ``screen``."""
        own = screen.palette_commands() if isinstance(screen, OffersCommands) else ()
        for command in (*own, *self._commands()):
            yield SystemCommand(command.name, command.help, command.run)

    def _commands(self) -> Iterator[PaletteCommand]:
        yield PaletteCommand("question: new", "Go to the first screen", self.action_new_question)
        yield PaletteCommand("view: choose colours", "Change the theme", self.search_themes)
        yield PaletteCommand("leadline: quit", "A run under way can be resumed", self.action_quit)

    def _begin(
        self, run: OpenRun, start: Callable[[Researcher, RunFeed], Awaitable[Report]]
    ) -> OpenRun:
        run.begin(self.research.start(run.wishes, start))
        self.open_runs.append(run)
        self.show(run)
        return run

    def _poll(self) -> None:
        """Take in what runs say, also those that no screen shows."""
        for run in self.open_runs:
            was_under_way = run.under_way
            if run.poll() and not self._is_shown(run):
                self._tell_from_afar(run, was_under_way)

    def _is_shown(self, run: OpenRun) -> bool:
        return any(
            isinstance(screen, RunScreen) and screen.run is run for screen in self.screen_stack
        )

    def _tell_from_afar(self, run: OpenRun, was_under_way: bool) -> None:
        question = safe_line(run.view.question, 60)
        if run.clarification is not None:
            self.notify(question, title="A run asks something", markup=False)
        elif was_under_way and not run.under_way:
            self.notify(question, title="A run has ended", markup=False)

    @work(exclusive=True, group="load")
    async def _load_run(self, run_id: str, resume: bool) -> None:
        try:
            folder = self.runs.get(run_id)
            run = await asyncio.to_thread(kept_run, folder, self.settings)
        except LeadlineError as error:
            show_problem(self, error)
            return
        if run.problem is not None:
            show_problem(self, run.problem)
        self.open_runs.append(run)
        self._show_kept(run, resume=resume)

    def _show_kept(self, run: OpenRun, *, resume: bool) -> None:
        if resume and run.resumable:
            self.resume(run)
        self.show(run)
