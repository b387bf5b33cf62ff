"""Shared fixtures: user folders in tmp, no waiting between retries, no network but loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


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
