"""The normalised U-measure, and sessions that are measured by it."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.cancellation import Cancellation
from leadline.errors import ConfigError
from leadline.evals import session
from leadline.evals.session_measure import TrailText, num, u_measure
from leadline.progress import silent

from .scripted_method import ScriptedMethod

QUERY = TrailText(10)

documents = st.lists(
    st.builds(
        TrailText,
        length=st.integers(1, 400),
        document=st.integers(0, 10**9).map(str),
        grade=st.integers(0, 3),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda text: text.document,
)


def test_the_measure_by_hand() -> None:
    trail = [QUERY, TrailText(90, "a", 1), TrailText(100, "b", 0), QUERY, TrailText(90, "c", 2)]
    expected = 1 / 4 * (1 - 100 / 1000) + 3 / 4 * (1 - 300 / 1000)
    assert u_measure(trail, highest=2, patience=1000) == pytest.approx(expected)
    best = 3 / 4 * (1 - 100 / 1000) + 1 / 4 * (1 - 190 / 1000)
    read = [text for text in trail if text.document]
    value = num(trail, QUERY, read, highest=2, patience=1000)
    assert value == pytest.approx(expected / best)


def test_what_is_read_again_or_too_late_brings_nothing() -> None:
    first = TrailText(90, "a", 1)
    once = u_measure([QUERY, first], highest=1, patience=1000)
    assert u_measure([QUERY, first, QUERY, first], highest=1, patience=1000) == once
    assert u_measure([QUERY, TrailText(990, "b", 1)], highest=1, patience=1000) == 0.0
    assert num([QUERY, first], QUERY, [TrailText(90, "a", 0)], highest=1) == 0.0


@given(documents, st.randoms(use_true_random=False))
def test_no_session_is_better_than_the_ideal_one(found: list[TrailText], random: Random) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    half = len(shuffled) // 2
    trail = [QUERY, *shuffled[:half], QUERY, *shuffled[half:]]
    assert 0.0 <= num(trail, QUERY, found, highest=3, patience=6000) <= 1.0 + 1e-9


def write_sessions(folder: Path) -> Path:
    """A session of two queries; the second one brings up what the first left out."""
    queries = [
        {
            "query": "harbour?",
            "documents": [
                {"id": "a", "text": "About whales."},
                {"id": "b", "text": "The harbour was opened in 1902.", "grade": 2},
                {"id": "c", "text": "Three quays it has."},
            ],
        },
        {
            "query": "quays?",
            "documents": [
                {"id": "a", "text": "About whales."},
                {"id": "c", "text": "Three quays it has.", "grade": 1},
            ],
        },
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sessions.jsonl").write_text(json.dumps({"id": "s1", "queries": queries}) + "\n")
    return folder


async def test_a_method_is_measured_beside_the_order_of_the_data(tmp_path: Path) -> None:
    evaluation = session.load(write_sessions(tmp_path), depth=1, patience=1000)
    method = ScriptedMethod(lambda query: ["opened" if "harbour" in query else "quays"])
    [trial] = evaluation.trials
    [score] = await trial.measure(method, cancel=Cancellation(), progress=silent)
    opened, quays = len("The harbour was opened in 1902."), len("Three quays it has.")
    first, second = len("harbour?"), len("quays?")
    got = 3 / 4 * (1 - (first + opened) / 1000) + 1 / 4 * (
        1 - (first + opened + second + quays) / 1000
    )
    best = 3 / 4 * (1 - (first + opened) / 1000) + 1 / 4 * (1 - (first + opened + quays) / 1000)
    assert score.shares == {"NUM": pytest.approx(got / best)}
    [reference] = evaluation.references
    assert (reference.method, reference.shares) == ("order of the data", {"NUM": 0.0})


async def test_a_later_grade_counts_for_the_whole_session(tmp_path: Path) -> None:
    evaluation = session.load(write_sessions(tmp_path), depth=2, patience=1000)
    early = ScriptedMethod(lambda query: ["opened", "quays"] if "harbour" in query else ["whales"])
    late = ScriptedMethod(lambda query: ["opened", "whales"] if "harbour" in query else ["quays"])
    [trial] = evaluation.trials
    values = []
    for method in (early, late):
        [score] = await trial.measure(method, cancel=Cancellation(), progress=silent)
        values.append(score.shares["NUM"])
    assert values[0] == pytest.approx(1.0)
    assert values[1] < values[0]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("", "it has no session"),
        ('{"id": "s"}', r"line 1, queries"),
        (
            json.dumps(
                {
                    "id": "s",
                    "queries": [
                        {"query": "q", "documents": [{"id": "a", "text": text}]}
                        for text in ("x", "y")
                    ],
                }
            ),
            "'a' has two texts",
        ),
    ],
)
def test_damaged_sessions_are_named(lines: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "sessions.jsonl").write_text(lines)
    with pytest.raises(ConfigError, match=words):
        session.load(tmp_path, depth=3)
