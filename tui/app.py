"""The terminal application: which screens there are, runs under way, keys and colours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from typing import Any, ClassVar

from textual import work
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen

from ..agent.assembly import Wishes, open_researcher
from ..agent.report import Report
from ..agent.researcher import Researcher, RunOptions
from ..agent.run_store import RunStore, open_runs
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
from .key_order import KeyOrderApp
from .keys import bindings_in_force, usable_keymap
from .open_run import OpenRun, kept_run
from .research_thread import OpenResearcher, ResearchThread, Start
from .run_feed import RunFeed
from .screens.ask import AskScreen
from .screens.help import HelpScreen
from .screens.jump import JumpScreen
from .screens.models import ModelsScreen, missing_models
from .screens.page import Look
from .screens.problems import show_problem
from .screens.run import RunScreen
from .screens.sessions import SessionsScreen
from .screens.settings import SettingsScreen
from .themes import THEMES

_WIDTHS = [(0, "-narrow"), (110, "-wide")]
"""Classes of a screen by its width in columns."""
_POLL_SECONDS = 0.1


class LeadlineApp(KeyOrderApp, inherit_bindings=False):
    """Leadline on a terminal. ``open_run`` is the id of a run to show first.

    ``opener`` makes the researcher that runs the questions.
    """

    TITLE = "Leadline"
    CSS_PATH = "app.tcss"
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", id="app.quit", priority=True),
        Binding("ctrl+n", "new_question", "New question", id="app.ask", show=False),
        Binding("ctrl+r", "sessions", "Sessions", id="app.sessions"),
        Binding("f1", "help", "Help", id="app.help"),
        Binding("f2", "settings", "Settings", id="app.settings", show=False),
        Binding("f3", "models", "Models", id="app.models", show=False),
        Binding("ctrl+o", "jump", "Jump", id="app.jump", show=False, tooltip="To a pane, by a key"),
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
        self._needs_models = opener is open_researcher
        self.plain_filters: list[LineFilter] = [] if terminal_shows_unicode() else [AsciiFilter()]
        """Put what is drawn into signs that the terminal has."""

    @property
    def runs(self) -> RunStore:
        return open_runs(self.settings)

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *self.plain_filters]

    def get_default_screen(self) -> Screen[Any]:
        return AskScreen()

    def on_mount(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        self.apply_settings(self.settings)
        self.set_interval(_POLL_SECONDS, self._poll)
        if self._open_run is not None:
            self.open_run(self._open_run)
        elif self._needs_models and missing_models(self.settings):
            self.push_screen(ModelsScreen(first=True))

    def apply_settings(self, settings: Settings) -> None:
        """Take other settings into use: colours and keys now, the rest with the next question."""
        self.settings = settings
        if settings.theme in self.available_themes:
            self.theme = settings.theme
        else:
            self.notify(f"there is no theme {settings.theme!r}", severity="warning", markup=False)
        keymap, problems = usable_keymap(settings.keymap)
        self.set_keymap(keymap)
        if problems:
            self.notify(
                "\n".join(problems),
                title="Keys that cannot be used",
                severity="warning",
                markup=False,
            )

    def ask(self, question: str, wishes: Wishes, limits: Limits, *, hold: bool = False) -> OpenRun:
        """Research ``question`` and show how it goes; with ``hold`` it pauses at its plan."""

        async def start(researcher: Researcher, feed: RunFeed) -> Report:
            return await researcher.run(question, **_options(feed, limits))

        run = OpenRun(wishes, question, limits=limits)
        return self._begin(run, start, hold=hold)

    def tabulate(self, query: str, columns: TableWishes, wishes: Wishes, limits: Limits) -> OpenRun:
        """Find the table that ``query`` asks for and show how it fills."""

        async def start(researcher: Researcher, feed: RunFeed) -> Report:
            return await researcher.tabulate(query, columns, **_options(feed, limits))

        return self._begin(OpenRun(wishes, query, limits=limits, as_table=True), start)

    def follow_up(self, earlier: OpenRun, question: str) -> OpenRun:
        """Ask another question, of the pages of a run first."""
        limits = earlier.limits

        async def start(researcher: Researcher, feed: RunFeed) -> Report:
            run_id = earlier.view.run_id
            return await researcher.follow_up(run_id, question, **_options(feed, limits))

        return self._begin(OpenRun(earlier.wishes, question, limits=limits), start)

    def resume(self, run: OpenRun) -> None:
        """Go on with a run from where it was stopped."""

        async def start(researcher: Researcher, feed: RunFeed) -> Report:
            options = _options(feed, run.current_limits)
            return await researcher.resume(run.view.run_id, **options)

        self._start(run, start)

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

    def action_sessions(self) -> None:
        """Show the runs that are kept."""
        self._bring(SessionsScreen)

    def action_settings(self) -> None:
        """Show every setting."""
        self._bring(SettingsScreen)

    def action_models(self) -> None:
        """Show which models are here, and bring others."""
        self._bring(ModelsScreen)

    def action_help(self) -> None:
        """Say what keys do on the screen in front."""
        if not isinstance(self.screen, HelpScreen):
            title = self.screen.BINDING_GROUP_TITLE or type(self.screen).__name__
            self.push_screen(HelpScreen(title, bindings_in_force(self.screen)))

    @work(exclusive=True, group="jump")
    async def action_jump(self) -> None:
        """Put a key over everything that can have the focus."""
        screen = self.screen
        if isinstance(screen, JumpScreen):
            return
        target = await self.push_screen_wait(JumpScreen.over(screen))
        if target is not None:
            target.focus()

    def _bring(self, kind: type[Screen[Any]]) -> None:
        """Show a screen of this kind: the one that is open, or a new one."""
        for screen in self.screen_stack:
            if isinstance(screen, kind):
                while self.screen is not screen:
                    self.pop_screen()
                return
        self.push_screen(kind())

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
        yield PaletteCommand("sessions: show", "Runs that are kept", self.action_sessions)
        yield PaletteCommand("settings: show", "Change a setting or a key", self.action_settings)
        yield PaletteCommand("models: show", "Bring models here", self.action_models)
        yield PaletteCommand("help: keys", "What keys do on this screen", self.action_help)
        yield PaletteCommand("view: jump", "To a pane, by a key", self.action_jump)
        yield PaletteCommand("view: choose colours", "Change the theme", self.search_themes)
        yield PaletteCommand("leadline: quit", "A run under way can be resumed", self.action_quit)

    def _begin(self, run: OpenRun, start: Start, *, hold: bool = False) -> OpenRun:
        self._start(run, start, hold=hold)
        self.open_runs.append(run)
        self.show(run)
        return run

    def _start(self, run: OpenRun, start: Start, *, hold: bool = False) -> None:
        run.begin(self.research.start(run.wishes, start, hold=hold))

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


def _options(feed: RunFeed, limits: Limits) -> RunOptions:
    return RunOptions(
        limits=limits,
        cancel=feed.cancel,
        on_event=feed.tell,
        progress=feed.progress,
        steering=feed.steering,
        clarify=feed.clarify,
    )
