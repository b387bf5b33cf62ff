"""Shared fixtures: user folders in tmp, no waiting between retries, no network but loopback."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from leadline.errors import LeadlineError
from leadline.locations import Locations, locations
from leadline.runtime.catalogue import resolve

# A busy machine is no failure of what is tested.
settings.register_profile("leadline", deadline=None)
settings.load_profile("leadline")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """LEADLINE_HOME, in tmp for every test."""
    folder = tmp_path / "leadline-home"
    monkeypatch.setenv("LEADLINE_HOME", str(folder))
    for name in ("LEADLINE_MODEL", "LEADLINE_READER", "LEADLINE_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture(autouse=True)
def no_retry_waits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("real_retry_wait"):
        return

    async def no_sleep(seconds: float) -> None:
        return None

    monkeypatch.setattr("leadline.retrying.sleep", no_sleep)


@pytest.fixture(autouse=True)
def loopback_only(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Refuse every connection that leaves this machine."""
    if request.node.get_closest_marker("slow"):
        yield
        return
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if self.family != socket.AF_UNIX and host not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to connect to {address!r}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    yield


def _users_locations() -> Locations:
    if home := os.environ.get("LEADLINE_TEST_HOME"):
        root = Path(home)
        return Locations(root / "config", root / "cache", root / "state")
    return locations()


# Asked now: each test moves LEADLINE_HOME into its own folder
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
def real_models(home: Path, model_file: Callable[[str], Path]) -> Callable[..., None]:
    """Lets this test's LEADLINE_HOME use the user's models, named by id; else a skip."""

    def need(*model_ids: str) -> None:
        for model_id in model_ids:
            model_file(model_id)
        home.mkdir(parents=True, exist_ok=True)
        (home / "cache").symlink_to(_PLACES.cache)

    return need
