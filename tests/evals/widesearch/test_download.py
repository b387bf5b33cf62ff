from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import DownloadError
from leadline.evals.widesearch.download import REPOSITORY, download
from leadline.evals.widesearch.tasks import load_tasks

LINE = (
    '{"instance_id": "ws_en_001", "query": "Which?", "language": "en", "evaluation": '
    '"{\\"unique_columns\\": [\\"a\\"], \\"required\\": [\\"a\\"], \\"eval_pipeline\\": '
    '{\\"a\\": {\\"preprocess\\": [], \\"metric\\": [\\"exact_match\\"]}}}"}'
)


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep stderr clean."""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that a hub on loopback has of the data set."""
    folder = tmp_path / "hub" / REPOSITORY / "resolve" / "main"
    (folder / "widesearch_gold").mkdir(parents=True)
    (folder / "widesearch.jsonl").write_text(LINE)
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(_Handler, directory=str(tmp_path / "hub"))
    )
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield folder
    server.shutdown()
    server.server_close()


async def test_tasks_and_gold_are_fetched_once(hub: Path) -> None:
    gold = hub / "widesearch_gold" / "ws_en_001.csv"
    with pytest.raises(DownloadError, match="404"):
        await download(cancel=Cancellation())
    gold.write_text("a\n1\n")
    counts: list[int] = []
    folder = await download(
        cancel=Cancellation(), progress=lambda task, done, total, unit: counts.append(done)
    )
    assert load_tasks(folder).gold == {"ws_en_001": "a\n1\n"}
    assert counts == [0, 1]
    gold.unlink()
    assert await download(cancel=Cancellation()) == folder
    assert not list(folder.rglob("*.partial"))
