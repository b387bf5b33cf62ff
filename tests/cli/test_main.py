from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import leadline
from leadline import errors
from leadline.cli.exit_codes import ExitCode, exit_code_for
from leadline.cli.main import run

HEAVY = {"torch", "llama_cpp", "chromadb", "langgraph", "textual", "transformers", "pydantic"}


def heavy_modules_after(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint(' '.join(sys.modules), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return HEAVY & {name.partition(".")[0] for name in done.stderr.split()}


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert heavy_modules_after("import leadline") == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = f"from leadline.cli.main import run; assert run({arguments!r}) == 0"
    assert heavy_modules_after(code) == set()


def test_public_names_exist_and_are_listed() -> None:
    for name in leadline.__all__:
        assert getattr(leadline, name) is not None


def test_every_command_is_found_and_helps(capsys: pytest.CaptureFixture[str]) -> None:
    run(["--help"])
    listed = capsys.readouterr().out.partition("Commands:")[2]
    names = [line.split()[0] for line in listed.splitlines() if line[2:3].isalpha()]
    assert {"ask", "corpus", "doctor", "fetch", "models", "runs"} <= set(names)
    for name in names:
        assert run([name, "--help"]) == ExitCode.OK
        assert "Usage: leadline" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError("x"), 2),
        (errors.MissingKey("x"), 2),
        (errors.InputError("x"), 2),
        (errors.EndpointError("x"), 3),
        (errors.DownloadError("x"), 3),
        (errors.ModelMissing("x"), 3),
        (errors.OutputInvalid("x"), 1),
        (errors.RunError("x"), 1),
        (errors.BudgetExceeded("x"), 4),
        (errors.Cancelled("x"), 130),
    ],
)
def test_each_error_has_its_exit_code(error: errors.LeadlineError, code: int) -> None:
    assert exit_code_for(error) == code


def test_an_error_is_one_line_with_its_remedy() -> None:
    error = errors.ModelCorrupt("the file\nis cut off.", remedy="pull it again.")
    assert str(error) == "the file is cut off: pull it again"


def test_a_closed_stdout_is_no_error(tmp_path: Path) -> None:
    program = f"{sys.executable} -m leadline --help | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == ""
