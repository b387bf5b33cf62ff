from __future__ import annotations

from textual.widgets import Input

from leadline.tui.keys import key_bindings, usable_keymap
from leadline.tui.screens.jump import JumpScreen

from .conftest import idle_app, screen_text, until


def test_every_binding_of_the_application_has_an_id_of_its_own() -> None:
    ids = [binding.id for binding in key_bindings()]
    assert {"app.quit", "sessions.delete", "run.copy", "settings.reset"} <= set(ids)
    assert len(ids) == len(set(ids))


def test_a_conflict_is_named_and_not_taken() -> None:
    usable, problems = usable_keymap({"sessions.delete": "x", "sessions.rename": "f8"})
    assert usable == {"sessions.rename": "f8"}
    assert problems == ["sessions.delete and sessions.export have the same key 'x'"]


def test_two_actions_may_swap_their_keys() -> None:
    swapped = {"sessions.rename": "m", "sessions.mark": "n"}
    assert usable_keymap(swapped) == (swapped, [])


def test_an_unknown_action_is_named_with_the_nearest() -> None:
    usable, problems = usable_keymap({"app.quitt": "f9", "app.help": " "})
    assert usable == {}
    assert problems == [
        "there is no action 'app.quitt'; did you mean app.quit?",
        "app.help is given no key",
    ]


async def test_jump_mode_reaches_a_pane_by_a_key() -> None:
    app = idle_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(app.screen, JumpScreen))
        assert isinstance(app.screen, JumpScreen)
        targets = app.screen._targets
        key = next(k for k, widget in targets.items() if widget.id == "folder")
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.focused, Input) and app.focused.id == "folder")
        assert "What would you like to know?" in screen_text(app)
