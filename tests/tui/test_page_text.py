from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static

from leadline.tui.widgets.page_text import PageText, Shaded

LINES = [f"line {number} of a long page, with words to fill it" for number in range(500)]
TEXT = "\n".join(LINES)


class Shown(App[None]):
    def compose(self) -> ComposeResult:
        yield PageText()


def drawn(app: App[None]) -> list[str]:
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).strip() for strip in strips]


async def test_a_long_page_opens_at_its_quote() -> None:
    app = Shown()
    async with app.run_test(size=(60, 20)) as pilot:
        start = TEXT.index(LINES[400])
        app.query_one(PageText).show(TEXT, (start, start + len(LINES[400])))
        await pilot.pause(0.2)
        assert any(line.startswith(LINES[400]) for line in drawn(app))


async def test_a_line_is_broken_before_the_scroll_bar() -> None:
    app = Shown()
    async with app.run_test(size=(40, 10)) as pilot:
        app.query_one(PageText).show("word " * 500, None)
        await pilot.pause(0.2)
        assert {len(line.rstrip("▁▂▃▄▅▆▇█ ")) % 5 for line in drawn(app)} == {4}


async def test_shaded_words_are_drawn_apart() -> None:
    app = Shown()
    async with app.run_test(size=(60, 10)) as pilot:
        page = app.query_one(PageText)
        page.show("some words here", None)
        page.shade([Shaded(5, 10, 4)])
        await pilot.pause(0.2)
        [strip] = app.screen._compositor.render_strips()[:1]
        [word] = [segment for segment in strip if segment.text == "words"]
        assert word.style is not None and word.style.bgcolor is not None


class ShownLate(App[None]):
    """A text that is scrolled, above which a page is shown."""

    CSS = "PageText { height: 6; }"

    def compose(self) -> ComposeResult:
        yield Static("text\n" * 30)


async def test_a_page_that_is_filled_before_it_is_laid_out_hears_of_its_layout() -> None:
    app = ShownLate()
    told = []

    class Listening(PageText):
        def on_resize(self) -> None:
            told.append(self.outer_size.width)
            super().on_resize()

    async with app.run_test(size=(60, 10)) as pilot:
        app.screen.scroll_to(y=2, animate=False)
        await pilot.pause(0.1)
        page = Listening()
        await app.screen.mount(page, before=0)
        start = TEXT.index(LINES[400])
        page.show(TEXT, (start, start + len(LINES[400])))
        app.screen.scroll_home(animate=False)
        await pilot.pause(0.2)
        assert told == [58]
        assert any(line.startswith(LINES[400]) for line in drawn(app))
