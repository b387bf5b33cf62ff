"""Choosing backends by what they say that they find."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from leadline.agent.source_need import source_need
from leadline.cancellation import Cancellation
from leadline.cli.main import run
from leadline.evals import source_choice
from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.tools.passage_ranker import HybridRanker
from leadline.tools.search import MultiSearch
from leadline.tools.search.backend_choice import BackendChoice
from leadline.tools.search.protocol import SearchResult


@dataclass
class Recorded:
    name: str
    description: str
    asked: list[str] = field(default_factory=list)

    def why_not(self) -> list[str]:
        return []

    async def search(self, query: str, *, limit: int, cancel: Cancellation) -> list[SearchResult]:
        self.asked.append(query)
        return [SearchResult(f"https://{self.name}.example/", self.name, "", 1)]


async def test_the_backend_whose_description_fits_is_asked(cancel: Cancellation) -> None:
    papers = Recorded("papers", "Preprints of research papers in physics")
    news = Recorded("news", "Latest news and sport results")
    choice = BackendChoice(HybridRanker(None), 1)
    search = MultiSearch([papers, news], on_warning=pytest.fail, choice=choice)
    [found] = await search.search("Which research papers discuss physics?", limit=3, cancel=cancel)
    assert found.url == "https://papers.example/"
    assert news.asked == []
    everything = BackendChoice(HybridRanker(None), 2)
    assert await everything.choose([papers, news], "x", cancel=cancel) == [papers, news]


async def test_a_need_is_matched_beside_the_question(cancel: Cancellation) -> None:
    papers = Recorded("papers", "Preprints of research papers in physics")
    news = Recorded("news", "Latest news and sport results")
    choice = BackendChoice(HybridRanker(None), 1)
    question, need = "How are qubits protected?", "A research paper in physics"
    assert await choice.choose([news, papers], question, cancel=cancel) == [news]
    assert await choice.choose([news, papers], question, need=need, cancel=cancel) == [papers]


async def test_a_need_is_asked_for_in_one_line(cancel: Cancellation) -> None:
    engine = ScriptedEngine([" A research paper in physics \n"])
    need = await source_need("How are qubits protected?", engine, cancel=cancel)
    assert need == "A research paper in physics"
    [request] = engine.requests
    assert request.messages[-1].content == "How are qubits protected?"
    assert request.stop == ("\n",)


async def test_needs_are_measured_beside_questions(cancel: Cancellation) -> None:
    labelled = source_choice.load("held-out")
    needs = {q.question: f"A source such as {q.source}" for q in labelled.questions}
    engine = ScriptedEngine(respond=lambda request: needs[request.messages[-1].content])
    measured = source_choice.measure(
        labelled, {"bm25": HybridRanker(None)}, engine=engine, cancel=cancel
    )
    choices = [choice async for choice in measured]
    assert {choice.method for choice in choices} == {"bm25", "bm25, need written"}
    assert {c.question: c.need for c in choices if c.need} == needs
    assert len(source_choice.load("development").questions) == len(labelled.questions) == 20


def test_the_set_is_balanced_and_every_label_can_be_chosen() -> None:
    labelled = source_choice.load()
    names = [source.name for source in source_choice.offered(labelled)]
    counts = {name: sum(q.source == name for q in labelled.questions) for name in names}
    assert set(counts.values()) == {8}


def test_the_evaluation(
    home: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADLINE_EMBEDDER", "none")
    assert run(["eval", "run", "source-choice", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["rows"]
    assert 0.5 < first["value"] < second["value"] <= 1
    assert first["n"] == 40
