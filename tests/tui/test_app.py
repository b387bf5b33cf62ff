from __future__ import annotations

from leadline.settings import load_settings
from leadline.tui.app import LeadlineApp


async def test_the_first_screen_waits_for_a_question() -> None:
    app = LeadlineApp(load_settings())
    async with app.run_test(size=(80, 24)):
        assert app.screen.id is None
        assert app.focused is not None and app.focused.id == "question"
