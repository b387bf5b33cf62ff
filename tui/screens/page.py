"""A page with the words that were found in it; from one quote to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, Static

from ...errors import LeadlineError
from ...evidence import Evidence, Page
from ...runtime.heatmap import HeadMap
from ...runtime.heatmap_view import Strengths, row_name, words_of
from ...safe_text import safe_line
from ..commands import PaletteCommand
from ..places import Place
from ..widgets.page_text import SHADES, PageText, Shaded
from .problems import show_problem

Load = Callable[[str], Page]
"""The page with an id. Blocks."""
Look = Callable[[str, Page, Sequence[Evidence]], Awaitable[HeadMap]]
"""What the reader looks at in a page for a question."""


class PageScreen(Screen[None]):
    """Shows the page of one place after the other."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "Back", id="page.back"),
        Binding("n", "go(1)", "Next quote", id="page.next"),
        Binding("p", "go(-1)", "Previous", id="page.previous"),
        Binding("h", "heat", "Attention", id="page.heat"),
        Binding(
            "left_square_bracket", "head(-1)", "Head before", id="page.head_before", show=False
        ),
        Binding("right_square_bracket", "head(1)", "Next head", id="page.next_head", show=False),
        Binding("c", "copy", "Copy quote", id="page.copy"),
        Binding("home", "to_quote", "To the quote", id="page.to_quote", show=False),
    ]

    def __init__(self, places: Sequence[Place], *, load: Load, look: Look, at: int = 0) -> None:
        super().__init__()
        self._places, self._at = list(places), at
        self._load, self._look = load, look
        self._page: Page | None = None
        self._head_map: HeadMap | None = None
        self._row = 0
        self._heated = False

    def compose(self) -> ComposeResult:
        yield Static(id="page-title", markup=False)
        yield Static(id="page-place", markup=False)
        yield PageText(id="page-text")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one(PageText).focus()
        self._open()

    @property
    def _place(self) -> Place:
        return self._places[self._at]

    @work(exclusive=True, group="page")
    async def _open(self) -> None:
        place = self._place
        self._head_map, self._heated, self._row = None, False, 0
        self._say(place)
        try:
            self._page = page = await asyncio.to_thread(self._load, place.page_id)
        except LeadlineError as error:
            show_problem(self.app, error)
            if place.span is not None:
                self.query_one(PageText).show(place.span.quote, (0, len(place.span.quote)))
            return
        span = place.span
        self.query_one(PageText).show(page.text, (span.start, span.end) if span else None)

    def _say(self, place: Place, state: str = "") -> None:
        number = f"{self._at + 1} of {len(self._places)} · " if len(self._places) > 1 else ""
        sheet = f" · page {place.sheet}" if place.sheet else ""
        title = safe_line(place.title or place.url)
        self.query_one("#page-title", Static).update(f"{number}{title}{sheet}")
        self.query_one("#page-place", Static).update(state or safe_line(place.url))

    def action_go(self, step: int) -> None:
        if len(self._places) > 1:
            self._at = (self._at + step) % len(self._places)
            self._open()

    def action_to_quote(self) -> None:
        self.query_one(PageText).scroll_to_quote()

    def action_copy(self) -> None:
        if self._place.span is not None:
            self.app.copy_to_clipboard(self._place.span.quote)
            self.notify("The quote is copied")

    def action_heat(self) -> None:
        """Shade the words by the reader's attention, or take the shading away."""
        if self._heated:
            self._heated = False
            self.query_one(PageText).shade(())
            self._say(self._place)
        elif self._head_map is not None:
            self._shade(self._head_map)
        elif self._page is not None and self._place.question:
            self._find_heat(self._page, self._place)
        else:
            self.notify("There is no question that this page was read for")

    @work(exclusive=True, group="page")
    async def _find_heat(self, page: Page, place: Place) -> None:
        self._say(place, "Reading once more to see what is looked at …")
        span = place.span
        evidence = [Evidence(span=span, score=1.0, question=place.question)] if span else []
        try:
            self._head_map = await self._look(place.question, page, evidence)
        except LeadlineError as error:
            self._say(place)
            show_problem(self.app, error)
            return
        self._shade(self._head_map)

    def action_head(self, step: int) -> None:
        if self._head_map is not None and self._heated:
            self._row = (self._row + step) % len(self._head_map.rows)
            self._shade(self._head_map)

    def _shade(self, head_map: HeadMap) -> None:
        self._heated = True
        words = words_of(head_map)
        strengths = Strengths(words)
        shaded = []
        for word in words:
            shade = round(strengths.of(word)[self._row] * SHADES)
            if shade:
                shaded.append(Shaded(word.start, word.end, shade))
        self.query_one(PageText).shade(shaded)
        name = row_name(head_map.rows[self._row])
        self._say(self._place, f"Attention of {name} · [ and ] change the head, h ends it")

    def palette_commands(self) -> Iterable[PaletteCommand]:
        yield PaletteCommand("page: next quote", "", lambda: self.action_go(1))
        yield PaletteCommand("page: show attention", "Shade words", self.action_heat)
        yield PaletteCommand("page: copy the quote", "", self.action_copy)
