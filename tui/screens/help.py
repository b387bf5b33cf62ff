"""What the keys do here and now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

_KEY_CELLS = 16


class HelpScreen(ModalScreen[None]):
    """The bindings in force on the screen below, remapped ones as they are remapped."""

    BINDING_GROUP_TITLE = "Help"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back", id="help.leave"),
    ]

    def __init__(self, title: str, bindings: Mapping[str, list[tuple[str, str]]]) -> None:
        super().__init__()
        self._title, self._meanings = title, bindings

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", id="help"):
            yield Static(Content("\n").join(list(self._lines())), markup=False)
        yield Footer(show_command_palette=False)

    def _lines(self) -> Iterator[Content]:
        yield Content.styled(f"Keys: {self._title}", "bold")
        for where, bindings in self._meanings.items():
            yield Content("")
            yield Content.styled(where, "$text-accent bold")
            for keys, meaning in bindings:
                yield Content.assemble((f"{keys:<{_KEY_CELLS}} ", "bold"), meaning)
        yield Content("")
        yield Content.styled(
            "The command palette offers all of this by name. Keys are changed in the "
            "settings, under keymap.",
            "$text-muted",
        )
