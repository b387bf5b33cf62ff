"""What a searcher asked, opened and found for one sub-question."""

from __future__ import annotations

from textual.content import Content

from ...safe_text import safe_line
from ..run_view import NodeView, RunView, WorkView
from ..wording import STATE_SIGNS, counted, speed
from .rows import Row, RowList, hanging

_QUOTE_CHARACTERS = 300


class Findings(RowList):
    """Rows of evidence and pages open their page."""

    def update(self, view: RunView, node_id: str | None) -> None:
        """Show the work of a question of the plan, or of the table."""
        node = view.node(node_id) if node_id else None
        if node is not None:
            self.show([*_head(node), *_work_rows(node.work, self.row_width)])
        elif node_id == "table" and view.table is not None:
            self.show(_work_rows(view.table.work, self.row_width))
        else:
            self.show([_muted("Choose a question of the plan to see what was found for it")])


def _head(node: NodeView) -> list[Row]:
    sign, colour = STATE_SIGNS[node.state]
    text = Content.assemble((f"{sign} ", colour), (safe_line(node.text), "bold"))
    rows = [Row(text)]
    if node.answer:
        rows.append(Row(Content(safe_line(node.answer))))
    if node.error:
        rows.append(Row(Content.styled(safe_line(node.error), "$text-error")))
    return rows


def _work_rows(work: WorkView, width: int) -> list[Row]:
    rows = [Row(Content.styled(f"! {safe_line(said)}", "$text-warning")) for said in work.warnings]
    if work.searches:
        rows.append(_heading("Searches"))
    for search in work.searches:
        pages = "…" if search.found is None else counted(search.found, "page")
        rows.append(_muted(f"{safe_line(search.source)}  “{safe_line(search.query)}”  {pages}"))
    if work.reading is not None and work.reading.finished:
        tokens = counted(work.reading.read_tokens, "token")
        said = " · ".join(filter(None, [f"read {tokens}", speed(work.reading.speed)]))
        rows.append(_muted(said))
    if work.evidence:
        rows.append(_heading("Quotes"))
    for number, found in enumerate(work.evidence, start=1):
        span = found.evidence.span
        quote = safe_line(span.quote, _QUOTE_CHARACTERS)
        lead = Content(f"{number:>2}  ")
        title = Content.styled(safe_line(found.title or found.url), "$text-muted")
        content = Content("\n").join(
            [
                hanging(lead, Content(f"“{quote}”"), width),
                hanging(Content(" " * lead.cell_length), title, width),
            ]
        )
        rows.append(Row(content, f"quote:{span.page_id}:{span.start}:{span.end}"))
    if work.pages:
        rows.append(_heading("Pages"))
    for page in work.pages.values():
        size = counted(page.characters, "character")
        content = Content.assemble(safe_line(page.title or page.url), (f"  {size}", "$text-muted"))
        rows.append(Row(content, f"page:{page.page_id}"))
    return rows or [_muted("Nothing yet")]


def _heading(text: str) -> Row:
    return Row(Content.styled(f"\n{text}", "bold $text-accent"))


def _muted(text: str) -> Row:
    return Row(Content.styled(text, "$text-muted"))
