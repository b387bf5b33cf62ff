"""The first screen: a question, where to look, how long."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Footer, TextArea


class AskScreen(Screen[None]):
    """Takes a question and starts its run."""

    def compose(self) -> ComposeResult:
        yield TextArea(id="question")
        yield Footer()
