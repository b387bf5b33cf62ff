"""A Llama-shaped decoder in torch that reads and never writes.

Layers after the last one that is scored are neither loaded nor run, and of that layer only queries
and keys are computed. Many sequences, and many questions after many sequences, go through the
weights together: attention alone is computed apart for each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence

import torch
from torch import Tensor

from ..cancellation import Cancellation
from ..errors import ReadingError
from ..kernels.checks import windows
from ..kernels.tiers import Kernels, select
from ..progress import Progress, silent
from .branch_attention import attend_sequence, attend_sequences, score_sequence
from .continuations import Batch, Branch, Prefix, batches, check_rows, packed, scored_columns
from .converted_model import ConvertedModel
from .heads import Head
from .layer_stack import LayerStack, compute_dtype
from .output_head import OutputHead

__all__ = ["Branch", "Decoder", "Prefix", "compute_dtype"]

_BATCH_ROWS = 2048
"""Rows that go through a layer together, where they are of several sequences."""


class Decoder:
    """Layers ``0 … last_layer`` of a model; all of them and its output with ``likelihood``.

    The matrices of ``int8_layers`` are multiplied in int8 (W8A8).

    Raises:
        ReadingError: the model has no such layer, or it is not the last and likelihood is wanted.
        ModelCorrupt: a tensor is missing or has the wrong shape.
    """

    def __init__(
        self,
        model: ConvertedModel,
        *,
        last_layer: int,
        dtype: torch.dtype | None = None,
        kernels: Kernels | None = None,
        likelihood: bool = False,
        int8_layers: Collection[int] = (),
    ) -> None:
        self.config = model.config
        if not 0 <= last_layer < self.config.layers:
            raise ReadingError(f"there is no layer {last_layer} among {self.config.layers}")
        if any(not 0 <= layer <= last_layer for layer in int8_layers):
            raise ReadingError(f"int8 layers {sorted(int8_layers)} are not all loaded")
        if likelihood and last_layer != self.config.layers - 1:
            raise ReadingError(
                f"likelihood needs all {self.config.layers} layers, {last_layer + 1} are asked for"
            )
        self.last_layer = last_layer
        self.int8_layers = tuple(sorted(set(int8_layers)))
        self.dtype = dtype or compute_dtype()
        self._kernels = kernels or select()
        self._stack = LayerStack(
            model,
            last_layer,
            self.dtype,
            whole=likelihood,
            int8_layers=self.int8_layers,
            kernels=self._kernels,
        )
        self._output = (
            OutputHead.load(model, self._stack.embedding, self.dtype) if likelihood else None
        )

    @property
    def weights_sha256(self) -> str:
        """What keys and values depend on besides the tokens: the model, and which of its layers
        are int8."""
        source = self.config.source_sha256
        if not self.int8_layers:
            return source
        return hashlib.sha256(f"{source} int8 {self.int8_layers}".encode()).hexdigest()

    def prefill(self, ids: Sequence[int], *, cancel: Cancellation | None = None) -> Prefix:
        """Read ``ids`` and keep their keys and values.

        Raises:
            ReadingError: nothing to read, a foreign id, or more ids than the model's context.
            Cancelled: ``cancel`` was set meanwhile.
        """
        return self.prefill_many([ids], cancel=cancel)[0]

    def prefill_many(
        self,
        sequences: Sequence[Sequence[int]],
        *,
        last_layer: int | None = None,
        cancel: Cancellation | None = None,
        progress: Progress = silent,
    ) -> list[Prefix]:
        """Read each sequence by itself, several in one pass through the weights.

        ``last_layer`` is the last one that will be scored: of it there are keys alone, of later
        ones nothing. Without it all that is loaded runs.

        Raises:
            ReadingError: that layer is not loaded, or as :meth:`prefill`.
            Cancelled: as :meth:`prefill`.
        """
        if last_layer is not None and not 0 <= last_layer <= self.last_layer:
            raise ReadingError(f"layers up to {self.last_layer} are loaded, not {last_layer}")
        for ids in sequences:
            self._stack.check(ids, before=0)
        prefixes = [Prefix(len(ids)) for ids in sequences]
        for run in packed([len(ids) for ids in sequences], _BATCH_ROWS):
            ids = [token for place in run for token in sequences[place]]
            batch = [prefixes[place] for place in run]
            self._prefill_batch(ids, batch, last_layer, cancel or Cancellation())
            progress("reading", run.stop, len(sequences), "windows")
        return prefixes

    def score(
        self,
        prefix: Prefix,
        ids: Sequence[int],
        *,
        heads: Sequence[Head],
        columns: tuple[int, int],
        rows: tuple[int, int] | None = None,
        row_weights: Tensor | None = None,
        cancel: Cancellation | None = None,
    ) -> Tensor:
        """How much the heads attend from a question to the columns of what precedes it.

        Args:
            prefix: what was read; it is not changed.
            ids: the question, read after the prefix.
            heads: heads of layers up to ``last_layer``.
            columns: ``(start, stop)`` among the positions of prefix and question.
            rows: ``(start, stop)`` among ``ids``; all when not given.
            row_weights: ``(stop - start,)``; the mean over the rows when not given.

        Returns:
            ``(len(heads), columns)``, float32: weighted sums of attention probabilities.

        Raises:
            ReadingError: a head, rows or columns do not exist, or as :meth:`prefill`.
            Cancelled: ``cancel`` was set meanwhile.
        """
        first, last = rows or (0, len(ids))
        check_rows(Branch(ids, (first, last), row_weights))
        self._check_heads(heads)
        stop = prefix.length + last
        if not 0 <= columns[0] < columns[1] <= stop:
            raise ReadingError(f"columns {columns[0]}:{columns[1]} do not lie in {stop}")
        result = torch.empty(len(heads), columns[1] - columns[0])
        for layer, query, key in self._run(ids, prefix, cancel or Cancellation()):
            places = [place for place, head in enumerate(heads) if head.layer == layer]
            if places:
                result[places] = score_sequence(
                    query[:, first:last],
                    key[:, :stop],
                    self._kernels,
                    heads=[heads[place].head for place in places],
                    columns=columns,
                    row_weights=row_weights,
                    columns_seen=self.config.columns_seen(layer),
                )
        return result

    def score_many(
        self,
        prefixes: Sequence[Prefix],
        branches: Sequence[Branch],
        *,
        heads: Sequence[Head],
        cancel: Cancellation | None = None,
    ) -> list[list[Tensor]]:
        """How much the heads attend from each branch to the columns of each prefix.

        Every branch is read after every prefix, as if alone. The rows of many go through the
        weights together: that makes a question over hundreds of windows cheap.

        Args:
            prefixes: what was read; they are not changed.
            heads: heads of layers up to ``last_layer``.

        Returns:
            ``[prefix][branch]``: ``(len(heads), columns of the prefix)``, float32: weighted sums of
            attention probabilities.

        Raises:
            ReadingError: a head, rows or columns do not exist, or as :meth:`prefill`.
            Cancelled: ``cancel`` was set meanwhile.
        """
        self._check_heads(heads)
        deepest = max((head.layer for head in heads), default=0)
        self._check_branches(prefixes, branches, keys=deepest + 1, values=deepest)
        results = []
        for start, stop in map(scored_columns, prefixes):
            results.append([torch.empty(len(heads), stop - start) for _ in branches])
        for batch in batches(prefixes, branches, _BATCH_ROWS):
            self._score_batch(batch, heads, deepest, results, cancel or Cancellation())
        if not all(bool(scores.sum().isfinite()) for row in results for scores in row):
            raise ReadingError("scores are NaN or infinite", remedy="the weights may be damaged")
        return results

    def log_likelihood(
        self,
        prefixes: Sequence[Prefix],
        branches: Sequence[Branch],
        *,
        cancel: Cancellation | None = None,
    ) -> Tensor:
        """How much the model expects the rows of each branch after each prefix.

        The likelihood of a question given a passage ranks passages (UPR, arXiv 2204.07496). Of each
        branch the rows after its first id can be asked for.

        Returns:
            ``(len(prefixes), len(branches))``, float32: natural logarithm of the probability of a
            row's id given all before it, weighted sum over the rows (their mean without weights).

        Raises:
            ReadingError: the decoder has no output or the rows do not exist, or as :meth:`prefill`.
            Cancelled: ``cancel`` was set meanwhile.
        """
        if self._output is None:
            raise ReadingError("the decoder was loaded without its output")
        layers = self.config.layers
        self._check_branches(prefixes, branches, keys=layers, values=layers)
        if any(branch.rows[0] == 0 for branch in branches):
            raise ReadingError("the first id of a branch has no likelihood of its own")
        result = torch.empty(len(prefixes), len(branches))
        for batch in batches(prefixes, branches, _BATCH_ROWS):
            self._likelihood_batch(batch, self._output, result, cancel or Cancellation())
        if not bool(result.isfinite().all()):
            raise ReadingError(
                "likelihoods are NaN or infinite", remedy="the weights may be damaged"
            )
        return result

    @torch.inference_mode()
    def _prefill_batch(
        self,
        ids: Sequence[int],
        prefixes: Sequence[Prefix],
        last_layer: int | None,
        cancel: Cancellation,
    ) -> None:
        """Read ``ids``, which are those of the prefixes one behind the other, into the prefixes."""
        lengths = [prefix.length for prefix in prefixes]
        positions = torch.cat([torch.arange(length) for length in lengths])
        for step in self._stack.steps(ids, positions, cancel):
            value = None if step.layer == last_layer else step.value
            for prefix, rows in zip(prefixes, windows(lengths), strict=True):
                # Of its own memory, so that a prefix that is dropped frees it.
                prefix.keys.append(step.key[:, rows].contiguous())
                if value is not None:
                    prefix.values.append(value[:, rows].contiguous())
            if value is None or step.layer == self.last_layer:
                break
            step.attended = attend_sequences(
                step.query, step.key, value, lengths, self._kernels, step.columns_seen
            )

    @torch.inference_mode()
    def _score_batch(
        self,
        batch: Batch,
        heads: Sequence[Head],
        deepest: int,
        results: list[list[Tensor]],
        cancel: Cancellation,
    ) -> None:
        for step in self._stack.steps(batch.ids, batch.positions, cancel):
            places = [place for place, head in enumerate(heads) if head.layer == step.layer]
            if places:
                chosen = [heads[place].head for place in places]
                for prefix, branch, scores in batch.scores(
                    step.layer, step.query, step.key, chosen, self._kernels, step.columns_seen
                ):
                    results[prefix][branch][places] = scores
            if step.layer == deepest:
                break
            assert step.value is not None
            step.attended = batch.attend(
                step.layer, step.query, step.key, step.value, self._kernels, step.columns_seen
            )

    @torch.inference_mode()
    def _likelihood_batch(
        self, batch: Batch, output: OutputHead, result: Tensor, cancel: Cancellation
    ) -> None:
        for step in self._stack.steps(batch.ids, batch.positions, cancel):
            assert step.value is not None
            step.attended = batch.attend(
                step.layer, step.query, step.key, step.value, self._kernels, step.columns_seen
            )
        assert step.output is not None
        rows, ids = batch.predictions
        found = output.log_probabilities(step.output[rows], ids, cancel)
        for prefix, branch, likelihood in batch.row_sums(found):
            result[prefix, branch] = likelihood

    @torch.inference_mode()
    def _run(
        self, ids: Sequence[int], prefix: Prefix, cancel: Cancellation
    ) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Run ``ids`` after ``prefix``; yields each layer's queries and its keys so far."""
        self._stack.check(ids, before=prefix.length)
        positions = torch.arange(prefix.length, prefix.length + len(ids))
        for step in self._stack.steps(ids, positions, cancel):
            key, value = step.key, step.value
            if prefix.length:
                key = torch.cat([prefix.keys[step.layer], key], dim=1)
                if value is not None:
                    value = torch.cat([prefix.values[step.layer], value], dim=1)
            yield step.layer, step.query, key
            if value is not None:
                step.attended = attend_sequence(
                    step.query, key, value, self._kernels, step.columns_seen
                )

    def _check_branches(
        self, prefixes: Sequence[Prefix], branches: Sequence[Branch], keys: int, values: int
    ) -> None:
        """``keys`` and ``values`` are in how many layers a prefix must have them."""
        for prefix in prefixes:
            if prefix.length and (len(prefix.keys) < keys or len(prefix.values) < values):
                raise ReadingError(
                    f"a prefix holds the keys of {len(prefix.keys)} layers and the values of "
                    f"{len(prefix.values)}, needed are {keys} and {values}"
                )
        longest = max((prefix.length for prefix in prefixes), default=0)
        for branch in branches:
            check_rows(branch)
            self._stack.check(branch.ids, before=longest)

    def _check_heads(self, heads: Sequence[Head]) -> None:
        if missing := [head for head in heads if not 0 <= head.layer <= self.last_layer]:
            raise ReadingError(
                f"layers up to {self.last_layer} are loaded, not that of {missing[0]}"
            )
        if missing := [head for head in heads if not 0 <= head.head < self.config.heads]:
            raise ReadingError(f"a layer has {self.config.heads} heads, not that of {missing[0]}")
