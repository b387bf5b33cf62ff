"""Where single rows look, against transformers' own attention maps."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled
from leadline.runtime.decoder import Decoder
from leadline.runtime.gguf_weights import convert
from leadline.runtime.heads import Head
from leadline.runtime.row_attention import row_attention, strongest_column

from .tiny_models import make_model, write_gguf

IDS = [(7 * place + place * place) % 250 for place in range(60)]


@pytest.fixture
def decoder(tmp_path: Path) -> Decoder:
    weights = convert(write_gguf(make_model("qwen2"), tmp_path / "tiny.gguf"))
    return Decoder(weights, last_layer=2, dtype=torch.float32)


def test_rows_attend_as_in_transformers(decoder: Decoder) -> None:
    heads = [Head(2, 3), Head(0, 1)]
    rows = range(20, 40)
    with torch.no_grad():
        maps = make_model("qwen2")(torch.tensor([IDS]), output_attentions=True).attentions
    found = list(row_attention(decoder, IDS, rows, heads))
    assert len(found) == len(rows)
    for row, attention in zip(rows, found, strict=True):
        expected = torch.stack([maps[head.layer][0, head.head, row] for head in heads])
        torch.testing.assert_close(attention, expected[:, :row], rtol=1e-3, atol=1e-4)
        strongest = expected[:, : row + 1].argmax(dim=1)
        strongest[strongest == row] = -1
        assert strongest_column(attention).tolist() == strongest.tolist()


def test_a_row_that_sees_itself_most() -> None:
    attention = torch.tensor([[0.1, 0.2, 0.1], [0.1, 0.2, 0.6], [0.3, 0.2, 0.25]])
    assert strongest_column(attention).tolist() == [-1, 2, 0]


def test_it_can_be_stopped(decoder: Decoder) -> None:
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        list(row_attention(decoder, IDS, range(20, 22), [Head(0, 0)], cancel=cancel))
