"""Every example runs by itself, as a reader of it would run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_example_runs(script: str, home: Path) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LEADLINE_EMBEDDER": "none"},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "opened in 1902" in done.stdout
    assert "Traceback" not in done.stderr


def test_every_example_is_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    assert [script for script in SCRIPTS if f"`{script}`" not in listed] == []
