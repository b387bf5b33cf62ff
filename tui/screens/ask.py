"""The first screen: a question, where to look, what is to come of it, how long."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Input, Label

from ...agent.assembly import Wishes
from ...agent.researcher import checked_question
from ...agent.tables.schema import TableWishes
from ...budget import Limits
from ...errors import InputError, LeadlineError
from ...locations import locations
from ...safe_text import safe_line
from ...tools.corpus_catalogue import CorpusCatalogue
from ...tools.page_store import PageStore
from ..widgets.choices import Choices
from ..widgets.question_area import QuestionArea
from ..widgets.rows import Row, RowList
from ..widgets.run_header import state_words
from .problems import show_problem

if TYPE_CHECKING:
    from ..app import LeadlineApp

WEB = "the web"
_MODES = (("report", "a report"), ("table", "a table"))
_QUESTION_CHARACTERS = 70


class AskScreen(Screen[None]):
    """Takes a question and starts its run."""

    BINDING_GROUP_TITLE = "Ask"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "ask", "Ask", id="ask.ask", tooltip="Enter in the question does so too"),
        Binding("escape", "question", "To the question", id="ask.question", show=False),
    ]

    @property
    def _leadline(self) -> LeadlineApp:
        return cast("LeadlineApp", self.app)

    def compose(self) -> ComposeResult:
        yield Label("What would you like to know?", id="ask-title")
        yield QuestionArea(id="question", placeholder="enter asks · ctrl+j begins a new line")
        with Horizontal(id="ask-options"):
            with Vertical(id="ask-where"):
                yield Label("Look in")
                yield Choices([(WEB, WEB)], chosen=[WEB], one=False, id="sources")
                yield Input(id="folder", placeholder="a folder, e.g. ./docs", compact=True)
            with Vertical(id="ask-what"):
                yield Label("Bring back")
                yield Choices(_MODES, chosen=["report"], one=True, id="mode")
                yield Input(id="columns", placeholder="its columns, if you know", compact=True)
                yield Choices([("hold", "show me the plan first")], chosen=[], one=False, id="hold")
                yield Input(
                    id="seconds", placeholder="seconds it may take", type="integer", compact=True
                )
        yield Label(id="ask-models", markup=False)
        yield RowList(id="under-way")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one(QuestionArea).focus()
        self.query_one("#columns").display = False
        self._list_sources()
        self.set_interval(1.0, self._draw)

    def on_screen_resume(self) -> None:
        self._draw()
        self._list_sources()

    def _draw(self) -> None:
        settings = self._leadline.settings
        where = f" at {settings.endpoint}" if settings.endpoint else ""
        reads = "nothing reads" if settings.reader == "none" else f"{settings.reader} reads"
        self.query_one("#ask-models", Label).update(f"{settings.model} writes{where} · {reads}")
        rows = []
        for number, run in enumerate(self._leadline.open_runs):
            if run.under_way:
                words, colour = state_words(run)
                question = safe_line(run.view.question, _QUESTION_CHARACTERS)
                text = Content.assemble((f"{words}  ", colour), question)
                rows.append(Row(text, str(number)))
        runs = self.query_one("#under-way", RowList)
        runs.display = bool(rows)
        runs.show(rows)

    @work(exclusive=True, group="sources")
    async def _list_sources(self) -> None:
        """Corpora are looked up in a thread: their folder may be on a slow disk."""
        try:
            names = await asyncio.to_thread(_corpora)
        except LeadlineError as error:
            names = []
            show_problem(self.app, error)
        for sources in self.query("#sources").results(Choices):  # none once the screen is left
            sources.offer([(name, name) for name in (WEB, *names)])

    @on(Choices.Changed, "#mode")
    def _mode_changed(self) -> None:
        self.query_one("#columns").display = self._wants_table
        self.query_one("#hold").display = not self._wants_table

    @property
    def _wants_table(self) -> bool:
        return self.query_one("#mode", Choices).chosen == ["table"]

    @on(QuestionArea.Submitted)
    @on(Input.Submitted)
    def action_ask(self) -> None:
        """Begin the run, unless something is missing."""
        try:
            question = checked_question(self.query_one(QuestionArea).text)
            wishes, limits = self._wishes(), self._limits()
        except LeadlineError as error:
            show_problem(self.app, error)
            return
        if self._wants_table:
            columns = tuple(self.query_one("#columns", Input).value.split(","))
            named = tuple(column.strip() for column in columns if column.strip())
            self._leadline.tabulate(question, TableWishes(columns=named), wishes, limits)
        else:
            hold = bool(self.query_one("#hold", Choices).chosen)
            self._leadline.ask(question, wishes, limits, hold=hold)
        self.query_one(QuestionArea).clear()
        self.query_one(QuestionArea).focus()

    def action_question(self) -> None:
        self.query_one(QuestionArea).focus()

    @on(RowList.OptionSelected, "#under-way")
    def _run_chosen(self, event: RowList.OptionSelected) -> None:
        self._leadline.show(self._leadline.open_runs[int(event.option_id or 0)])

    def _wishes(self) -> Wishes:
        """Raises InputError: there is nowhere to look."""
        chosen = self.query_one("#sources", Choices).chosen
        folder = self.query_one("#folder", Input).value.strip()
        corpora = [name for name in chosen if name != WEB] + ([folder] if folder else [])
        if not chosen and not folder:
            raise InputError(
                "there is nowhere to look", remedy="choose the web, a corpus, a folder"
            )
        settings = self._leadline.settings
        return Wishes(settings, tuple(corpora), web=WEB in chosen, memory=settings.memory)

    def _limits(self) -> Limits:
        """Raises InputError: the seconds are no number above 0."""
        seconds = self.query_one("#seconds", Input).value.strip()
        if not seconds:
            return Limits(seconds=self._leadline.settings.seconds)
        if not seconds.isdecimal() or int(seconds) < 1:
            raise InputError(f"{seconds!r} is no number of seconds", remedy="leave it empty")
        return Limits(seconds=int(seconds))


def _corpora() -> list[str]:
    with closing(PageStore(locations().pages)) as store:
        return CorpusCatalogue(store=store).names()
