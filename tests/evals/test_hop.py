"""Multi-hop questions answered over a pool, with a scripted model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leadline.agent.corpus_source import CorpusSource
from leadline.agent.researcher import Researcher
from leadline.agent.run_store import RunStore
from leadline.cancellation import Cancellation
from leadline.errors import ConfigError, ModelError
from leadline.evals.hop import scored
from leadline.evals.hop_methods import (
    BASELINES,
    GoldParagraphs,
    HopAnswer,
    ModelAlone,
    OneShot,
    Research,
)
from leadline.evals.hop_questions import HopQuestion, HopSet, load_sets, place_of
from leadline.evals.method_names import effort_of
from leadline.runtime.engine import GenerationRequest
from leadline.runtime.reader import FirstStageReader
from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.tools.corpus_catalogue import CorpusCatalogue
from leadline.tools.page_store import PageStore
from leadline.tools.passage_ranker import HybridRanker

from .tiny_data import write_multihop


@pytest.fixture
def musique(tmp_path: Path) -> HopSet:
    [loaded] = load_sets(write_multihop(tmp_path / "data"), sets=["musique"])
    return loaded


def short(text: str) -> str:
    return json.dumps({"answer": text})


def test_questions_know_their_answers_and_gold_paragraphs(musique: HopSet) -> None:
    first = musique.questions[0]
    assert first.answers == ("made of oak", "oaken")
    assert first.gold == {150, 152}
    assert first.paragraphs[1] == "# Gamma 50\n\nOak grows 50 feet.\n"
    assert first.is_gold("file:///pool/000150.md")
    assert not first.is_gold("file:///pool/000151.md")
    assert not first.is_gold("https://example.org/about")


def test_the_pool_is_a_folder_of_paragraphs(musique: HopSet, tmp_path: Path) -> None:
    folder = musique.write_pool(tmp_path / "pool")
    files = sorted(folder.iterdir())
    assert len(files) == len(musique.pool) == 156
    assert [place_of(file.as_uri()) for file in files] == list(range(156))
    before = {file: file.stat().st_mtime_ns for file in files}
    musique.write_pool(folder)
    assert before == {file: file.stat().st_mtime_ns for file in folder.iterdir()}


async def test_baselines_see_nothing_the_gold_or_what_one_search_finds(
    musique: HopSet, tmp_path: Path
) -> None:
    question = musique.questions[0]
    engine = ScriptedEngine([short("oak"), short("oaken"), short("elm")])
    alone = await ModelAlone(engine).answer(question, cancel=Cancellation())
    gold = await GoldParagraphs(engine).answer(question, cancel=Cancellation())
    store = PageStore(tmp_path / "pages")
    pool = musique.write_pool(tmp_path / "pool")
    corpus = CorpusCatalogue(store=store).add("pool", str(pool), embeddings=False)
    await corpus.update(cancel=Cancellation())
    once = await OneShot(engine, CorpusSource(corpus)).answer(question, cancel=Cancellation())
    assert [alone.answer, gold.answer, once.answer] == ["oak", "oaken", "elm"]
    asked = [request.messages[-1].content for request in engine.requests]
    assert "Alpha" not in asked[0]
    assert "# Alpha 50" in asked[1] and "# Gamma 50" in asked[1] and "Beta" not in asked[1]
    assert "capstan50" in asked[2]
    assert (alone.evidence, gold.evidence) == ((), ())
    assert any(question.is_gold(url) for url in once.evidence)
    assert all(answer.tokens > 0 for answer in (alone, gold, once))


async def test_an_answer_that_is_no_json_fails(musique: HopSet) -> None:
    engine = ScriptedEngine(["I cannot say."])
    answer = await ModelAlone(engine).answer(musique.questions[0], cancel=Cancellation())
    assert answer.answer == ""
    assert answer.status.startswith("failed")


async def test_research_over_the_pool(musique: HopSet, tmp_path: Path) -> None:
    def respond(request: GenerationRequest) -> str:
        raise ModelError("the model is gone")

    store = PageStore(tmp_path / "pages")
    pool = musique.write_pool(tmp_path / "pool")
    corpus = CorpusCatalogue(store=store).add("pool", str(pool), embeddings=False)
    await corpus.update(cancel=Cancellation())
    researcher = Researcher(
        engine=ScriptedEngine(respond=respond),
        reader=FirstStageReader(HybridRanker(None)),
        sources=[CorpusSource(corpus)],
        pages=store,
        runs=RunStore(tmp_path / "runs"),
    )
    question = musique.questions[0]
    answer = await Research(researcher, store.get).answer(question, cancel=Cancellation())
    assert answer.answer == ""
    assert answer.status.startswith("failed")
    assert any(question.is_gold(url) for url in answer.evidence)


def test_scores_leave_out_what_cannot_be_told() -> None:
    question = HopQuestion("musique", "Of what?", ("oak",), frozenset([1, 2]), ("a", "b"))
    bare = scored("closed-book", "m", question, HopAnswer("Oak.", "complete", 1.0, 9))
    assert bare.shares == {"exact match": 1.0, "F1": 1.0, "failed": 0.0}
    answer = HopAnswer(
        answer="",
        status="failed: gone",
        seconds=2.0,
        tokens=10,
        evidence=("/p/1.md", "/p/1.md", "/p/7.md"),
        citations=("/p/1.md", "/p/7.md"),
        resolved=2,
        claims=4,
        unsupported=1,
    )
    assert scored("leadline", "m", question, answer).shares == {
        "exact match": 0.0,
        "F1": 0.0,
        "failed": 1.0,
        "evidence recall": 0.5,
        "citation precision": 0.5,
        "citations resolve": 1.0,
        "claims unsupported": 0.25,
    }


def test_a_method_may_name_another_effort() -> None:
    assert effort_of("leadline", BASELINES).growth_rounds > 0
    changed = effort_of("leadline+growth_rounds=0+pages_per_question=3", BASELINES)
    assert (changed.growth_rounds, changed.pages_per_question) == (0, 3)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("magic", "no method is called 'magic'"),
        ("leadline+zeal=3", "an effort has no 'zeal'"),
        ("leadline+growth_rounds=many", "cannot be measured"),
    ],
)
def test_a_method_that_there_is_not(method: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        effort_of(method, BASELINES)
