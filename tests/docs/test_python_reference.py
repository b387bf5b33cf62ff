"""The reference has every public name, and every one of them says what it is."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import griffe
import pytest

import leadline

from .code_blocks import ROOT

NOT_OURS = frozenset(["model_config", "settings_customise_sources"])
"""What pydantic asks of its classes."""


@pytest.fixture(scope="module")
def package() -> griffe.Object:
    loaded = griffe.load("leadline", search_paths=[ROOT / "src"], resolve_aliases=True)
    assert isinstance(loaded, griffe.Object)
    return loaded


def documented(package: griffe.Object, name: str) -> Iterator[tuple[str, bool]]:
    """A public name and its public members, each with whether it has a docstring."""
    found = package[name]
    yield name, found.has_docstring
    if found.is_class:
        for member, value in found.all_members.items():
            if not member.startswith("_") and member not in NOT_OURS:
                yield f"{name}.{member}", value.has_docstring


@pytest.mark.parametrize("name", leadline.__all__)
def test_a_public_name_and_all_of_its_members_are_documented(
    package: griffe.Object, name: str
) -> None:
    assert [path for path, has in documented(package, name) if not has] == []


def test_the_page_has_every_public_name() -> None:
    spec = importlib.util.spec_from_file_location(
        "python_reference", ROOT / "docs" / "generate" / "python_reference.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lines = module.page().splitlines()
    assert [name for name in leadline.__all__ if f"::: leadline.{name}" not in lines] == []
