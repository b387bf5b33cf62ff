from pathlib import Path

import pytest

from leadline.cli.demo import write_language_reference
from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run


def test_the_language_reference_is_written_once(tmp_path: Path) -> None:
    folder = write_language_reference(tmp_path / "reference")
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(times) > 50
    assert '"else" clause is executed' in (folder / "compound.rst").read_text()
    write_language_reference(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times


def test_without_a_model_the_demo_says_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo"]) == ExitCode.UNAVAILABLE
    assert "leadline models pull" in capsys.readouterr().err
