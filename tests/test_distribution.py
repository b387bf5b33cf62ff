"""What is built is what was checked out: a source distribution, and a wheel built from that alone.

The wheel is installed and run where nothing else of the checkout is.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import leadline

ROOT = Path(__file__).parent.parent
FOLDERS = ("agent", "tools", "runtime", "kernels", "tui", "evals")
BUILT = frozenset(["__pycache__", "lib"])
"""Folders that tools leave in a checkout."""


@dataclass(frozen=True)
class Distributions:
    wheel: Path
    sdist: Path

    def names_in_wheel(self) -> set[str]:
        with zipfile.ZipFile(self.wheel) as archive:
            return set(archive.namelist())

    def names_in_sdist(self) -> set[str]:
        """Without the folder that all of them lie in."""
        with tarfile.open(self.sdist) as archive:
            return {name.partition("/")[2] for name in archive.getnames()}


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel] = out.glob("*.whl")
    [sdist] = out.glob("*.tar.gz")
    return Distributions(wheel, sdist)


def shipped() -> Iterator[tuple[str, str]]:
    """Each file of the package: where it lies in the checkout, and where in a wheel."""
    roots = [(ROOT / folder, f"leadline/{folder}") for folder in FOLDERS]
    roots += [(ROOT / "src" / "leadline", "leadline")]
    for root, place in roots:
        # Links are not followed: what they lead to is a root of its own.
        for path in root.rglob("*"):
            inside = path.relative_to(root)
            if path.is_file() and not BUILT & {*inside.parts}:
                yield str(path.relative_to(ROOT)), f"{place}/{inside}"


def test_both_hold_every_file_of_the_package(distributions: Distributions) -> None:
    files = dict(shipped())
    kinds = {Path(name).suffix for name in files}
    assert {".py", ".typed", ".tcss", ".json", ".cpp"} <= kinds
    assert set(files) - distributions.names_in_sdist() == set()
    assert set(files.values()) - distributions.names_in_wheel() == set()


def test_the_wheel_installs_nothing_but_the_package(distributions: Distributions) -> None:
    tops = {name.partition("/")[0] for name in distributions.names_in_wheel()}
    assert tops == {"leadline", f"leadline-{leadline.__version__}.dist-info"}


@dataclass(frozen=True)
class Installed:
    """The wheel in an environment that has the packages of this one, but no checkout."""

    environment: Path
    empty: Path
    """Where its programmes run."""

    def run(self, program: str, *arguments: str) -> str:
        """What a programme of the environment prints."""
        done = subprocess.run(
            [str(self.environment / "bin" / program), *arguments],
            cwd=self.empty,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed") / "env"
    venv.create(folder, with_pip=False, symlinks=True)
    python = str(folder / "bin" / "python")
    install = ["install", "--quiet", "--no-deps", "--no-index", str(distributions.wheel)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, *install],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # The folder alone is named: the links in it that lead to a checkout are not followed.
    [site] = folder.glob("lib/python*/site-packages")
    site.joinpath("packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(folder, tmp_path_factory.mktemp("empty"))


def test_what_is_installed_is_what_runs(installed: Installed) -> None:
    program = (
        "import leadline, importlib.metadata as m; print(leadline.__file__, m.version('leadline'))"
    )
    place, version = installed.run("python", "-c", program).split()
    assert Path(place).is_relative_to(installed.environment)
    assert version == leadline.__version__


@pytest.mark.parametrize("command", [("leadline",), ("python", "-m", "leadline")])
def test_an_entry_point_says_the_version(installed: Installed, command: tuple[str, ...]) -> None:
    said = installed.run(*command, "--version")
    assert said == f"leadline, version {leadline.__version__}\n"


def test_what_is_installed_finds_its_data(installed: Installed) -> None:
    program = """
from importlib import resources
from leadline.evals import question_set, source_choice
from leadline.kernels.compiling import source_path
from leadline.runtime.heads import shipped_head_tables

package = resources.files("leadline")
assert package.joinpath("py.typed").is_file()
assert package.joinpath("tui", "app.tcss").read_text()
assert "leadline" in source_path().read_text()
assert source_choice.load().questions
print(*question_set.names(), *(table.model_id for table in shipped_head_tables()))
"""
    tables = [path.stem for path in sorted((ROOT / "runtime" / "head_tables").glob("*.json"))]
    assert installed.run("python", "-c", program).split() == ["sqlite-docs", *tables]


def test_what_is_installed_helps_quickly(installed: Installed) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "Usage: leadline" in installed.run("leadline", "--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Of the processor, not of the clock: a tenth of this is usual, and loading torch takes more.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1
