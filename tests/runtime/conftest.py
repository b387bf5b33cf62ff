"""Fixtures of the runtime's tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leadline.errors import LeadlineError
from leadline.locations import Locations, locations
from leadline.runtime.catalogue import resolve


def _users_locations() -> Locations:
    if home := os.environ.get("LEADLINE_TEST_HOME"):
        root = Path(home)
        return Locations(root / "config", root / "cache", root / "state")
    return locations()


# asked now: each test moves LEADLINE_HOME into its own folder
_PLACES = _users_locations()


@pytest.fixture
def model_file() -> Callable[[str], Path]:
    """The weights of a catalogue model that the user, or LEADLINE_TEST_HOME, has; else a skip."""

    def find(model_id: str) -> Path:
        try:
            return resolve(model_id, places=_PLACES).weights
        except LeadlineError as error:
            pytest.skip(f"{model_id} is not here ({error})")

    return find


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here ({error})")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
