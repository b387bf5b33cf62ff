from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime

import pytest

from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run
from leadline.locations import locations
from leadline.tools.extraction import extract
from leadline.tools.page_store import PageStore

URL = "https://alder.example/"


@pytest.fixture
def page_id() -> str:
    """The one page that is kept."""
    store = PageStore(locations().pages)
    body = b"# Harbour\n\nIt was opened in 1902.\n"
    page = store.put(
        body,
        url=URL,
        final_url=URL,
        media_type="text/markdown",
        fetched_at=datetime.now(UTC),
        extracted=extract(body, name="h.md"),
    )
    store.close()
    return page.page_id


def test_the_states_of_an_address(page_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pages", "list", URL, "--json"]) == ExitCode.OK
    [version] = json.loads(capsys.readouterr().out)
    assert (version["page_id"], version["title"]) == (page_id, "Harbour")
    assert run(["pages", "list", "https://nowhere.example/"]) == ExitCode.OK
    assert "never seen" in capsys.readouterr().out


def test_damage_is_found_and_repaired(page_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pages", "check"]) == ExitCode.OK
    assert "1 pages, 0 damaged" in capsys.readouterr().out
    connection = sqlite3.connect(locations().pages / "pages.sqlite3")
    connection.execute("UPDATE pages SET text = x'00'")
    connection.commit()
    connection.close()
    assert run(["pages", "check", "--json"]) == ExitCode.FAILED
    [damage] = json.loads(capsys.readouterr().out)
    assert (damage["page_id"], damage["urls"]) == (page_id, [URL])
    assert run(["pages", "repair", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == {"pages": 1, "restored": 1, "lost": []}
    assert run(["pages", "check"]) == ExitCode.OK


def test_trimming(page_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pages", "trim", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["dropped"] == 0
