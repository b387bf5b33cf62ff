"""Every setting, made from the schema: its value, where it comes from, and what it means."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import DataTable, Footer, Input, Label

from ...errors import LeadlineError
from ...runtime.catalogue_entries import CATALOGUE
from ...safe_text import safe_line
from ...setting_origins import DEFAULT, SettingValue, setting_values
from ...setting_writing import write_setting
from ...settings import Settings, load_settings
from ..commands import PaletteCommand
from ..keys import key_bindings
from .dialogs import ChoiceDialog
from .problems import show_problem

if TYPE_CHECKING:
    from ..app import LeadlineApp

_VALUE_CHARACTERS = 30
_ORIGIN_CHARACTERS = 40


class SettingsScreen(Screen[None]):
    """Changes are checked one by one and written to the user's own file."""

    BINDING_GROUP_TITLE = "Settings"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back", id="settings.leave"),
        Binding("delete,d", "reset", "Default", id="settings.reset", tooltip="Take it back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._values: dict[str, SettingValue] = {}

    @property
    def _table(self) -> DataTable[Text]:
        return cast("DataTable[Text]", self.query_one(DataTable))

    def compose(self) -> ComposeResult:
        yield DataTable(id="settings", cursor_type="row")
        yield Label(id="setting-description", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        for key, label, width in (("name", "Setting", 16), ("value", "Value", 30)):
            self._table.add_column(label, key=key, width=width)
        self._table.add_column("From", key="origin")
        self._table.focus()
        self._load()

    @work(exclusive=True, group="settings")
    async def _load(self) -> None:
        try:
            values = await asyncio.to_thread(setting_values)
        except LeadlineError as error:
            show_problem(self.app, error)
            return
        if not self.query(DataTable):  # the screen was left meanwhile
            return
        row = max(self._table.cursor_row, 0)
        self._values = {value.name: value for value in values}
        self._table.clear()
        for value in values:
            self._table.add_row(
                Text(value.name),
                Text(safe_line(as_text(value.value), _VALUE_CHARACTERS) or "–"),
                Text(safe_line(_short(value.origin), _ORIGIN_CHARACTERS)),
                key=value.name,
            )
        self._table.move_cursor(row=row)
        self._describe()

    @property
    def _chosen(self) -> SettingValue | None:
        if not self._table.is_valid_row_index(self._table.cursor_row):
            return None
        return self._values.get(self._table.ordered_rows[self._table.cursor_row].key.value or "")

    @on(DataTable.RowHighlighted)
    def _describe(self) -> None:
        value = self._chosen
        text = ""
        if value is not None:
            text = value.description
            if value.overridden:
                text += f" Also set in {', '.join(value.overridden)}, which does not count."
        self.query_one("#setting-description", Label).update(text)

    @on(DataTable.RowSelected)
    def _edit(self) -> None:
        if (value := self._chosen) is not None:
            self._change(value)

    @work
    async def _change(self, value: SettingValue) -> None:
        """Ask for another value; where few are sensible, by a list."""
        choices = self._choices(value)
        if choices:
            title = f"{value.name}: {value.description}"
            chosen = await self.app.push_screen_wait(ChoiceDialog(title, choices))
            if chosen is None:
                return
            if chosen != _OTHER:
                try:
                    await asyncio.to_thread(write_setting, value.name, chosen)
                except LeadlineError as error:
                    show_problem(self.app, error)
                    return
                self._written(value)
                return
        if await self.app.push_screen_wait(SettingDialog(value)):
            self._written(value)

    def _choices(self, value: SettingValue) -> Sequence[tuple[str, str]]:
        if value.name == "theme":
            return [(name, name) for name in sorted(self.app.available_themes)]
        if Settings.model_fields[value.name].annotation is bool:
            return [("true", "yes"), ("false", "no")]
        kind = {"model": "generator", "reader": "generator", "embedder": "embedder"}.get(value.name)
        if kind is None:
            return []
        models = [(e.id, f"{e.id}  {e.description}") for e in CATALOGUE.values() if e.kind == kind]
        none = [] if value.name == "model" else [("none", "none")]
        return [*models, *none, (_OTHER, "something else …")]

    def action_reset(self) -> None:
        """Take the setting out of the user's file."""
        if (value := self._chosen) is not None:
            self._reset(value)

    @work
    async def _reset(self, value: SettingValue) -> None:
        try:
            await asyncio.to_thread(write_setting, value.name, None)
        except LeadlineError as error:
            show_problem(self.app, error)
            return
        self._written(value)

    def _written(self, value: SettingValue) -> None:
        """Take the settings into use as they are now."""
        try:
            cast("LeadlineApp", self.app).apply_settings(load_settings())
        except LeadlineError as error:
            show_problem(self.app, error)
        if value.origin.startswith("LEADLINE_") or value.origin.endswith(
            ("leadline.toml", "pyproject.toml")
        ):
            self.notify(
                f"It is kept, but {value.origin} sets it, too, and wins",
                severity="warning",
                markup=False,
            )
        self._load()

    def palette_commands(self) -> Iterable[PaletteCommand]:
        if (value := self._chosen) is not None:
            yield PaletteCommand(f"setting: change {value.name}", value.description, self._edit)
            yield PaletteCommand(
                f"setting: reset {value.name}", "Back to its default", self.action_reset
            )


_OTHER = "\x00other"


class SettingDialog(ModalScreen[bool]):
    """Takes a setting's value as text; it is written only if the setting can take it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(False)", "Back", id="setting.leave")
    ]

    def __init__(self, value: SettingValue) -> None:
        super().__init__()
        self._value = value

    def compose(self) -> ComposeResult:
        text = "" if self._value.secret else as_text(self._value.value)
        with Vertical(classes="dialog"):
            yield Label(self._value.name, classes="dialog-title", markup=False)
            yield Label(self._value.description, classes="hint dialog-text", markup=False)
            if self._value.name == "keymap":
                ids = ", ".join(binding.id for binding in key_bindings())
                yield Label(f"Actions: {ids}", classes="hint dialog-text", markup=False)
            yield Input(text, password=self._value.secret, id="setting-value")
            yield Label(id="setting-problem", markup=False)
            yield Label("enter keeps it · empty takes the default", classes="hint")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Submitted)
    async def _accept(self, event: Input.Submitted) -> None:
        try:
            await asyncio.to_thread(write_setting, self._value.name, event.value.strip() or None)
        except LeadlineError as error:
            self.query_one("#setting-problem", Label).update(safe_line(error.problem))
            return
        self.dismiss(True)


def as_text(value: object) -> str:
    """A setting's value as it would stand in its environment variable."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        plain = all("," not in f"{k}{v}" for k, v in value.items())
        return ", ".join(f"{k}={v}" for k, v in value.items()) if plain else json.dumps(value)
    return str(value)


def _short(origin: str) -> str:
    """A file by its name alone."""
    return origin if origin == DEFAULT else origin.rpartition("/")[2]
