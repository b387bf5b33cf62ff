"""Small questions in front of a screen; each returns a typed answer, None where it was left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from ...agent.steering import Clarification
from ...budget import Limits
from ...safe_text import safe_line, safe_text
from ..widgets.question_area import QuestionArea

_LEAVE = Binding("escape", "dismiss(None)", "Back", id="dialog.leave")


class TextDialog(ModalScreen[str | None]):
    """Asks for a text."""

    BINDINGS: ClassVar[list[BindingType]] = [_LEAVE]

    def __init__(self, title: str, text: str = "") -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self._title, classes="dialog-title", markup=False)
            yield QuestionArea(self._text, id="dialog-text")
            yield Label("enter accepts · ctrl+j begins a new line", classes="hint")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        area = self.query_one(QuestionArea)
        area.move_cursor(area.document.end)

    @on(QuestionArea.Submitted)
    def _accept(self, event: QuestionArea.Submitted) -> None:
        if event.text.strip():
            self.dismiss(event.text.strip())


class ChoiceDialog(ModalScreen[str | None]):
    """Asks for one of several things, by its id."""

    BINDINGS: ClassVar[list[BindingType]] = [_LEAVE]

    def __init__(self, title: str, choices: Sequence[tuple[str, str]]) -> None:
        """``choices`` are ids and what they say."""
        super().__init__()
        self._title, self._choices = title, choices

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(safe_line(self._title), classes="dialog-title", markup=False)
            yield OptionList(
                *(Option(Content(text), choice) for choice, text in self._choices),
                compact=True,
                markup=False,
            )
        yield Footer(show_command_palette=False)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)


class ClarifyDialog(ModalScreen[str | None]):
    """Asks which reading of the question is meant; None leaves it to the run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Go on as it is", id="clarify.leave")
    ]

    def __init__(self, clarification: Clarification) -> None:
        super().__init__()
        self._clarification = clarification

    def compose(self) -> ComposeResult:
        choices = self._clarification.choices
        with Vertical(classes="dialog"):
            yield Label(
                safe_line(self._clarification.question), classes="dialog-title", markup=False
            )
            yield OptionList(
                *(Option(Content(safe_line(choice)), str(n)) for n, choice in enumerate(choices)),
                compact=True,
                markup=False,
            )
            yield Input(placeholder="or in other words", id="clarify-words")
        yield Footer(show_command_palette=False)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._clarification.choices[event.option_index])

    @on(Input.Submitted)
    def _said(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)


class BudgetDialog(ModalScreen[Limits | None]):
    """Asks for other limits; an empty field is no limit."""

    BINDINGS: ClassVar[list[BindingType]] = [_LEAVE]
    _FIELDS = (("seconds", "Seconds"), ("pages", "Pages"), ("tokens", "Tokens"))

    def __init__(self, limits: Limits, used: str) -> None:
        super().__init__()
        self._limits, self._used = limits, used

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label("How much may this run use?", classes="dialog-title")
            yield Label(self._used, classes="hint", markup=False)
            for name, label in self._FIELDS:
                value = getattr(self._limits, name)
                yield Label(label)
                yield Input(
                    "" if value is None else f"{value:g}",
                    placeholder="no limit",
                    type="integer",
                    id=f"budget-{name}",
                    compact=True,
                )
            yield Label("enter accepts", classes="hint")
        yield Footer(show_command_palette=False)

    @on(Input.Submitted)
    def _accept(self) -> None:
        given = {name: self.query_one(f"#budget-{name}", Input).value for name, _ in self._FIELDS}
        if all(not value or (value.isdecimal() and int(value) > 0) for value in given.values()):
            seconds, pages, tokens = (int(value) if value else None for value in given.values())
            money = self._limits.money
            self.dismiss(Limits(seconds=seconds, pages=pages, tokens=tokens, money=money))
        else:
            self.notify("Limits are whole numbers above 0, or empty", severity="warning")


class MessageDialog(ModalScreen[None]):
    """Says what went wrong, with all that is known of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "dismiss(None)", "Close", id="message.close"),
        Binding("c", "copy", "Copy", id="message.copy"),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, safe_text(text)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(safe_line(self._title), classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-text"):
                yield Static(self._text, markup=False)
        yield Footer(show_command_palette=False)

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._text)
        self.notify("Copied")
