from leadline.evals.intervals import bootstrap, wilson
from leadline.evals.scores import Score, rows


def score(method: str, sets: tuple[str, ...], hit: float) -> Score:
    return Score(
        method=method,
        model="m",
        sets=sets,
        question="q",
        shares={"recall": hit},
        costs={"seconds": 2.0 * hit},
    )


def test_rows_are_means_over_each_set_narrow_ones_first() -> None:
    scores = [
        score(method, (f"small {n}", "all"), float(n == 0))
        for method in ("a", "b")
        for n in (0, 1, 2)
    ]
    found = rows(scores)
    assert [(row.set, row.method, row.metric) for row in found][:4] == [
        ("small 0", "a", "recall"),
        ("small 0", "a", "seconds"),
        ("small 0", "b", "recall"),
        ("small 0", "b", "seconds"),
    ]
    assert [row.set for row in found if row.method == "a" and row.metric == "recall"] == [
        "small 0",
        "small 1",
        "small 2",
        "all",
    ]
    [recall, seconds] = [row for row in found if row.set == "all" and row.method == "b"]
    assert (recall.value, recall.n) == (1 / 3, 3)
    assert (recall.low, recall.high) == wilson(1, 3)
    assert seconds.value == 2 / 3
    assert (seconds.low, seconds.high) == bootstrap([2.0, 0.0, 0.0])
