from __future__ import annotations

import json
from pathlib import Path

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import ConfigError
from leadline.evals import multihop
from leadline.evals.trials import Evaluation
from leadline.progress import silent

from .scripted_method import ScriptedMethod
from .tiny_data import write_multihop

UNMARKED = {"title": "t", "paragraph_text": "x", "is_supporting": False}


async def measured(evaluation: Evaluation, method: ScriptedMethod) -> list[dict[str, float]]:
    return [
        (await trial.measure(method, cancel=Cancellation(), progress=silent))[0].shares
        for trial in evaluation.trials
    ]


@pytest.mark.parametrize("corpus", ["musique", "hotpotqa"])
async def test_recall_of_gold_in_a_window_and_in_the_pool(corpus: str, tmp_path: Path) -> None:
    folder = write_multihop(tmp_path, questions=51)
    # Of question 50: the first gold paragraph, then one that is none, in the pool two more.
    method = ScriptedMethod(
        lambda _: ["capstan50 was", "in 3050.", "in 3004.", "in 3005.", "50 feet"]
    )
    window = multihop.load(folder, sets=[f"{corpus}-window"])
    assert await measured(window, method) == [{"recall@g": 0.5}]
    pool = multihop.load(folder, sets=[f"{corpus}-pool"])
    assert await measured(pool, method) == [{"recall@2": 0.5, "recall@5": 1.0, "recall@10": 1.0}]


def test_parts_are_the_first_fifty_questions_and_the_rest(tmp_path: Path) -> None:
    folder = write_multihop(tmp_path, questions=53)

    def asked(**chosen: object) -> list[str]:
        found = multihop.load(folder, sets=["musique-window"], **chosen)  # type: ignore[arg-type]
        assert found.questions == len(found.trials)
        return [trial.item.question for trial in found.trials]  # type: ignore[attr-defined]

    everything = asked(part="all")
    assert len(everything) == 53
    assert asked() == everything[50:]
    assert asked(part="calibration") == everything[:50]
    assert asked(part="all", limit=4) == everything[:4]
    shuffled = asked(part="all", seed=1)
    assert shuffled != everything
    assert sorted(shuffled) == sorted(everything)
    assert set(asked(seed=1, limit=2)) < set(everything[50:])


def test_without_held_out_questions_another_part_is_proposed(tmp_path: Path) -> None:
    folder = write_multihop(tmp_path, questions=50)
    with pytest.raises(ConfigError, match=r"50 questions, none of them is held-out.*--part"):
        multihop.load(folder)


def test_an_unknown_set_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'2wiki'.*musique-pool"):
        multihop.load(tmp_path, sets=["2wiki"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"cannot read .*musique_train\.json .*--data"),
        ("[{", r"musique_train\.json is damaged .*unpack"),
        ('[{"question": "q"}]', r"damaged \(0\.paragraphs: Field required"),
        (
            json.dumps([{"question": "q", "paragraphs": [UNMARKED]}]),
            "no paragraph of 'q' is marked",
        ),
    ],
)
def test_missing_and_damaged_files_are_named(
    content: str | None, words: str, tmp_path: Path
) -> None:
    folder = write_multihop(tmp_path)
    path = folder / "musique_train.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=words):
        multihop.load(folder)


def test_gold_that_the_pool_lacks_is_damage(tmp_path: Path) -> None:
    folder = write_multihop(tmp_path)
    path = folder / "musique_train_corpus.json"
    path.write_text(json.dumps(json.loads(path.read_text())[:-1]))
    with pytest.raises(ConfigError, match=r"musique_train_corpus\.json.*'Gamma 51'"):
        multihop.load(folder, sets=["musique-pool"])
