from __future__ import annotations

from .conftest import idle_app


async def test_the_first_screen_waits_for_a_question() -> None:
    app = idle_app()
    async with app.run_test(size=(80, 24)):
        assert app.focused is not None and app.focused.id == "question"
