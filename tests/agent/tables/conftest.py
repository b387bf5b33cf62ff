"""A corpus of pages with tables, and a model that is asked by what its prompt says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from leadline.agent.corpus_source import CorpusSource
from leadline.agent.researcher import Researcher
from leadline.agent.run_store import RunStore
from leadline.agent.toolbox import Effort
from leadline.cancellation import Cancellation
from leadline.runtime.engine import Engine, GenerationRequest
from leadline.runtime.reader import FirstStageReader
from leadline.tools.corpus_catalogue import CorpusCatalogue
from leadline.tools.page_store import PageStore
from leadline.tools.passage_ranker import HybridRanker

RIVERS = """<html><head><title>Rivers of Alderland</title></head><body>
<h1>Rivers of Alderland</h1><p>Alderland has four rivers that reach a sea.</p>
<table><tr><th>River</th><th>Length (km)</th><th>Mouth</th></tr>
<tr><td>Elm</td><td>1,094[1]</td><td rowspan="2">North | Bay</td></tr>
<tr><td>Oak</td><td>777</td></tr>
<tr><td>Ash</td><td>N/A</td><td>Lake Fir</td></tr>
<tr><td>Total</td><td>1,871</td><td></td></tr></table>
<h2>Canals</h2><table><tr><th>Name of the river fed</th><th>Length (km)</th></tr>
<tr><td>Grand Canal</td><td>52</td></tr><tr><td>Old Cut</td><td>9</td></tr></table>
</body></html>"""
ASH = """<html><head><title>Ash (river)</title></head><body><h1>Ash</h1>
<p>The Ash is a river of Alderland. It is 310 km long and was mapped in 1840.</p></body></html>"""
OTHER = """<html><head><title>Longest rivers</title></head><body><h1>Longest rivers</h1>
<p>A list of rivers of Alderland by length.</p>
<table><tr><th>River</th><th>Length (km)</th></tr>
<tr><td>ELM</td><td>1,094</td></tr><tr><td>Oak</td><td>780</td></tr>
<tr><td>Yew</td><td>95</td></tr></table></body></html>"""

PAGES = {"rivers.html": RIVERS, "ash.html": ASH, "longest.html": OTHER}
QUERY = "Rivers of Alderland with their length and mouth. Columns: River, Length (km), Mouth"


def answers(request: GenerationRequest) -> str:
    """What a good model says to each kind of prompt."""
    system, user = request.messages[0].content, request.messages[-1].content
    if "A user asks for a table" in system:
        return json.dumps({"subject": "rivers of Alderland", "columns": [], "keys": ["River"]})
    if "Which of the numbered tables" in system:
        return json.dumps({"tables": [n for n in range(1, 9) if f"\n[{n}] " in f"\n{user}"]})
    if "is to be copied into a table" in system:
        return json.dumps({"Mouth": {"header": 0, "constant": ""}})
    if "missing cells of one row" in system:
        known = {"Ash": {"Length (km)": "310 km"}}
        row = next((name for name in known if f"River: {name}" in user), "")
        return json.dumps(known.get(row, {}) | {"Mouth": "the Moon"})
    if "A search found no answer" in system:
        return json.dumps({"queries": ["list of rivers by length"]})
    raise AssertionError(system)


@pytest.fixture
def documents() -> dict[str, str]:
    """The pages by file name; a test may ask for others."""
    return PAGES


@pytest.fixture
def store(tmp_path: Path) -> PageStore:
    return PageStore(tmp_path / "pages")


@pytest.fixture
def runs(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
async def tabulator(
    tmp_path: Path, documents: dict[str, str], store: PageStore, runs: RunStore
) -> Callable[..., Researcher]:
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, text in documents.items():
        (folder / name).write_text(text)
    corpus = CorpusCatalogue(store=store).add("alderland", str(folder), embeddings=False)
    await corpus.update(cancel=Cancellation())

    def make(engine: Engine, *, table_rounds: int = 3, parallel_searchers: int = 4) -> Researcher:
        return Researcher(
            engine=engine,
            reader=FirstStageReader(HybridRanker(None)),
            sources=[CorpusSource(corpus)],
            pages=store,
            runs=runs,
            effort=Effort(table_rounds=table_rounds, parallel_searchers=parallel_searchers),
        )

    return make
