from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import ConfigError
from leadline.evals import needle
from leadline.evals.babi import read_stories
from leadline.evals.rankers import LexicalRanker
from leadline.evals.reading_method import RankerMethod, ReadingMethod
from leadline.evals.scores import Score
from leadline.evals.trials import Evaluation
from leadline.evals.xquad import read_articles
from leadline.progress import silent
from leadline.settings import load_settings

from .scripted_method import ScriptedMethod
from .tiny_data import write_babi, write_wikitables, write_xquad


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_wikitables(tmp_path / "wikitables")
    write_xquad(tmp_path / "xquad")
    write_babi(tmp_path / "babi")
    return tmp_path


async def load(
    data: Path, sets: Sequence[str] = (), *, needles: int = 2, seed: int | None = None
) -> Evaluation:
    return await needle.load(
        data,
        settings=load_settings(reader="none"),
        sets=sets,
        sizes=(1000, 2500),
        needles=needles,
        seed=seed,
        cancel=Cancellation(),
        progress=silent,
    )


async def measured(evaluation: Evaluation, method: ReadingMethod) -> list[Score]:
    return [
        score
        for trial in evaluation.trials
        for score in await trial.measure(method, cancel=Cancellation(), progress=silent)
    ]


async def test_words_that_stand_nowhere_else_are_found_at_every_depth(data: Path) -> None:
    evaluation = await load(data, ["xquad"])
    scores = await measured(evaluation, RankerMethod("bm25", "none", LexicalRanker()))
    assert len(scores) == evaluation.questions == 2 * 5 * 2
    assert all(score.shares == {"evidence recall": 1.0} for score in scores)
    cells = Counter(score.sets[0] for score in scores)
    assert cells == {f"xquad {n} at {d:g}": 2 for n in ("1,000", "2,500") for d in needle.DEPTHS}
    assert {score.sets[-1] for score in scores} == {"xquad"}
    haystacks = evaluation.settings["haystacks"]
    assert isinstance(haystacks, dict)
    assert haystacks["1000"]["tokens"] == pytest.approx(1000, abs=60)
    assert evaluation.folders == (data / "wikitables", data / "xquad")


async def test_needles_of_one_haystack_are_of_different_articles(data: Path) -> None:
    evaluation = await load(data, ["xquad"], needles=4)
    articles = read_articles(data / "xquad")
    of = {item.question: number for number, article in enumerate(articles) for item in article}
    depths: dict[int, set[str]] = {}
    for trial in evaluation.trials:
        assert isinstance(trial, needle.NeedleTrial)
        asked = [of[hidden.question] for hidden in trial.questions]
        assert len(asked) == len(set(asked))
        for number, hidden in zip(asked, trial.questions, strict=True):
            depths.setdefault(number, set()).add(hidden.sets[0])
    assert all(len(places) > 2 for places in depths.values())


@pytest.mark.parametrize(
    ("quote", "recall"),
    [
        (lambda sentence: [sentence], 1.0),
        (lambda sentence: [sentence[:9], sentence[9:]], 1.0),
        (lambda sentence: [sentence[5:], sentence[:10]], 1.0),
        (lambda sentence: [sentence[:9], sentence[10:]], 0.0),
        (lambda sentence: [sentence[:-1]], 0.0),
        (lambda sentence: [], 0.0),
    ],
)
async def test_the_whole_answering_sentence_counts(
    quote: Callable[[str], list[str]], recall: float, data: Path
) -> None:
    sentences = {
        item.question: item.text[item.start : item.end]
        for article in read_articles(data / "xquad")
        for item in article
    }
    method = ScriptedMethod(lambda question: quote(sentences[question]))
    [*scores] = await measured(await load(data, ["xquad"], needles=1), method)
    assert {score.shares["evidence recall"] for score in scores} == {recall}
    assert scores[0].costs == {"seconds": 0.5, "read tokens": 11.0}


async def test_a_story_counts_by_its_supporting_facts(data: Path) -> None:
    method = ScriptedMethod(lambda _: ["Mary took the quoit there.", "Mary moved to the attic."])
    scores = await measured(await load(data, ["babi-1", "babi-2", "babi-3"]), method)
    found = {score.sets[-1]: score.shares for score in scores}
    assert found == {
        "babi-1": {"evidence recall": 1.0},
        "babi-2": {"evidence recall": 0.5, "all evidence": 0.0},
        "babi-3": {"evidence recall": 0.0, "all evidence": 0.0},
    }
    assert Counter(score.sets[0] for score in scores)["babi-2 2,500"] == 2


async def test_facts_stand_in_the_order_of_the_story(data: Path) -> None:
    for trial in (await load(data, ["babi-3"])).trials:
        assert isinstance(trial, needle.NeedleTrial)
        depths = [insertion.depth for insertion in trial.insertions]
        assert depths == sorted(depths)
        assert trial.insertions[0].text == "Mary took the quoit."


async def test_a_seed_draws_other_places_and_is_repeatable(data: Path) -> None:
    def depths(evaluation: Evaluation) -> list[float]:
        [trial, *_] = evaluation.trials
        assert isinstance(trial, needle.NeedleTrial)
        return [insertion.depth for insertion in trial.insertions]

    first = depths(await load(data, ["babi-1"], seed=1))
    assert first == depths(await load(data, ["babi-1"], seed=1))
    assert first != depths(await load(data, ["babi-1"], seed=2))


@pytest.mark.parametrize(
    ("name", "needles", "words"),
    [
        ("xquad", 5, r"XQuAD has questions for 4 needles at a depth, 5 were.*--needles"),
        ("babi-2", 4, r"bAbI task 2 has 3 stories, 4 were asked for.*--needles"),
    ],
)
async def test_more_needles_than_there_are(name: str, needles: int, words: str, data: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        await load(data, [name], needles=needles)


def test_stories_with_bars_and_with_tabs(data: Path) -> None:
    [[asked], *_] = read_stories(data / "babi", 1)
    assert (asked.question, asked.supporting) == ("Where is Mary?", (0,))
    [[first, second], *others] = read_stories(data / "babi", 2)
    assert len(others) == 2
    assert first.question == second.question == "Where is the quoit?"
    assert second.facts[-1] == "Mary left."
    assert second.supporting == (0, 2)


@pytest.mark.parametrize(
    ("story", "words"),
    [
        ("Mary slept.\n", r"qa1_some-facts_train\.txt is damaged \(line 1 has no number"),
        ("1 Mary slept.\n2 Where? \tbed\t7\n", "line 2 rests on facts that are not told"),
        ("2 Where? \tbed\t1\n", "line 1 rests on facts that are not told"),
        (None, r"cannot read .*qa1_\*_train\.txt"),
    ],
)
def test_missing_and_damaged_stories_are_named(story: str | None, words: str, data: Path) -> None:
    path = data / "babi" / "qa1_some-facts_train.txt"
    path.unlink()
    if story is not None:
        path.write_text(story)
    with pytest.raises(ConfigError, match=words):
        read_stories(data / "babi", 1)


def test_an_answer_that_stands_elsewhere_is_damage(data: Path) -> None:
    path = data / "xquad" / "xquad.en.json"
    path.write_text(path.read_text().replace('"text": "0 tons"', '"text": "1 tons"'))
    with pytest.raises(ConfigError, match=r"xquad\.en\.json is damaged .*does not stand where"):
        read_articles(data / "xquad")
