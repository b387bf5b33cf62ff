"""What is built is what was checked out: a source distribution, and a wheel built from that alone."""

from __future__ import annotations

import subprocess
import sys
import tarfile
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


def test_the_wheel_runs_where_nothing_else_of_the_checkout_is(
    distributions: Distributions, tmp_path: Path
) -> None:
    with zipfile.ZipFile(distributions.wheel) as archive:
        archive.extractall(tmp_path / "site")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "import leadline; print(leadline.__file__)\n"
        "from leadline.cli.main import run; sys.exit(run(['--version']))"
    )
    # -S leaves out what makes the checkout importable; its packages are put back behind the wheel.
    packages = [path for path in sys.path if path.endswith("site-packages")]
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path += {packages!r}\n{program}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) in done.stdout.splitlines()[0]
    assert leadline.__version__ in done.stdout
