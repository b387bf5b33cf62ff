"""A small corpus, a scripted model and a researcher over both."""

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
from leadline.runtime.engine import Engine
from leadline.runtime.reader import FirstStageReader
from leadline.tools.corpus import Corpus
from leadline.tools.corpus_catalogue import CorpusCatalogue
from leadline.tools.page_store import PageStore
from leadline.tools.passage_ranker import HybridRanker

DOCUMENTS = {
    "harbour.md": "# Harbour\n\nThe harbour of Port Alder was opened in 1902. It has 14 berths.\n",
    "mayor.md": "# Mayor\n\nThe mayor of Port Alder is Ines Varga. She took office in 2019.\n",
    "varga.md": "# Ines Varga\n\nInes Varga was born in Szeged in 1971. She studied geology.\n",
    "ferry.md": "# Ferry\n\nThe ferry to Elm Island leaves at 07:30 and takes 45 minutes.\n",
}


def plan(kind: str, *questions: str, needs: dict[int, list[int]] | None = None) -> str:
    proposals = [
        {"question": question, "needs": (needs or {}).get(number, [])}
        for number, question in enumerate(questions, start=1)
    ]
    return json.dumps({"kind": kind, "sub_questions": proposals})


def answer(*statements: tuple[str, list[int]], found: bool = True, short: str = "") -> str:
    listed = [{"text": text, "passages": passages} for text, passages in statements]
    return json.dumps({"found": found, "statements": listed, "short": short})


def written(*statements: tuple[str, list[int]], short: str = "") -> str:
    listed = [{"text": text, "notes": notes} for text, notes in statements]
    return json.dumps({"statements": listed, "short": short})


SUPPORTED = "yes"
NOT_SUPPORTED = "no"
NOT_FOUND = answer(found=False)
REWORDED = '{"queries": ["census of the town", "opening of the port"]}'
ENOUGH = '{"enough": true, "question": ""}'


@pytest.fixture
def store(tmp_path: Path) -> PageStore:
    return PageStore(tmp_path / "pages")


@pytest.fixture
async def corpus(tmp_path: Path, store: PageStore) -> Corpus:
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text)
    corpus = CorpusCatalogue(store=store).add("town", str(folder), embeddings=False)
    await corpus.update(cancel=Cancellation())
    return corpus


@pytest.fixture
def runs(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def researcher_with(corpus: Corpus, store: PageStore, runs: RunStore) -> Callable[..., Researcher]:
    def make(
        engine: Engine,
        runs: RunStore = runs,
        effort: Effort = Effort(growth_rounds=1, bare_answer=False),  # noqa: B008 it is frozen
    ) -> Researcher:
        return Researcher(
            engine=engine,
            reader=FirstStageReader(HybridRanker(None)),
            sources=[CorpusSource(corpus)],
            pages=store,
            runs=runs,
            effort=effort,
        )

    return make
