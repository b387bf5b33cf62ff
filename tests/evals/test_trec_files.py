"""Files for trec_eval and for the TREC RAG track, read as their own tools read them."""

from __future__ import annotations

import math
import unicodedata
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, TypeAdapter

from leadline.cancellation import Cancellation
from leadline.evals import multihop, rerank
from leadline.evals.hop import scored
from leadline.evals.hop_methods import HopAnswer
from leadline.evals.hop_questions import HopQuestion
from leadline.evals.rankings import DEPTH, Ranking
from leadline.evals.scores import Score
from leadline.evals.trec_files import write_trec_answers, write_trec_runs
from leadline.evals.trials import Evaluation
from leadline.progress import silent

from .scripted_method import ScriptedMethod
from .tiny_data import write_multihop, write_trec


class Sentence(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    text: str
    citations: list[int]


class Answer(BaseModel):
    """The object of the track's guidelines."""

    model_config = ConfigDict(extra="forbid", strict=True)

    run_id: str
    topic_id: str
    topic: str
    references: list[str]
    response_length: int
    answer: list[Sentence]


def read_answers(path: Path) -> list[Answer]:
    """What the track's own checks let pass."""
    answers = [Answer.model_validate_json(line) for line in path.read_text().splitlines()]
    assert len({answer.run_id for answer in answers}) == 1
    for answer in answers:
        assert len(set(answer.references)) == len(answer.references)
        words = [unicodedata.normalize("NFKC", each.text).split() for each in answer.answer]
        assert answer.response_length == sum(map(len, words))
        for sentence in answer.answer:
            assert len(set(sentence.citations)) == len(sentence.citations)
            assert all(0 <= place < len(answer.references) for place in sentence.citations)
    return answers


def read_run(path: Path) -> dict[str, list[str]]:
    """Documents by topic, ordered as trec_eval does: by score, equal ones by their ids."""
    found: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for line in path.read_text().splitlines():
        topic, q0, document, rank, score, tag = line.split(" ")
        assert (q0, tag) == ("Q0", path.name.split(".")[1])
        found[topic].append((float(score), document))
        assert len(found[topic]) == int(rank)
    return {
        topic: [name for _, name in sorted(hits, reverse=True)] for topic, hits in found.items()
    }


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for line in path.read_text().splitlines():
        topic, zero, document, grade = line.split(" ")
        assert zero == "0"
        found[topic][document] = int(grade)
    return found


async def measured(evaluation: Evaluation, method: ScriptedMethod) -> list[Score]:
    scores = list(evaluation.references)
    for trial in evaluation.trials:
        scores += await trial.measure(method, cancel=Cancellation(), progress=silent)
    return scores


async def test_a_run_has_the_measured_order_and_the_grades_of_the_data(tmp_path: Path) -> None:
    evaluation = rerank.load(write_trec(tmp_path / "trec"))
    method = ScriptedMethod(lambda _: ["life of a flea", "flea can", "Six feet"])
    scores = await measured(evaluation, method)
    paths = write_trec_runs(scores, tmp_path / "runs")
    assert {path.name for path in paths} == {
        "trec-dl19.scripted.run",
        "trec-dl19.best-possible.run",
        "trec-dl19.bm25-order-of-the-data.run",
        "trec-dl19.qrels",
    }
    run = read_run(tmp_path / "runs" / "trec-dl19.scripted.run")
    assert run == {"7": ["b", "c", "a"], "8": ["d", "e", "f"]}
    given_order = read_run(tmp_path / "runs" / "trec-dl19.bm25-order-of-the-data.run")
    assert given_order == {"7": ["a", "b", "c"], "8": ["d", "e", "f"]}
    qrels = read_qrels(tmp_path / "runs" / "trec-dl19.qrels")
    assert qrels == {"7": {"a": 0, "b": 3, "c": 1, "z": 3}, "8": {"d": 2, "e": 0}}
    by_question = {score.question: score for score in scores if score.method == "scripted"}
    gains = [qrels["7"].get(name, 0) for name in run["7"]]
    value = rerank.ndcg(gains, list(qrels["7"].values()), at=10)
    assert by_question["life of a flea"].shares["ndcg@10"] == value


async def test_pools_and_windows_have_runs_of_their_own(tmp_path: Path) -> None:
    folder = write_multihop(tmp_path / "multihop")
    evaluation = multihop.load(folder, sets=["musique-window", "musique-pool"], limit=1)
    scores = await measured(evaluation, ScriptedMethod(lambda _: ["capstan50"]))
    write_trec_runs(scores, tmp_path / "runs")
    window = read_run(tmp_path / "runs" / "musique-window.scripted.run")
    assert window == {"50": ["50-0", "50-1", "50-2"]}
    assert read_qrels(tmp_path / "runs" / "musique-window.qrels") == {"50": {"50-0": 1, "50-2": 1}}
    pool = read_run(tmp_path / "runs" / "musique-pool.scripted.run")
    assert pool["50"][0] == "000150" and len(pool["50"]) == DEPTH
    assert read_qrels(tmp_path / "runs" / "musique-pool.qrels") == {
        "50": {"000150": 1, "000152": 1}
    }


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=120))
def test_scores_tell_the_order_whatever_they_are(scores: list[float]) -> None:
    names = [f"{place:03d}" for place in range(len(scores))]
    ranking = Ranking.of("t", names, scores, {})
    kept = [score for _, score in ranking.documents]
    assert all(map(math.isfinite, kept))
    assert sorted(set(kept), reverse=True) == kept
    order = sorted(names, key=lambda name: -scores[int(name)])[:DEPTH]
    assert [name for name, _ in ranking.documents] == order
    assert Ranking.model_validate_json(ranking.model_dump_json()) == ranking


