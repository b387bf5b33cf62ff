"""What was read once, what is asked of it, and how the rows of many questions become one batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..errors import ReadingError
from ..kernels.tiers import Kernels
from .branch_attention import Continued, ScoredRows, attend_branches, score_branches


@dataclass(slots=True)
class Prefix:
    """Keys and values of text that was read once and can be asked many times.

    ``keys[l]`` and ``values[l]`` are ``(key heads, length, head width)``; a last layer that is only
    scored has keys alone. A prefix of length 0 has neither: nothing precedes the question.
    """

    length: int
    keys: list[Tensor] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)
    columns: tuple[int, int] | None = None
    """``(start, stop)`` of what :meth:`~.decoder.Decoder.score_many` scores; None: the whole."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Ids read after a prefix as its continuation: they see it and themselves, no other branch."""

    ids: Sequence[int]
    rows: tuple[int, int]
    """``(start, stop)`` among ``ids``: those that are scored."""
    row_weights: Tensor | None = None
    """``(stop - start,)``, of a sum over the rows; their mean when not given."""


@dataclass(frozen=True, slots=True)
class Member:
    """A branch, by its place among the branches, and the rows ``[start, stop)`` of a batch."""

    branch: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Family:
    """The branches that a prefix, by its place among the prefixes, has in a batch."""

    prefix: int
    members: tuple[Member, ...]

    @property
    def rows(self) -> slice:
        return slice(self.members[0].start, self.members[-1].stop)


@dataclass(frozen=True, slots=True)
class Batch:
    """Branches after prefixes whose rows go through a layer together, each prefix's adjacent."""

    prefixes: Sequence[Prefix]
    branches: Sequence[Branch]
    families: tuple[Family, ...]

    @property
    def ids(self) -> list[int]:
        return [token for _, member in self._pairs() for token in self.branches[member.branch].ids]

    @property
    def positions(self) -> Tensor:
        """``(rows,)``: each branch goes on where its prefix ends."""
        return torch.cat(
            [
                torch.arange(member.stop - member.start) + self.prefixes[prefix].length
                for prefix, member in self._pairs()
            ]
        )

    def attend(
        self,
        layer: int,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        kernels: Kernels,
        columns_seen: int | None,
    ) -> Tensor:
        """Attention of all rows, ``(rows, query heads, head width)``."""
        groups = []
        for family in self.families:
            prefix = self.prefixes[family.prefix]
            cached = (prefix.keys[layer], prefix.values[layer]) if prefix.length else None
            lengths = [member.stop - member.start for member in family.members]
            groups.append(Continued(lengths, cached))
        return attend_branches(query, key, value, groups, kernels, columns_seen)

    def scores(
        self,
        layer: int,
        query: Tensor,
        key: Tensor,
        heads: Sequence[int],
        kernels: Kernels,
        columns_seen: int | None,
    ) -> Iterator[tuple[int, int, Tensor]]:
        """Place of the prefix, place of the branch, ``(len(heads), columns of the prefix)``."""
        for family in self.families:
            prefix, rows = self.prefixes[family.prefix], family.rows
            scored = [
                ScoredRows(
                    member.start - rows.start,
                    self.branches[member.branch].rows,
                    self.branches[member.branch].row_weights,
                )
                for member in family.members
            ]
            found = score_branches(
                query[:, rows],
                key[:, rows],
                prefix.keys[layer],
                scored,
                kernels,
                heads=heads,
                columns=scored_columns(prefix),
                columns_seen=columns_seen,
            )
            for member, scores in zip(family.members, found, strict=True):
                yield family.prefix, member.branch, scores

    @property
    def predictions(self) -> tuple[Tensor, Tensor]:
        """Rows that come just before those that the branches ask for, and the ids of the latter."""
        rows: list[Tensor] = []
        ids: list[int] = []
        for _, member in self._pairs():
            branch = self.branches[member.branch]
            first, last = branch.rows
            rows.append(torch.arange(member.start + first - 1, member.start + last - 1))
            ids += branch.ids[first:last]
        return torch.cat(rows), torch.tensor(ids)

    def row_sums(self, values: Tensor) -> Iterator[tuple[int, int, Tensor]]:
        """Place of the prefix, place of the branch, and the sum, weighted as the branch says, over
        its part of ``values``, which stand one behind the other as in :attr:`predictions`."""
        start = 0
        for prefix, member in self._pairs():
            branch = self.branches[member.branch]
            first, last = branch.rows
            part = values[start : start + last - first]
            start += last - first
            weights = branch.row_weights
            yield prefix, member.branch, part.mean() if weights is None else weights.float() @ part

    def _pairs(self) -> Iterator[tuple[int, Member]]:
        for family in self.families:
            for member in family.members:
                yield family.prefix, member


def batches(prefixes: Sequence[Prefix], branches: Sequence[Branch], limit: int) -> Iterator[Batch]:
    """Every branch after every prefix, in batches of at most ``limit`` rows."""
    pairs = [(prefix, branch) for prefix in range(len(prefixes)) for branch in range(len(branches))]
    for run in packed([len(branches[branch].ids) for _, branch in pairs], limit):
        members: dict[int, list[Member]] = {}
        start = 0
        for prefix, branch in (pairs[place] for place in run):
            stop = start + len(branches[branch].ids)
            members.setdefault(prefix, []).append(Member(branch, start, stop))
            start = stop
        families = (Family(prefix, tuple(found)) for prefix, found in members.items())
        yield Batch(prefixes, branches, tuple(families))


def packed(sizes: Sequence[int], limit: int) -> Iterator[range]:
    """Runs of neighbours whose sizes sum to at most ``limit``; a larger one is alone."""
    first, total = 0, 0
    for place, size in enumerate(sizes):
        if place > first and total + size > limit:
            yield range(first, place)
            first, total = place, 0
        total += size
    if sizes:
        yield range(first, len(sizes))


def scored_columns(prefix: Prefix) -> tuple[int, int]:
    """The columns of the prefix that a question is scored on.

    Raises:
        ReadingError: they do not lie in it.
    """
    start, stop = prefix.columns or (0, prefix.length)
    if not 0 <= start < stop <= prefix.length:
        raise ReadingError(f"columns {start}:{stop} do not lie in {prefix.length}")
    return start, stop


def check_rows(branch: Branch) -> None:
    """Raises ReadingError unless the branch has its rows, and as many weights as rows."""
    first, last = branch.rows
    if not 0 <= first < last <= len(branch.ids):
        raise ReadingError(f"rows {first}:{last} do not lie in {len(branch.ids)} ids")
    weights = branch.row_weights
    if weights is not None and weights.shape != (last - first,):
        raise ReadingError(f"weights {tuple(weights.shape)} do not fit {last - first} rows")
