"""Commands that serve others, and completion."""

from __future__ import annotations

import os
import subprocess
import sys

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


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"_LEADLINE_COMPLETE={shell}_complete" in script


def test_the_script_completes_commands() -> None:
    script = """
source <(leadline completion bash)
COMP_WORDS=(leadline conf)
COMP_CWORD=1
_leadline_completion leadline
echo "${COMPREPLY[@]}"
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"},
    )
    assert done.stdout.split() == ["config"], done.stderr