def test_answers_with_and_without_citations(tmp_path: Path) -> None:
    question = HopQuestion("musique", "Of what?", ("oak",), frozenset([1]), ("a",), id="2hop__1_2")
    researched = HopAnswer(
        answer="oak",
        status="complete",
        seconds=1.0,
        tokens=5,
        citations=("file:///p/1.md", "file:///p/7.md", "file:///p/1.md"),
        statements=(
            ("It is oak. Oak is hard.", ("file:///p/1.md", "file:///p/7.md")),
            ("１９０２ it was felled.", ("file:///p/7.md", "file:///p/7.md")),
            ("Nobody knows more.", ()),
        ),
    )
    scores = [
        scored("leadline", "m", question, researched),
        scored("closed-book", "m", question, HopAnswer("Oak", "complete", 1.0, 5)),
        scored("leadline+growth_rounds=0", "m", question, HopAnswer("", "failed: x", 1.0, 0)),
    ]
    kept = TypeAdapter(list[Score]).validate_json(TypeAdapter(list[Score]).dump_json(scores))
    write_trec_answers(kept, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "musique.leadline.jsonl",
        "musique.closed-book.jsonl",
        "musique.leadline+growth_rounds=0.jsonl",
    }
    [answer] = read_answers(tmp_path / "musique.leadline.jsonl")
    assert (answer.run_id, answer.topic_id, answer.topic) == ("leadline", "2hop__1_2", "Of what?")
    assert answer.references == ["file:///p/1.md", "file:///p/7.md"]
    assert [sentence.citations for sentence in answer.answer] == [[0, 1], [0, 1], [1], []]
    [alone] = read_answers(tmp_path / "musique.closed-book.jsonl")
    assert [sentence.text for sentence in alone.answer] == ["Oak"]
    [failed] = read_answers(tmp_path / "musique.leadline+growth_rounds=0.jsonl")
    assert (failed.answer, failed.response_length) == ([], 0)


def test_names_stay_in_the_folder_and_in_their_columns(tmp_path: Path) -> None:
    ranking = Ranking.of("a topic", ["a document"], [1.0], {"a document": 2})
    score = Score(
        method="../../up", model="m", sets=("s/t",), question="q", shares={}, ranking=ranking
    )
    paths = write_trec_runs([score, score.model_copy(update={"ranking": None})], tmp_path)
    assert [path.name for path in paths] == ["s-t...-..-up.run", "s-t.qrels"]
    assert paths[0].read_text() == "a-topic Q0 a-document 1 1 ..-..-up\n"


@pytest.mark.parametrize("scores", [[1.0, float("-inf"), float("-inf")], [0.5, 0.5, 0.5]])
def test_ties_and_what_was_not_read_keep_their_places(scores: list[float]) -> None:
    ranking = Ranking.of("t", ["c", "b", "a"], scores, {})
    assert [name for name, _ in ranking.documents] == ["c", "b", "a"]
