"""The wheel holds what the checkout holds."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import leadline

ROOT = Path(__file__).parent.parent
FOLDERS = ("agent", "tools", "runtime", "kernels", "tui", "evals")


@pytest.fixture
def setuptools_table() -> dict[str, object]:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert isinstance(table, dict)
    return table


def test_every_package_is_declared(setuptools_table: dict[str, object]) -> None:
    found = {"leadline"}
    for init in (ROOT / "src" / "leadline").glob("*/__init__.py"):
        found.add(f"leadline.{init.parent.name}")
    for folder in FOLDERS:
        for init in (ROOT / folder).rglob("__init__.py"):
            relative = init.parent.relative_to(ROOT)
            found.add("leadline." + ".".join(relative.parts))
    declared = setuptools_table["packages"]
    assert isinstance(declared, list)
    assert set(declared) == found


def test_every_declared_package_is_where_it_is_said_to_be(
    setuptools_table: dict[str, object],
) -> None:
    places = setuptools_table["package-dir"]
    assert isinstance(places, dict)
    for package, place in places.items():
        assert (ROOT / place / "__init__.py").is_file(), package


def test_every_folder_is_linked_for_type_checkers() -> None:
    for folder in FOLDERS:
        link = ROOT / "src" / "leadline" / folder
        assert link.resolve() == (ROOT / folder).resolve()


def test_data_files_match_a_declared_pattern() -> None:
    for path in ROOT.glob("*/*/*.json"):
        if path.parts[len(ROOT.parts)] in FOLDERS:
            assert (path.parent.parent / "__init__.py").is_file(), path


def test_the_package_and_its_metadata_have_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"] == {"version": {"attr": "leadline.__version__"}}
    assert metadata.version("leadline") == leadline.__version__
