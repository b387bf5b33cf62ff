from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from leadline.agent.bandit import Posteriors, Reward
from leadline.agent.corpus_source import CorpusSource
from leadline.agent.learnt import LearntChoices
from leadline.agent.researcher import Researcher
from leadline.agent.routing import Routing, best, routed
from leadline.agent.run_store import RunStore
from leadline.agent.toolbox import Effort
from leadline.cancellation import Cancellation
from leadline.runtime.reader import FirstStageReader
from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.tools.corpus import Corpus
from leadline.tools.page_store import PageStore
from leadline.tools.passage_ranker import HybridRanker

from .conftest import SUPPORTED, answer

QUESTION = "When was the harbour opened?"
REPLIES = [answer(("The harbour was opened in 1902.", [1])), SUPPORTED]


def scores(model: str, value: float, times: int = 1) -> list[Reward]:
    return [Reward(context="date", arm=model, value=value)] * times


def test_another_model_takes_over_once_it_is_known_to_be_better() -> None:
    models = ["own", "other"]
    assert best(Posteriors(), "date", models) == "own"
    few = Posteriors().updated([*scores("own", 0.2, 9), *scores("other", 1.0, 2)])
    assert best(few, "date", models) == "own"
    many = few.updated(scores("other", 1.0, 9))
    assert best(many, "date", models) == "other"
    assert best(many, "person", models) == "own"


@pytest.mark.parametrize("routing", ["off", "best", "explore"])
async def test_one_model_is_never_routed(routing: Routing) -> None:
    assert await routed(QUESTION, ["own"], routing) == "own"


async def test_exploring_tries_all_models() -> None:
    drawn = {await routed(f"When was ship {n} built?", ["a", "b"], "explore") for n in range(20)}
    assert drawn == {"a", "b"}


@pytest.fixture
def researcher(corpus: Corpus, store: PageStore, runs: RunStore) -> Callable[..., Researcher]:
    def make(own: ScriptedEngine, other: ScriptedEngine, routing: Routing) -> Researcher:
        return Researcher(
            engine=own,
            reader=FirstStageReader(HybridRanker(None)),
            sources=[CorpusSource(corpus)],
            pages=store,
            runs=runs,
            effort=replace(Effort(), routing=routing),
            others=[other],
        )

    return make


async def test_runs_that_were_scored_route_the_next_question(
    researcher: Callable[..., Researcher],
) -> None:
    table = LearntChoices("routing")
    await table.learn([*scores("own", 0.1, 9), *scores("other", 0.9, 9)], cancel=Cancellation())
    own = ScriptedEngine(REPLIES, model_id="own")
    other = ScriptedEngine(REPLIES, model_id="other")
    there = researcher(own, other, "best")
    report = await there.run(QUESTION)
    assert report.model == "other"
    assert own.requests == []
    await there.learn(report, 1.0, cancel=Cancellation())
    assert (await table.load()).of("date", "other").trials == pytest.approx(10)


async def test_without_routing_nothing_is_learnt(researcher: Callable[..., Researcher]) -> None:
    own = ScriptedEngine(REPLIES, model_id="own")
    there = researcher(own, ScriptedEngine(model_id="other"), "off")
    report = await there.run(QUESTION)
    assert report.model == "own"
    await there.learn(report, 1.0, cancel=Cancellation())
    assert await LearntChoices("routing").load() == Posteriors()
