"""Every tier, and every set of instructions that this machine has."""

from __future__ import annotations

import pytest

from leadline.errors import LeadlineError
from leadline.kernels import reference
from leadline.kernels.cpp import CppKernels
from leadline.kernels.library import Library, load_library
from leadline.kernels.tiers import Kernels


@pytest.fixture
def library() -> Library:
    """The C++ kernels; a skip where they cannot be compiled."""
    try:
        return load_library()
    except LeadlineError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["torch", "baseline", "avx2", "avx512"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    if request.param == "torch":
        return reference
    library: Library = request.getfixturevalue("library")
    try:
        return CppKernels(library, request.param)
    except LeadlineError as error:
        pytest.skip(str(error))
