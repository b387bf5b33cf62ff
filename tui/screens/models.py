"""The models that research needs: which are here, and bringing those that are not."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Label, ProgressBar

from ...cancellation import Cancellation
from ...errors import Cancelled, LeadlineError
from ...locations import locations
from ...runtime.catalogue import ModelState, model_state
from ...runtime.catalogue_entries import CATALOGUE, CatalogueEntry
from ...runtime.download import pull
from ...runtime.reader import FIRST_STAGE_IDS
from ...safe_text import safe_line
from ...settings import Settings
from ..commands import PaletteCommand
from ..run_feed import Amount
from .problems import show_problem

if TYPE_CHECKING:
    from ..app import LeadlineApp

_DRAW_SECONDS = 0.25


def needed_models(settings: Settings) -> dict[str, str]:
    """Models of the catalogue that the settings name, and what each is for."""
    named = {
        "" if settings.endpoint else settings.model: "writes",
        settings.embedder: "finds passages",
    }
    if settings.reader not in FIRST_STAGE_IDS:
        named[settings.reader] = "reads" if settings.reader not in named else "writes and reads"
    return {model: use for model, use in named.items() if model in CATALOGUE}


def missing_models(settings: Settings) -> list[str]:
    """Ids of needed models that are not wholly on this machine. Reads stamps only."""
    return [
        model
        for model in needed_models(settings)
        if model_state(CATALOGUE[model]).word in ("not here", "partial")
    ]


class ModelsScreen(Screen[None]):
    """Lists the catalogue, needed models first; pulls go on from where they were stopped.

    ``first``: it was not asked for, but nothing can be researched without it.
    """

    BINDING_GROUP_TITLE = "Models"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="models.leave"),
        Binding("p", "pull_missing", "Pull what is missing", id="models.missing"),
        Binding("s", "stop", "Stop", id="models.stop"),
    ]

    def __init__(self, *, first: bool = False) -> None:
        super().__init__()
        self._first = first
        self._cancel: Cancellation | None = None
        self._amount: tuple[str, Amount] | None = None
        self._note = ""

    @property
    def _settings(self) -> Settings:
        return cast("LeadlineApp", self.app).settings

    @property
    def _table(self) -> DataTable[Text]:
        return cast("DataTable[Text]", self.query_one(DataTable))

    def compose(self) -> ComposeResult:
        yield Label(id="models-title", markup=False)
        yield DataTable(id="models", cursor_type="row")
        yield ProgressBar(id="models-progress")
        yield Label(id="models-note", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        columns = (("id", "Model", 23), ("size", "Size", 9), ("state", "State", 12))
        for key, label, width in columns:
            self._table.add_column(label, key=key, width=width)
        self._table.add_column("What for", key="use")
        self._table.focus()
        self._list()
        self.set_interval(_DRAW_SECONDS, self._draw)
        self._draw()

    def on_unmount(self) -> None:
        self.action_stop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "stop":
            return self._cancel is not None
        if action == "pull_missing":
            return self._cancel is None and bool(missing_models(self._settings))
        return True

    def _entries(self) -> list[CatalogueEntry]:
        needed = needed_models(self._settings)
        return [CATALOGUE[model] for model in needed] + [
            entry for entry in CATALOGUE.values() if entry.id not in needed
        ]

    def _list(self) -> None:
        needed = needed_models(self._settings)
        row = max(self._table.cursor_row, 0)
        self._table.clear()
        for entry in self._entries():
            state = model_state(entry)
            use = needed.get(entry.id)
            self._table.add_row(
                Text(entry.id),
                Text(megabytes(entry.bytes or state.total)),
                Text(state_words(state)),
                Text(use or entry.description),
                key=entry.id,
            )
        self._table.move_cursor(row=row)
        self.query_one("#models-title", Label).update(self._title())
        self.refresh_bindings()

    def _title(self) -> str:
        missing = missing_models(self._settings)
        if not missing:
            return "Every model that the settings name is here"
        states = [(CATALOGUE[model], model_state(CATALOGUE[model])) for model in missing]
        to_come = sum((entry.bytes or 0) - state.done for entry, state in states)
        welcome = "Welcome. " if self._first else ""
        return (
            f"{welcome}{len(missing)} of the models that research needs are not here: "
            f"{megabytes(to_come)} to fetch, {megabytes(_free())} free"
        )

    def _draw(self) -> None:
        bar = self.query_one(ProgressBar)
        bar.display = self._cancel is not None
        if self._amount is not None and self._cancel is not None:
            task, amount = self._amount
            bar.update(total=amount.total, progress=amount.done)
            self._note = f"{task}: {megabytes(amount.done)} of {megabytes(amount.total)}"
        note = self._note or f"enter pulls a model · they are kept in {locations().models}"
        self.query_one("#models-note", Label).update(safe_line(note))

    @on(DataTable.RowSelected)
    def _chosen(self, event: DataTable.RowSelected) -> None:
        model = event.row_key.value
        if model is not None and self._cancel is None:
            self._pull([model])

    def action_pull_missing(self) -> None:
        self._pull(missing_models(self._settings))

    def action_stop(self) -> None:
        """Stop fetching; what is there is kept."""
        if self._cancel is not None:
            self._cancel.cancel()

    def action_leave(self) -> None:
        self.dismiss()

    @work(exclusive=True, group="pull")
    async def _pull(self, models: list[str]) -> None:
        self._cancel = cancel = Cancellation()
        self._note = "connecting"
        self.refresh_bindings()
        try:
            for model in models:
                await asyncio.to_thread(self._fetch, model, cancel)
                self._note = f"{model} is here"
        except Cancelled:
            self._note = "Stopped; pulling goes on from here"
        except LeadlineError as error:
            self._note = error.problem
            show_problem(self.app, error)
        finally:
            self._cancel = self._amount = None
            if self.query(DataTable):  # the screen may have been left meanwhile
                self._list()
                self._draw()
        if self._first and self.is_attached and not missing_models(self._settings):
            self.notify("The models are here: ask away")
            self.dismiss()

    def _fetch(self, model: str, cancel: Cancellation) -> None:
        """In a thread with a loop of its own: digests and disks keep no key waiting."""

        def progress(task: str, done: int, total: int | None, unit: str) -> None:
            self._amount = (task, Amount(done, total, unit))

        def note(message: str) -> None:
            self._note = message

        work = pull(model, locations=locations(), cancel=cancel, progress=progress, note=note)
        asyncio.run(work)

    def palette_commands(self) -> Iterable[PaletteCommand]:
        if self.check_action("pull_missing", ()):
            yield PaletteCommand(
                "models: pull what is missing",
                "Goes on from where it was",
                self.action_pull_missing,
            )
        if self._cancel is not None:
            yield PaletteCommand("models: stop", "What is there is kept", self.action_stop)


def state_words(state: ModelState) -> str:
    if state.word == "partial" and state.total:
        return f"{100 * state.done // state.total} % here"
    return {
        "ready": "here",
        "unchecked": "unchecked",
        "partial": "in part",
        "not here": "not here",
    }[state.word]


def megabytes(count: int | None) -> str:
    if count is None:
        return "?"
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


def _free() -> int | None:
    """Bytes free where models are kept; None if the disk does not say."""
    folder: Path = locations().models
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
