from __future__ import annotations

from textual.app import App, ComposeResult
from textual.containers import Container

from leadline.tui.widgets.rows import RowList


class Lists(App[None]):
    """One list, out of sight at first, as in a tab."""

    CSS = "Container { padding: 0 3; display: none; } RowList { scrollbar-size-vertical: 1; }"

    def compose(self) -> ComposeResult:
        with Container():
            yield RowList()


async def test_a_list_knows_its_width_as_soon_as_it_is_laid_out() -> None:
    app = Lists()
    async with app.run_test(size=(60, 10)) as pilot:
        rows = app.query_one(RowList)
        assert rows.row_width == 20
        app.query_one(Container).display = True
        await pilot.pause()
        assert rows.row_width == rows.scrollable_content_region.width > 50
