"""The reference has every public name, and every one of them says what it is."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from types import ModuleType

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


def reference() -> ModuleType:
    """The module that writes the page."""
    spec = importlib.util.spec_from_file_location(
        "python_reference", ROOT / "docs" / "generate" / "python_reference.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def classes_and_functions(found: griffe.Object) -> Iterator[griffe.Object]:
    """The public ones in a module or a class, and those in them."""
    for name, value in found.members.items():
        if isinstance(value, griffe.Class | griffe.Function) and not name.startswith("_"):
            yield value
            yield from classes_and_functions(value)


@pytest.mark.parametrize("module", reference()._COMPANIONS)
def test_the_modules_that_go_with_them_are_documented(package: griffe.Object, module: str) -> None:
    found = list(classes_and_functions(package[module.removeprefix("leadline.")]))
    assert found
    assert [each.path for each in found if not each.has_docstring] == []


def test_the_page_has_every_public_name() -> None:
    lines = reference().page().splitlines()
    assert [name for name in leadline.__all__ if f"::: leadline.{name}" not in lines] == []
