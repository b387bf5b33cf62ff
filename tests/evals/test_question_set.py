import pytest

from leadline.errors import ConfigError
from leadline.evals import question_set
from leadline.evals.intervals import wilson


def test_every_set_that_ships_can_be_loaded() -> None:
    assert "sqlite-docs" in question_set.names()
    for name in question_set.names():
        loaded = question_set.load(name)
        assert loaded.name == name
        assert len({checked.question for checked in loaded.questions}) == len(loaded.questions)


def test_an_unknown_set_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="sqlite-docs"):
        question_set.load("nothing")


@pytest.mark.parametrize(
    ("number", "answer", "right"),
    [
        (0, "It was increased to 4096 bytes.", True),
        (0, "It went from 4096 bytes to 65536 bytes.", False),
        (9, "It needs a PRIMARY KEY, and AUTOINCREMENT does not work.", True),
        (9, "It does not require a PRIMARY KEY; AUTOINCREMENT is not supported.", False),
    ],
)
def test_answers_are_told_apart(number: int, answer: str, right: bool) -> None:
    assert question_set.load("sqlite-docs").questions[number].is_right(answer) is right


def test_gold_pages_are_told_by_the_end_of_their_address() -> None:
    checked = question_set.load("sqlite-docs").questions[0]
    assert checked.is_gold("file:///docs/pragma.html")
    assert not checked.is_gold("file:///docs/my-pragma.html")


def test_wilson_intervals() -> None:
    low, high = wilson(7, 10)
    assert (round(low, 3), round(high, 3)) == (0.397, 0.892)
    assert wilson(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="3 successes in 2"):
        wilson(3, 2)
