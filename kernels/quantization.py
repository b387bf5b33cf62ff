"""Weights of int8 for products with int8 activations (W8A8).

Each output has a scale of its own, and each row of activations one that is found when it comes.
Inputs with outliers would cost the others their precision: these columns stay in bfloat16, as in
LLM.int8() (arXiv 2208.07339).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ReadingError
from .checks import check_finite, describe

MAX_INPUTS = 1 << 16
"""More would overflow the 32 bits that their products are summed in."""


@dataclass(frozen=True, slots=True)
class QuantizedLinear:
    """A linear map with int8 weights. ``scales[o] * weights[o]`` are about the weights it is of."""

    weights: Tensor
    """``(outputs, inputs)`` int8, or as the tier that made it packs them; 0 in outlier columns."""
    scales: Tensor
    """``(outputs,)`` float32."""
    sums: Tensor
    """``(outputs,)`` int32: of the int8 weights."""
    bias: Tensor | None
    """``(outputs,)`` float32."""
    outliers: Tensor
    """``(columns,)`` int32: inputs that are multiplied unquantised."""
    outlier_weights: Tensor
    """``(columns, outputs)`` float32, rounded to bfloat16."""
    inputs: int

    @property
    def outputs(self) -> int:
        return len(self.scales)


def quantize_linear(
    weight: Tensor, bias: Tensor | None = None, *, outliers: Sequence[int] = ()
) -> QuantizedLinear:
    """Weights ``(outputs, inputs)`` and bias ``(outputs,)``, of a floating type, in int8.

    Raises:
        ReadingError: shapes or types do not fit, an outlier is no input, or a weight is not finite.
    """
    if weight.ndim != 2 or 0 in weight.shape or not weight.is_floating_point():
        raise ReadingError(f"weights {describe(weight)} are not a matrix of numbers")
    outputs, inputs = weight.shape
    if inputs > MAX_INPUTS:
        raise ReadingError(f"{inputs:,} inputs are more than the {MAX_INPUTS:,} that int8 can sum")
    if bias is not None and bias.shape != (outputs,):
        raise ReadingError(f"bias {describe(bias)} does not fit {outputs} outputs")
    columns = sorted(set(outliers))
    if columns and not 0 <= columns[0] <= columns[-1] < inputs:
        raise ReadingError(f"outliers {columns} do not lie in {inputs} inputs")
    numbers = check_finite(weight.float(), "weights")
    places = torch.tensor(columns, dtype=torch.int32, device=weight.device)
    apart = numbers[:, columns].T.bfloat16().float().contiguous()
    if columns:
        numbers = numbers.index_fill(1, places.long(), 0.0)
    # A row of zeros keeps a scale that can be divided by.
    scales = numbers.abs().amax(dim=1).clamp_min(1e-30) / 127
    rounded = (numbers / scales.unsqueeze(1)).round_().to(torch.int8)
    return QuantizedLinear(
        weights=rounded,
        scales=scales,
        sums=rounded.sum(dim=1, dtype=torch.int32),
        bias=None if bias is None else check_finite(bias.float(), "bias"),
        outliers=places,
        outlier_weights=apart,
        inputs=inputs,
    )


def check_rows(rows: Tensor, linear: QuantizedLinear) -> None:
    """Raises ReadingError unless ``rows`` ``(M, inputs)`` can be multiplied."""
    floating = (torch.float32, torch.bfloat16, torch.float16)
    if rows.ndim != 2 or rows.shape[1] != linear.inputs or rows.dtype not in floating:
        raise ReadingError(f"rows {describe(rows)} do not fit {linear.inputs} inputs")
