"""What of the heads' attention counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from leadline.runtime.attention_method import AttentionMethod
from leadline.runtime.heads import Head

METHOD = AttentionMethod("heads", (Head(1, 0), Head(3, 2)))


def test_what_is_attracted_without_a_question_is_subtracted() -> None:
    asked = torch.tensor([[0.3, 0.01, 0.0], [0.2, 0.03, 0.0]])
    content_free = torch.tensor([[0.05, 0.01, 0.02], [0.05, 0.01, 0.0]])
    torch.testing.assert_close(
        METHOD.column_scores(asked, content_free), torch.tensor([0.4, 0.02, -0.02])
    )


def test_a_sink_counts_nothing() -> None:
    content_free = torch.tensor([[0.6, 0.01], [0.5, 0.01]])
    asked = torch.tensor([[0.9, 0.02], [0.9, 0.02]])
    torch.testing.assert_close(
        replace(METHOD, drop_sinks=True).column_scores(asked, content_free),
        torch.tensor([0.0, 0.02]),
    )


def test_the_deepest_head_is_where_reading_ends() -> None:
    assert METHOD.exit_layer == 3


@pytest.mark.parametrize(
    ("columns", "expected"),
    [([0.5], 0.5), ([], 0.0), ([0.1] * 9 + [-5.0], 0.9), ([0.1, 0.2, 0.3], 0.6)],
)
def test_columns_far_below_the_rest_do_not_count(columns: list[float], expected: float) -> None:
    method = replace(METHOD, drop_low=True)
    assert method.passage_score(torch.tensor(columns)) == pytest.approx(expected, abs=1e-6)
    plain = METHOD.passage_score(torch.tensor(columns))
    assert plain == pytest.approx(sum(columns), abs=1e-6)
