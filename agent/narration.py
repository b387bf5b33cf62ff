"""An event as a line for people."""

from __future__ import annotations

from . import events


def line_of(event: events.Event) -> str | None:
    """What an event says in one line; None for what nobody needs to be told in words."""
    match event:
        case events.PlanUpdated(graph=graph):
            asked = "; ".join(f"{node.id} {node.text}" for node in graph.nodes)
            return f"plan ({graph.kind}): {asked}"
        case events.PlanEdited(edit=edit, refused=refused):
            return f"not taken, {edit.action}: {refused}" if refused else f"plan: {edit.action}"
        case events.SearchFinished(span_id=node, source=source, query=query, found=found):
            return f"{node}  {found} pages in {source} for “{query}”"
        case events.ReadingFinished(span_id=node, pages=pages, read_tokens=tokens, seconds=seconds):
            speed = f", {tokens / seconds:,.0f} tokens/s" if tokens and seconds else ""
            return f"{node}  read {pages} pages: {tokens:,} tokens{speed}"
        case events.NodeChanged(span_id=node, state=state, answer=answer, error=error):
            return None if state == "running" else f"{node}  {state}: {answer or error}"
        case events.ClaimVerified(claim=claim, verdict=verdict, reason=reason):
            return f"{verdict}: {claim}{f' ({reason})' if reason else ''}"
        case events.TablePlanned(table_schema=schema):
            keys = ", ".join(schema.keys)
            return f"table of {schema.subject}: {', '.join(schema.names)} (keys: {keys})"
        case events.RowsFound(title=title, found=found, rows=rows):
            return f"{found} rows in “{title}”, {rows} in all"
        case events.CellsFilled(filled=filled, cells=cells, rows=rows):
            return f"{filled} of {cells} cells filled, {rows} rows"
        case events.RunPaused():
            return "paused"
        case events.RunUnpaused():
            return "going on"
        case _:
            return None
