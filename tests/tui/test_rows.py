from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.containers import Container

from leadline.tui.widgets.report_view import ReportView
from leadline.tui.widgets.rows import RowList

from ..kept_runs import keep_run
from .conftest import idle_app, until, until_shown


class Lists(App[None]):
    """One list, out of sight at first, as in a tab."""

    CSS = "Container { padding: 0 3; display: none; } RowList { scrollbar-size-vertical: 1; }"

    def compose(self) -> ComposeResult:
        with Container():
            yield RowList()


async def test_a_list_knows_its_width_before_it_is_laid_out_and_after() -> None:
    app = Lists()
    async with app.run_test(size=(60, 10)) as pilot:
        rows = app.query_one(RowList)
        before = rows.row_width
        app.query_one(Container).display = True
        await pilot.pause()
        assert before == rows.row_width == rows.scrollable_content_region.width > 50


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_the_lists_of_a_run_know_their_width_in_tabs_that_were_never_in_front(
    size: tuple[int, int],
) -> None:
    keep_run("When was the harbour opened?", status=None)
    app = idle_app()
    async with app.run_test(size=size) as pilot:
        await pilot.press("ctrl+r")
        await until_shown(pilot, "When was the harbour opened?")
        await pilot.press("enter")
        await until(pilot, lambda: bool(app.screen.query(ReportView)))
        report = app.screen.query_one(ReportView)
        before = report.row_width
        assert report.outer_size.width == 0
        await pilot.press("2")
        await until(pilot, lambda: report.outer_size.width > 0)
        assert before == report.row_width > 40
