"""A run that ends in a table: its report, honest about what is missing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from ...errors import RunError
from ..checkpoints import run_checkpointed
from ..report import Report, Status
from ..run_store import RunFolder
from ..toolbox import Toolbox
from .rendering import markdown_report, missing_cells, table_remarks
from .schema import TableWishes
from .tabulation import TableState, build_tabulation, table_builder
from .wide_table import WideTable

_STEPS = 400


async def run_table(folder: RunFolder, wishes: TableWishes, box: Toolbox) -> Report:
    """Find the table that the run in ``folder`` asks for, going on where it was stopped.

    Raises:
        OutputInvalid: the query and the model give no columns.
        InputError: the keys that were asked for are no columns.
        SearchError: no source could be searched.
        Cancelled: the user stopped the run.
    """
    record = folder.record
    values = await run_checkpointed(
        build_tabulation,
        folder.checkpoints,
        thread=folder.path.name,
        start={"query": record.question, "wishes": wishes.model_dump(mode="json")},
        box=box,
        steps=_STEPS,
    )
    if "schema" not in values:
        raise RunError("the run ended before it had a table", remedy="ask again")
    state = cast(TableState, values)
    table = table_builder(state).build()
    out_of_budget = bool(state.get("stopped"))
    status = _status(table, out_of_budget)
    return Report(
        run_id=record.run_id,
        status=status,
        question=record.question,
        markdown=markdown_report(table, remarks=table_remarks(table, out_of_budget=out_of_budget)),
        claims=(),
        open_questions=tuple(missing_cells(table)),
        usage=box.budget.usage,
        table=table,
        model=record.model,
        reader=record.reader,
        started_at=record.started_at,
        finished_at=datetime.now(UTC),
    )


def _status(table: WideTable, out_of_budget: bool) -> Status:
    if out_of_budget:
        return "budget_exhausted"
    if not table.rows:
        return "failed"
    return "complete" if table.filled == table.cells else "partial"
