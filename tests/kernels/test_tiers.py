"""Choosing a tier."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec

import pytest

from leadline.errors import ConfigError, ReadingError
from leadline.kernels import library as libraries
from leadline.kernels.cpp import CppKernels
from leadline.kernels.library import INSTRUCTIONS, Library
from leadline.kernels.tiers import Tier, available, select


def no_compiler() -> ReadingError:
    return ReadingError("there is no compiler")


def test_torch_is_always_there() -> None:
    assert "torch" in [tier.name for tier in available() if tier.usable]


def test_the_best_usable_tier_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEADLINE_KERNELS", raising=False)
    assert next(tier.name for tier in available() if tier.usable) == select().NAME
    monkeypatch.setattr(libraries, "_outcome", no_compiler)
    assert select().NAME == "torch"
    assert Tier("cpp", ("there is no compiler",)) in available()


def test_the_variable_forces_a_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLINE_KERNELS", "torch")
    assert select().NAME == "torch"
    monkeypatch.setenv("LEADLINE_KERNELS", "abacus")
    with pytest.raises(ConfigError, match=r"no 'abacus' kernels.*may be cpp, torch, triton"):
        select()
    monkeypatch.setenv("LEADLINE_KERNELS", "torch:avx2")
    with pytest.raises(ConfigError, match="no 'avx2' instructions"):
        select()


def test_the_variable_forces_a_set_of_instructions(
    monkeypatch: pytest.MonkeyPatch, library: Library
) -> None:
    for name in INSTRUCTIONS[: library.best_instructions + 1]:
        monkeypatch.setenv("LEADLINE_KERNELS", f"cpp:{name}")
        chosen = select()
        assert isinstance(chosen, CppKernels)
        assert chosen.instructions == name
    monkeypatch.setenv("LEADLINE_KERNELS", "cpp:abacus")
    with pytest.raises(ConfigError, match="cannot run 'abacus'"):
        select()


def test_a_forced_tier_that_cannot_be_used_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "_outcome", no_compiler)
    monkeypatch.setenv("LEADLINE_KERNELS", "cpp")
    with pytest.raises(ConfigError, match=r"'cpp' kernels cannot be used here .*no compiler"):
        select()


def test_without_torch_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.delenv("LEADLINE_KERNELS", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    reasons = {tier.name: tier.reasons for tier in available()}
    assert reasons["cpp"] == reasons["torch"] == ("torch is not installed",)
    assert "triton is not installed" in reasons["triton"][0]
    with pytest.raises(ConfigError, match="torch is not installed"):
        select()
