"""Choosing a tier."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec

import pytest

from leadline.errors import ConfigError
from leadline.kernels.tiers import Tier, available, select


def test_torch_is_there_and_chosen() -> None:
    assert Tier("torch") in available()
    assert select().NAME == "torch"


def test_the_variable_forces_a_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLINE_KERNELS", "torch")
    assert select().NAME == "torch"
    monkeypatch.setenv("LEADLINE_KERNELS", "abacus")
    with pytest.raises(ConfigError, match=r"no 'abacus' kernels.*may be .*torch"):
        select()


def test_a_tier_that_cannot_be_used_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    [tier] = available()
    assert not tier.usable
    assert tier.reasons == ("torch is not installed",)
    with pytest.raises(ConfigError, match="torch is not installed"):
        select()
