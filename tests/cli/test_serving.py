"""Commands that serve others."""

from __future__ import annotations

import pytest

from leadline.cli.main import run


def test_beyond_this_machine_a_key_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["api", "--host", "0.0.0.0"]) == 2
    assert "LEADLINE_API_KEY" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["api", "mcp"])
def test_a_wrong_setting_is_said_before_anything_is_served(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADLINE_CONTEXT_TOKENS", "few")
    assert run([command]) == 2
    assert "LEADLINE_CONTEXT_TOKENS" in capsys.readouterr().err
