"""A run: its plan, its searchers, its report, while it goes on and afterwards."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, Static


class RunScreen(Screen[None]):
    """Shows one run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "Back", id="run.back")
    ]

    def __init__(self, run_id: str, *, resume: bool) -> None:
        super().__init__()
        self.run_id = run_id
        self._resume = resume

    @classmethod
    def of_kept(cls, run_id: str, *, resume: bool = False) -> RunScreen:
        """The screen of a run that is kept; ``resume`` goes on with it."""
        return cls(run_id, resume=resume)

    def compose(self) -> ComposeResult:
        yield Static(self.run_id)
        yield Footer()
