from __future__ import annotations

import pytest
from aiohttp import WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer

from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run
from leadline.loopback import is_loopback
from leadline.tui.web_server import ApplicationServer


@pytest.fixture
async def client():  # type: ignore[no-untyped-def]
    server = ApplicationServer("127.0.0.1", 8000)
    server.command = "true"
    async with TestClient(TestServer(await server._make_app())) as client:
        yield client


async def test_the_page_may_fetch_nothing_from_elsewhere(client: TestClient) -> None:  # type: ignore[type-arg]
    response = await client.get("/")
    assert response.status == 200
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_other_names_and_other_origins_are_refused(client: TestClient) -> None:  # type: ignore[type-arg]
    assert (await client.get("/", headers={"Host": "evil.example"})).status == 403
    foreign = {"Origin": "http://evil.example"}
    assert (await client.get("/", headers=foreign)).status == 403
    for headers in (foreign, {}):
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect("/ws", headers=headers)
        assert refused.value.status == 403


def test_other_addresses_need_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--host", "0.0.0.0"]) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert "acts as you" in error and "--allow-remote" in error


def test_a_warning_comes_before_anything_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--host", "0.0.0.0", "--allow-remote"]) == ExitCode.USAGE
    warned, refused = capsys.readouterr().err.splitlines()
    assert warned.startswith("warning: ") and "no password" in warned
    assert "--public-url" in refused


@pytest.mark.parametrize(
    ("host", "own"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("a.b", False)],
)
def test_which_addresses_are_of_this_machine(host: str, own: bool) -> None:
    assert is_loopback(host) is own
