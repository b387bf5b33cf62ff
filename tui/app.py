"""The terminal application: which screens there are, keys that work everywhere, colours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from ..agent.assembly import open_researcher
from ..agent.run_store import RunStore
from ..errors import LeadlineError
from ..locations import locations
from ..safe_text import safe_text
from ..settings import Settings
from .commands import OffersCommands, PaletteCommand
from .research_thread import OpenResearcher, ResearchThread
from .screens.ask import AskScreen
from .screens.run import RunScreen

_WIDTHS = [(0, "-narrow"), (110, "-wide")]
"""Classes of a screen by its width in columns."""


class LeadlineApp(App[None], inherit_bindings=False):
    """Leadline on a terminal. ``open_run`` is the id of a run to show first.

    ``opener`` makes the researcher that runs the questions.
    """

    TITLE = "Leadline"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    SCREENS: ClassVar[dict[str, Callable[[], Screen[Any]]]] = {"ask": AskScreen}
    HORIZONTAL_BREAKPOINTS = _WIDTHS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", "Quit", id="app.quit", priority=True),
        Binding("ctrl+n", "ask", "New question", id="app.ask", show=False),
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
        self._open_run = open_run

    @property
    def runs(self) -> RunStore:
        return RunStore(locations().runs)

    def on_mount(self) -> None:
        self.apply_settings(self.settings)
        self.push_screen("ask")
        if self._open_run is not None:
            self.open_run(self._open_run)

    def on_unmount(self) -> None:
        self.research.close()

    def apply_settings(self, settings: Settings) -> None:
        """Take other settings into use: colours and keys now, the rest with the next question."""
        self.settings = settings
        if settings.theme in self.available_themes:
            self.theme = settings.theme
        else:
            self.notify(f"there is no theme {settings.theme!r}", severity="warning")
        self.set_keymap(settings.keymap)

    def open_run(self, run_id: str, *, resume: bool = False) -> None:
        """Show a run that is kept; ``resume`` goes on with it."""
        self.push_screen(RunScreen.of_kept(run_id, resume=resume))

    def tell(self, error: LeadlineError) -> None:
        """Show what went wrong, and the remedy, without leaving the screen."""
        self.notify(
            safe_text(error.remedy or error.problem),
            title=safe_text(error.problem) if error.remedy else "",
            severity="error",
            timeout=10,
            markup=False,
        )

    def action_ask(self) -> None:
        """Go back to the question."""
        while len(self.screen_stack) > 2:
            self.pop_screen()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the command palette offers on ``screen``."""
        for command in (*self._commands(), *_commands_of(screen)):
            yield SystemCommand(command.name, command.help, command.run)

    def _commands(self) -> Iterator[PaletteCommand]:
        yield PaletteCommand("question: ask another", "Go to the first screen", self.action_ask)
        yield PaletteCommand("view: choose colours", "Change the theme", self.search_themes)
        yield PaletteCommand("leadline: quit", "A run under way can be resumed", self.action_quit)


def _commands_of(screen: Screen[Any]) -> Iterable[PaletteCommand]:
    return screen.palette_commands() if isinstance(screen, OffersCommands) else ()
