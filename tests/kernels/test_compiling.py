"""Compiling once, finding it again, and what is said when it cannot be done."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from leadline.errors import ReadingError
from leadline.kernels import compiling
from leadline.kernels.compiling import compiled_library, find_compiler
from leadline.kernels.library import Library


@pytest.fixture(autouse=True)
def compiler() -> str:
    found = find_compiler()
    if found is None:
        pytest.skip("there is no C++ compiler")
    return found


def script(folder: Path, name: str, body: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def counting(folder: Path, compiler: str) -> Path:
    """A compiler that writes a line for each of its runs, but not when asked for its version."""
    log = folder / "runs"
    body = f'[ "$1" = --version ] || echo run >> {log}\nexec {compiler} "$@" -O0'
    return script(folder, "counting-c++", body)


def test_it_is_compiled_once(
    tmp_path: Path, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", str(counting(tmp_path, compiler)))
    path = compiled_library()
    assert compiled_library() == path
    assert (tmp_path / "runs").read_text().splitlines() == ["run"]
    assert Library(path).best_instructions >= 0
    assert not [other for other in path.parent.iterdir() if other != path]


def test_two_at_once_end_with_one_whole_library(
    tmp_path: Path, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", str(counting(tmp_path, compiler)))
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: compiled_library(), range(2))
    assert first == second
    assert list(first.parent.iterdir()) == [first]
    Library(first)


def test_another_source_is_another_library(
    tmp_path: Path, compiler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", str(counting(tmp_path, compiler)))
    first = compiled_library()
    changed = tmp_path / compiling.SOURCE
    changed.write_text(compiling.source_path().read_text() + "// changed\n")
    monkeypatch.setattr(compiling, "source_path", lambda: changed)
    assert compiled_library() != first


def test_no_compiler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ReadingError, match=r"no C\+\+ compiler.*install one"):
        compiled_library()


def test_a_compiler_that_refuses_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = '[ "$1" = --version ] && exit 0\necho "x.cpp:1: error: unknown target" >&2\nexit 1'
    monkeypatch.setenv("CXX", str(script(tmp_path, "old-c++", body)))
    with pytest.raises(ReadingError, match=r"cannot compile the kernels .*unknown target"):
        compiled_library()


def test_a_library_of_another_version_is_refused(tmp_path: Path, compiler: str) -> None:
    source, other = tmp_path / "other.cpp", tmp_path / "other.so"
    empty = tmp_path / "empty.so"
    source.write_text('extern "C" long long leadline_layout(int) { return 1; }')
    subprocess.run([compiler, "-shared", "-fPIC", "-o", other, source], check=True)
    with pytest.raises(ReadingError, match="another version"):
        Library(other)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", empty, "-x", "c++", "/dev/null"], check=True
    )
    with pytest.raises(ReadingError, match="another version"):
        Library(empty)
    torn = tmp_path / "torn.so"
    torn.write_bytes(b"torn")
    with pytest.raises(ReadingError, match="cannot be loaded"):
        Library(torn)


def test_importing_compiles_nothing_and_loads_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys, leadline.kernels, leadline.kernels.tiers, leadline.kernels.library;"
        "assert 'torch' not in sys.modules"
    )
    home = {"LEADLINE_HOME": str(tmp_path / "home"), "PATH": ""}
    subprocess.run([sys.executable, "-c", program], check=True, env=home)
    assert not (tmp_path / "home").exists()
