"""A plan's graph as the lines of a tree: each question once, under the last of its parents.

Its other parents are named beside it. So a graph of any shape can be drawn in a narrow column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Placed(Protocol):
    """What has a place in a graph."""

    @property
    def id(self) -> str: ...
    @property
    def parents(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class PlanRow:
    """Where a question stands."""

    id: str
    branch: str
    """Drawn before its first line ("│ └─ ")."""
    trunk: str
    """Drawn before its further lines."""
    also_needs: tuple[str, ...]
    """Parents other than the one it stands under."""


def plan_rows(nodes: Mapping[str, Placed]) -> list[PlanRow]:
    """Every question of ``nodes`` once, parents above children. Unknown parents are left out."""
    children: dict[str, list[str]] = {"": []}
    needs: dict[str, tuple[str, ...]] = {}
    order = list(nodes)
    for node in nodes.values():
        parents = [parent for parent in node.parents if parent in nodes]
        above = max(parents, key=order.index, default="")
        children.setdefault(above, []).append(node.id)
        needs[node.id] = tuple(parent for parent in parents if parent != above)
    rows: list[PlanRow] = []
    pending = [(node_id, "", False) for node_id in reversed(children[""])]
    while pending:
        node_id, indent, nested = pending.pop()
        below = children.get(node_id, [])
        branch, trunk = indent, indent
        if nested:
            last = bool(pending) is False or pending[-1][1] != indent
            branch, trunk = f"{indent}{'└' if last else '├'}─ ", f"{indent}{' ' if last else '│'}  "
        rows.append(PlanRow(node_id, branch, trunk, needs[node_id]))
        pending += [(child, trunk, True) for child in reversed(below)]
    return rows
