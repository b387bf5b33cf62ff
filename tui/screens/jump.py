"""Jump mode: a key over everything that can have the focus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Label

_KEYS = "asdfghjklqwertyuiopzxcvbnm123456789"


class JumpScreen(ModalScreen[Widget | None]):
    """Returns what was jumped to; any other key leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back", id="jump.leave", show=False)
    ]

    def __init__(self, targets: Mapping[str, Widget]) -> None:
        super().__init__()
        self._targets = targets

    @classmethod
    def over(cls, screen: Screen[object]) -> JumpScreen:
        """With a key for each widget of ``screen`` that is in sight and takes the focus."""
        in_sight = [
            widget
            for widget in screen.focus_chain
            if widget.is_on_screen and widget.visible and widget.region.area
        ]
        return cls(dict(zip(_KEYS, in_sight, strict=False)))

    def compose(self) -> ComposeResult:
        for key, widget in self._targets.items():
            label = Label(key, classes="jump-key", markup=False)
            label.styles.offset = widget.region.offset
            yield label

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        self.dismiss(self._targets.get(event.character or ""))
