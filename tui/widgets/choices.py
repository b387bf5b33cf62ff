"""Things to choose from; what is chosen can be told without colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList

from ...safe_text import safe_line
from .rows import Row, RowList


class Choices(RowList):
    """Any number of things, or with ``one`` exactly one of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "select", "Choose", id="choices.choose", show=False)
    ]

    class Changed(Message):
        """Something else is chosen."""

        def __init__(self, choices: Choices) -> None:
            super().__init__()
            self.choices = choices

        @property
        def control(self) -> Choices:
            return self.choices

    def __init__(
        self, choices: Sequence[tuple[str, str]], *, chosen: Sequence[str], one: bool, id: str
    ) -> None:
        """``choices`` are ids and what they say."""
        super().__init__(id=id)
        self._choices, self._one = list(choices), one
        self.chosen = list(chosen)

    def on_mount(self) -> None:
        self._draw()

    def offer(self, choices: Sequence[tuple[str, str]]) -> None:
        """Other things to choose from; what was chosen of them stays so."""
        self._choices = list(choices)
        self.chosen = [each for each in self.chosen if each in dict(choices)]
        self._draw()

    @on(OptionList.OptionSelected)
    def _toggle(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        choice = event.option_id
        if choice is None:
            return
        if self._one:
            self.chosen = [choice]
        elif choice in self.chosen:
            self.chosen.remove(choice)
        else:
            self.chosen.append(choice)
        self._draw()
        self.post_message(self.Changed(self))

    def _draw(self) -> None:
        on_sign, off_sign = ("(•)", "( )") if self._one else ("[x]", "[ ]")
        self.show(
            [
                Row(
                    Content(f"{on_sign if choice in self.chosen else off_sign} {safe_line(says)}"),
                    choice,
                )
                for choice, says in self._choices
            ]
        )
